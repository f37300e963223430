// Every text of the cards comes with Home Assistant's translations of the integration, in the language of who looks.
// What his language lacks is English there; until they have come it is the English that is built in.
import { config_panel } from "../../translations/en.json";
import type { HomeAssistant } from "./home-assistant.js";

const en = config_panel.card;
const DOMAIN = "ai_router";
const OURS = `component.${DOMAIN}.config_panel.card`;
const REASONS = `component.${DOMAIN}.common.reason`;
const SENSORS = `component.${DOMAIN}.entity.sensor`;
// What stands for a value until it is put in its place; no text has it.
const MARK = "\uE000";

export type TextKey = keyof typeof en;
type Values = Record<string, string>;

let asked: Promise<unknown> | undefined;
let askedIn = "";

/** Has Home Assistant load the texts, once for each language; it sends every card a new `hass` when they are there. */
export function askForTexts(hass: HomeAssistant): void {
  if (asked && askedIn === hass.language) return;
  askedIn = hass.language;
  asked = Promise.all(
    ["config_panel", "common"].map((category) => hass.loadBackendTranslation(category, DOMAIN)),
  ).catch(() => (asked = undefined));
}

export function text(hass: HomeAssistant | undefined, key: TextKey, values: Values = {}): string {
  return (
    hass?.localize(`${OURS}.${key}`, values) ||
    en[key].replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
  );
}

/** A text whose values are pieces of the page of their own. */
export function textWith(hass: HomeAssistant, key: TextKey, pieces: Record<string, unknown>): unknown[] {
  const marked = Object.fromEntries(Object.keys(pieces).map((name) => [name, `${MARK}${name}${MARK}`]));
  return text(hass, key, marked)
    .split(MARK)
    .map((piece, index) => (index % 2 ? pieces[piece] : piece));
}

/** A text with a number in it, in the form that the language wants for that number. */
export function counted(hass: HomeAssistant, key: "requests" | "need_attention", count: number, shown: string): string {
  const form = new Intl.PluralRules(hass.language).select(count);
  const own = hass.localize(`${OURS}.${key}_${form}`, { count: shown });
  return own || text(hass, `${key}_${form === "one" ? "one" : "other"}`, { count: shown });
}

/** A text for a code that the router tells; the code itself where there is none yet. */
export function coded(hass: HomeAssistant, prefix: "failure" | "source" | "over", code: string): string {
  const key = `${prefix}_${code}`;
  return key in en ? text(hass, key as TextKey) : readable(code);
}

function readable(code: string): string {
  const words = code.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function healthName(hass: HomeAssistant, health: string): string {
  return hass.localize(`${SENSORS}.health.state.${health}`) || readable(health);
}

export function illnessName(hass: HomeAssistant, reason: string): string {
  return hass.localize(`${SENSORS}.health.state_attributes.reason.state.${reason}`) || readable(reason);
}

export function breakerName(hass: HomeAssistant, breaker: string): string {
  return hass.localize(`${SENSORS}.breaker.state.${breaker}`) || readable(breaker);
}

export function reasonName(hass: HomeAssistant, because: string, figures: Values): string {
  return hass.localize(`${REASONS}_${because}`, figures) || readable(because).toLowerCase();
}
