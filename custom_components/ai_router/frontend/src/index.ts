// All cards of AI Router, for Home Assistant's card picker.
import { AiRouterCard } from "./ai-router-card.js";
import { pageHass, type HomeAssistant } from "./home-assistant.js";
import { text } from "./texts.js";

declare global {
  interface Window {
    customCards?: object[];
  }
}

const CARDS = [AiRouterCard];

for (const card of CARDS) {
  // A page that is open while the integration is updated loads the file a second time.
  if (customElements.get(card.type)) continue;
  customElements.define(card.type, card);
  (window.customCards ??= []).push({
    type: card.type,
    // Read when the picker opens: only then does the page know its language.
    get name() {
      return text(pageHass(), card.label);
    },
    get description() {
      return text(pageHass(), card.about);
    },
    preview: true,
    getEntitySuggestion: (hass: HomeAssistant, entityId: string) =>
      hass.entities[entityId]?.platform === "ai_router" ? { config: { type: `custom:${card.type}` } } : null,
    documentationURL: "https://github.com/example/ai-router",
  });
}
