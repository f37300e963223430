// All cards of AI Router, for Home Assistant's card picker.
import { AiRouterCard } from "./ai-router-card.js";
import { local } from "./config.js";
import type { HomeAssistant } from "./home-assistant.js";

declare global {
  interface Window {
    customCards?: object[];
  }
}

// A page that is open while the integration is updated loads the file a second time.
if (!customElements.get("ai-router-card")) {
  customElements.define("ai-router-card", AiRouterCard);
  (window.customCards ??= []).push({
    type: "ai-router-card",
    // Read when the picker opens: only then does the page know its language.
    get name() {
      return local("card_name");
    },
    get description() {
      return local("card_description");
    },
    preview: true,
    getEntitySuggestion: (hass: HomeAssistant, entityId: string) =>
      hass.entities[entityId]?.platform === "ai_router" ? { config: { type: "custom:ai-router-card" } } : null,
    documentationURL: "https://github.com/example/ai-router",
  });
}
