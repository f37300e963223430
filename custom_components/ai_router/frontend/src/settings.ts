// What can be set on a card: how each option is checked, what holds where it is missing or wrong, and the form for it.
import { pageHass, type CardConfig, type HomeAssistant } from "./home-assistant.js";
import { text, type TextKey } from "./texts.js";

interface Option<Value> {
  usual: Value;
  label: TextKey;
  help?: TextKey;
  fits: (value: unknown) => boolean;
  must: TextKey;
  most?: number;
  selector: object;
}

export type Options = Record<string, Option<string> | Option<boolean> | Option<number>>;
export type SettingsOf<O extends Options> = { [Name in keyof O]: O[Name]["usual"] };

export function words(label: TextKey): Option<string> {
  return { usual: "", label, fits: (value) => typeof value === "string", must: "must_be_text", selector: { text: {} } };
}

export function flag(label: TextKey): Option<boolean> {
  const fits = (value: unknown) => typeof value === "boolean";
  return { usual: true, label, fits, must: "must_be_flag", selector: { boolean: {} } };
}

export function count(label: TextKey, usual: number, most: number, help?: TextKey): Option<number> {
  const fits = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
  const selector = { number: { min: 1, max: most, mode: "box" } };
  return { usual, label, fits, must: "must_be_count", most, selector, ...(help && { help }) };
}

// An option without a value, as YAML has it after a colon, is not set. What other versions or other people's tools have
// added to a card is left alone.
const isSet = (value: unknown) => value !== undefined && value !== null;

export function settingsOf<O extends Options>(options: O, config: CardConfig | undefined): SettingsOf<O> {
  const chosen = Object.entries(options).map(([name, option]) => {
    const value = config?.[name];
    return [name, isSet(value) && option.fits(value) ? value : option.usual];
  });
  return Object.fromEntries(chosen) as SettingsOf<O>;
}

/** What is wrong with a card's options, in words. */
export function faults(hass: HomeAssistant | undefined, options: Options, config: CardConfig): string[] {
  return Object.entries(options)
    .filter(([name, option]) => isSet(config[name]) && !option.fits(config[name]))
    .map(([name, { must, most }]) => text(hass, must, { option: name, most: String(most) }));
}

/** The form for a card's options; Home Assistant draws it. */
export function form(options: Options) {
  const fields = Object.entries(options).map(([name, { usual, selector }]) => ({
    name,
    selector,
    ...(usual !== "" && { default: usual }),
  }));
  return {
    schema: fields,
    /** Throws what Home Assistant says in place of the form; the YAML can then be edited. */
    assertConfig: (config: CardConfig) => {
      const wrong = faults(pageHass(), options, config);
      if (wrong.length) throw new Error(wrong.join(" "));
    },
    computeLabel: ({ name }: { name: string }) => said(options[name]?.label),
    computeHelper: ({ name }: { name: string }) => said(options[name]?.help),
  };
}

const said = (key: TextKey | undefined) => (key ? text(pageHass(), key) : "");
