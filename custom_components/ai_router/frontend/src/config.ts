// What can be set on the card, and the form for it; Home Assistant draws the form.
import type { CardConfig, HomeAssistant } from "./home-assistant.js";
import { textIn, type TextKey } from "./texts.js";

export const SECTIONS = ["spend", "providers", "answers"] as const;
export type Section = (typeof SECTIONS)[number];

export interface RouterCardConfig extends CardConfig {
  title?: string;
  show_spend?: boolean;
  show_providers?: boolean;
  show_answers?: boolean;
  max_providers?: number;
  max_answers?: number;
}

export const DEFAULT_PROVIDERS = 6;
export const DEFAULT_ANSWERS = 5;
const MOST_PROVIDERS = 100;
const MOST_ANSWERS = 20;

export function sections(config: RouterCardConfig | undefined): Section[] {
  return SECTIONS.filter((section) => config?.[`show_${section}`] ?? true);
}

/** Throws what Home Assistant shows in place of a card that is set wrongly. */
export function assertConfig(config: RouterCardConfig): void {
  if (config.title !== undefined && typeof config.title !== "string") throw new Error("title must be text");
  for (const section of SECTIONS) {
    const show = config[`show_${section}`];
    if (show !== undefined && typeof show !== "boolean") throw new Error(`show_${section} must be true or false`);
  }
  assertCount("max_providers", config.max_providers, MOST_PROVIDERS);
  assertCount("max_answers", config.max_answers, MOST_ANSWERS);
}

function assertCount(field: string, value: number | undefined, most: number): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most)) {
    throw new Error(`${field} must be a whole number from 1 to ${most}`);
  }
}

const LABELS: Record<string, TextKey> = {
  title: "edit_title",
  show_spend: "edit_spend",
  show_providers: "edit_providers",
  show_answers: "edit_answers",
  max_providers: "edit_max_providers",
  max_answers: "edit_max_answers",
};

export const form = () => ({
  schema: [
    { name: "title", selector: { text: {} } },
    ...SECTIONS.map((section) => ({ name: `show_${section}`, default: true, selector: { boolean: {} } })),
    {
      type: "grid",
      name: "",
      schema: [count("max_providers", DEFAULT_PROVIDERS, MOST_PROVIDERS), count("max_answers", DEFAULT_ANSWERS, MOST_ANSWERS)],
    },
  ],
  assertConfig,
  // The form asks for the rows that only hold other fields, too.
  computeLabel: ({ name }: { name: string }) => (LABELS[name] ? local(LABELS[name]) : ""),
  computeHelper: ({ name }: { name: string }) => (name === "max_providers" ? local("edit_max_providers_help") : ""),
});

function count(name: string, usual: number, max: number) {
  return { name, default: usual, selector: { number: { min: 1, max, mode: "box" } } };
}

/** The form and the card picker are asked without a `hass`: the page's own tells the language. */
export function local(key: TextKey): string {
  const page = document.querySelector<HTMLElement & { hass?: HomeAssistant }>("home-assistant");
  return textIn(page?.hass?.language ?? navigator.language, key);
}
