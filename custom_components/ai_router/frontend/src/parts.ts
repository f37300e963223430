// Small pieces that several sections and cards are made of.
import { html, nothing, type TemplateResult } from "lit";
import { formatPercent } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Budget } from "./overview.js";
import { coded, text, type TextKey } from "./texts.js";

const NEARLY = 0.8;

export type Tone = "good" | "warn" | "bad" | "quiet";

export function icon(name: string, tone: Tone): TemplateResult {
  return html`<ha-icon class=${tone} icon="mdi:${name}" aria-hidden="true"></ha-icon>`;
}

/** The share of a limit that is used: 1 where the limit is zero, more than 1 when it is passed. */
export function share(used: number, limit: number): number {
  return limit > 0 ? used / limit : 1;
}

export function meter(hass: HomeAssistant, label: string, used: number): TemplateResult {
  const tone = used >= 1 ? "bad" : used >= NEARLY ? "warn" : "";
  const percent = Math.round(Math.min(used, 1) * 100);
  return html`<div
    class="meter ${tone}"
    role="meter"
    aria-label=${label}
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${percent}
    aria-valuetext=${formatPercent(hass, used)}
  >
    <span style="width: ${percent}%"></span>
  </div>`;
}

// Neither seen nor of use in a name, but able to break its line, or to turn the text around it.
const UNSEEN = /[\s\p{Cc}\p{Bidi_Control}]+/gu;
const LONGEST_NAME = 500;

/** A name as it can be shown. They come from people, servers and models: of any kind and length. */
export function visible(value: string): string {
  const seen = value.slice(0, LONGEST_NAME).replace(UNSEEN, " ").trim() || "–";
  return value.length > LONGEST_NAME ? `${seen}…` : seen;
}

/** A name on one line at most, written in its own direction; who points at it reads all of it. */
export function name(value: string, look = ""): TemplateResult {
  const shown = visible(value);
  return html`<bdi class="name ${look}" title=${shown}>${shown}</bdi>`;
}

export function budgetsOver(budgets: readonly Budget[]): Budget[] {
  return budgets.filter((budget) => budget.over);
}

export function overTitle(hass: HomeAssistant, budget: Budget): string {
  return coded(hass, "over", budget.window);
}

/** What a card shows instead of figures: what is missing, and what to do about it; an admin may be able to do more. */
export function empty(
  hass: HomeAssistant,
  title: TextKey,
  admin: TextKey,
  user: TextKey,
  symbol: string,
): TemplateResult {
  const isAdmin = hass.user?.is_admin ?? false;
  return html`<div class="empty" role="status">
    ${icon(symbol, "quiet")}
    <h3>${text(hass, title)}</h3>
    <p class="quiet">${text(hass, isAdmin ? admin : user)}</p>
    ${isAdmin && admin !== user
      ? html`<a class="button" href="/config/integrations/integration/ai_router">${text(hass, "open_settings")}</a>`
      : nothing}
  </div>`;
}
