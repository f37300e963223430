// Numbers, money and times as the user has set them in Home Assistant.
import type { HomeAssistant, Locale } from "./home-assistant.js";

const SEPARATORS: Record<string, string[]> = {
  comma_decimal: ["en-US", "en"],
  decimal_comma: ["de", "es", "it"],
  space_comma: ["fr", "sv", "cs"],
  quote_decimal: ["de-CH"],
};

function numberLocale(locale: Locale): string[] | string | undefined {
  switch (locale.number_format) {
    case "none":
      return "en-US";
    case "system":
      return undefined;
    default:
      return SEPARATORS[locale.number_format] ?? locale.language;
  }
}

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(locale: Locale, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify([locale.language, locale.number_format, options]);
  let format = formats.get(key);
  if (!format) {
    const useGrouping = locale.number_format !== "none";
    formats.set(key, (format = new Intl.NumberFormat(numberLocale(locale), { useGrouping, ...options })));
  }
  return format;
}

export function formatNumber(hass: HomeAssistant, value: number, options: Intl.NumberFormatOptions = {}): string {
  return numberFormat(hass.locale, options).format(value);
}

/** A little is not nothing: below one percent it says so. */
export function formatPercent(hass: HomeAssistant, share: number): string {
  const little = share > 0 && share < 0.01;
  const percent = formatNumber(hass, little ? 0.01 : share, { style: "percent", maximumFractionDigits: 0 });
  return little ? `<${percent}` : percent;
}

/** An answer may cost a thousandth of a cent: the smaller the amount, the more digits. */
export function formatMoney(hass: HomeAssistant, amount: string, currency: string): string {
  const size = Math.abs(Number(amount));
  const digits: Intl.NumberFormatOptions =
    size === 0 || size >= 1
      ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
      : size >= 0.0001
        ? { minimumFractionDigits: 2, maximumFractionDigits: 4 }
        : { maximumSignificantDigits: 2 };
  return numberFormat(hass.locale, { style: "currency", currency, ...digits }).format(Number(amount));
}

export function formatSeconds(hass: HomeAssistant, seconds: number): string {
  const options: Intl.NumberFormatOptions =
    seconds < 0.9995
      ? { unit: "millisecond", maximumFractionDigits: 0 }
      : { unit: "second", maximumFractionDigits: seconds < 10 ? 1 : 0 };
  const value = options.unit === "second" ? seconds : seconds * 1000;
  return formatNumber(hass, value, { style: "unit", unitDisplay: "short", ...options });
}

function timeOptions(hass: HomeAssistant): Intl.DateTimeFormatOptions {
  const { time_format: format, time_zone: zone } = hass.locale;
  return {
    ...(zone === "server" && { timeZone: hass.config.time_zone }),
    ...(format === "12" && { hour12: true }),
    ...(format === "24" && { hourCycle: "h23" as const }),
  };
}

function timeLocale(locale: Locale): string | undefined {
  return locale.time_format === "system" ? undefined : locale.language;
}

/** The time of today, else the day and the time; `when` is seconds since 1970. */
export function formatWhen(hass: HomeAssistant, when: number, now = Date.now()): string {
  const options = timeOptions(hass);
  const day = new Intl.DateTimeFormat("en-CA", options.timeZone ? { timeZone: options.timeZone } : {});
  if (day.format(when * 1000) !== day.format(now)) return formatDayAndTime(hass, when);
  return new Intl.DateTimeFormat(timeLocale(hass.locale), { ...options, hour: "numeric", minute: "2-digit" }).format(
    when * 1000,
  );
}

export function formatDayAndTime(hass: HomeAssistant, when: number): string {
  return new Intl.DateTimeFormat(timeLocale(hass.locale), {
    ...timeOptions(hass),
    day: "numeric",
    month: "short",
    hour: "numeric",
    minute: "2-digit",
  }).format(when * 1000);
}

/** The whole moment, for who wants to know it exactly. */
export function formatMoment(hass: HomeAssistant, when: number): string {
  const options = { ...timeOptions(hass), dateStyle: "medium", timeStyle: "medium" } as const;
  return new Intl.DateTimeFormat(timeLocale(hass.locale), options).format(when * 1000);
}
