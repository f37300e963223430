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

/** The units' symbols are the same in every language; the digits are not. */
export function formatSeconds(hass: HomeAssistant, seconds: number): string {
  if (seconds < 0.9995) return `${formatNumber(hass, seconds * 1000, { maximumFractionDigits: 0 })}\u00a0ms`;
  return `${formatNumber(hass, seconds, { maximumFractionDigits: seconds < 10 ? 1 : 0 })}\u00a0s`;
}

function zoneOptions(hass: HomeAssistant): Intl.DateTimeFormatOptions {
  return hass.locale.time_zone === "server" ? { timeZone: hass.config.time_zone } : {};
}

function hasHalfDays(locale: Locale): boolean {
  if (locale.time_format === "12") return true;
  if (locale.time_format === "24") return false;
  const counted = locale.time_format === "language" ? locale.language : undefined;
  return new Intl.DateTimeFormat(counted, { hour: "numeric" }).resolvedOptions().hour12 ?? false;
}

// In the words of the language that is read, even where the hours are counted as the system does.
function hours(hass: HomeAssistant): Intl.DateTimeFormatOptions {
  const clock: Intl.DateTimeFormatOptions = hasHalfDays(hass.locale)
    ? { hour: "numeric", hourCycle: "h12" }
    : { hour: "2-digit", hourCycle: "h23" };
  return { ...zoneOptions(hass), ...clock, minute: "2-digit" };
}

/** The time of today, else the day and the time; `when` is seconds since 1970. */
export function formatWhen(hass: HomeAssistant, when: number, now = Date.now()): string {
  const day = new Intl.DateTimeFormat("en-CA", zoneOptions(hass));
  if (day.format(when * 1000) !== day.format(now)) return formatDayAndTime(hass, when);
  return new Intl.DateTimeFormat(hass.locale.language, hours(hass)).format(when * 1000);
}

export function formatDayAndTime(hass: HomeAssistant, when: number): string {
  const options: Intl.DateTimeFormatOptions = { ...hours(hass), day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(hass.locale.language, options).format(when * 1000);
}

/** The whole moment, for who wants to know it exactly. */
export function formatMoment(hass: HomeAssistant, when: number): string {
  const options: Intl.DateTimeFormatOptions = { ...hours(hass), day: "numeric", month: "short", year: "numeric", second: "2-digit" };
  return new Intl.DateTimeFormat(hass.locale.language, options).format(when * 1000);
}
