// Every text of the cards. A language is one more dictionary here; what it lacks is shown in English.
// Names of states and failures are the integration's own and come with Home Assistant's translations.
import type { HomeAssistant } from "./home-assistant.js";

const en = {
  card_name: "AI Router",
  card_description: "Spending against the budget, how the providers do, and who answered lately.",

  loading: "Loading…",
  not_set_up: "AI Router is not set up",
  not_set_up_admin: "Add it in the settings, or look there why it could not be loaded.",
  not_set_up_user: "Somebody with an administrator's rights can set it up.",
  no_provider: "No provider yet",
  no_provider_admin: "Add the first one: an account with an AI provider, or a server in your home.",
  no_provider_user: "Somebody with an administrator's rights can add one.",
  open_settings: "Open settings",

  today: "Today",
  this_week: "This week",
  this_month: "This month",
  in_all: "In all",
  of_budget: "{share} of {limit}",
  no_budget: "no budget",
  projection: "about {amount} by the end of the month",
  budget_used: "Budget used",
  over_day: "Today's budget is used up",
  over_week: "This week's budget is used up",
  over_month: "This month's budget is used up",
  over_total: "The whole budget is used up",
  over_hard_until: "What costs nothing goes on; paid requests start again on {when}.",
  over_hard: "What costs nothing goes on; paid requests need a larger budget.",
  over_soft: "It only warns: requests go on.",
  requests_one: "{count} request today",
  requests_other: "{count} requests today",
  under_way: "{count} under way",

  providers: "Providers",
  need_attention_one: "{count} needs attention",
  need_attention_other: "{count} need attention",
  all_well: "all well",
  show_all: "Show all {count}",
  show_fewer: "Show fewer",
  provider: "Provider",
  health: "Health",
  breaker: "Circuit breaker",
  latency: "Latency",
  rate: "Per minute",
  rate_of: "{used} of {limit}",
  not_used: "not used yet",
  disabled: "Disabled",
  waiting: "Waits: it cannot be used the way it is set",
  local: "In your home",
  own_budget_used: "Its budget is used up",
  details_of: "Show details of {name}",

  answers: "Last answers",
  own_answers: "Your last answers",
  no_answers: "Nothing asked since Home Assistant started.",
  no_answers_hint: "An automation asks with the action {action}.",
  answered: "Answered",
  failed: "Failed",
  cached: "kept answer",
  estimated: "estimated",
  pool: "Pool {name}",
  rule: "Rule {name}",
  why: "Why: {reason}",
  tried: "{provider} failed before: {failure}",
  tried_last: "{provider}: {failure}",
  cost: "Cost",
  source_action: "Action",
  source_conversation: "Assist",
  source_ai_task: "AI Task",

  failure_no_provider: "There was no provider.",
  failure_not_allowed: "Whoever asked may not ask.",
  failure_unknown_pool: "There is no such pool.",
  failure_unknown_strategy: "There is no such strategy.",
  failure_no_capable_target: "No model can or may do what was asked.",
  failure_over_budget: "A budget is used up.",
  failure_limited: "The limit of requests was reached.",
  failure_all_down: "Every provider was down.",
  failure_all_failed: "Every provider failed.",
  failure_rejected: "The provider refused the request.",
  failure_deadline: "There was no answer in time.",
  failure_stream_broken: "The answer broke off.",
  failure_ledger_unavailable: "The record of costs could not be written.",
  failure_unreadable_text: "The request had half a character in it.",
  failure_not_cached: "There was no kept answer.",
  failure_stopping: "AI Router was stopping.",
  failure_cancelled: "Whoever asked did not wait.",

  edit_title: "Title",
  edit_spend: "Spending",
  edit_providers: "Providers",
  edit_answers: "Last answers",
  edit_max_providers: "Providers at first",
  edit_max_providers_help: "The others are one click away. Those that need attention come first.",
  edit_max_answers: "Answers",
};

export type TextKey = keyof typeof en;
type Values = Record<string, string>;

const dictionaries: Record<string, Partial<Record<TextKey, string>>> = { en };

function lookUp(language: string, key: TextKey): string {
  const [base = "en"] = language.split("-");
  return dictionaries[language]?.[key] ?? dictionaries[base]?.[key] ?? en[key];
}

/** A text in a language; values take the place of `{name}`. */
export function textIn(language: string, key: TextKey, values: Values = {}): string {
  return lookUp(language, key).replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}

export function text(hass: HomeAssistant, key: TextKey, values?: Values): string {
  return textIn(hass.language, key, values);
}

/** A text with a number in it, in the form that the language wants for that number. */
export function counted(hass: HomeAssistant, key: "requests" | "need_attention", count: number, shown: string): string {
  const form = new Intl.PluralRules(hass.language).select(count) === "one" ? "one" : "other";
  return text(hass, `${key}_${form}`, { count: shown });
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

const SENSORS = "component.ai_router.entity.sensor";

export function healthName(hass: HomeAssistant, health: string): string {
  return hass.localize(`${SENSORS}.health.state.${health}`) || readable(health);
}

export function reasonName(hass: HomeAssistant, reason: string): string {
  return hass.localize(`${SENSORS}.health.state_attributes.reason.state.${reason}`) || readable(reason);
}

export function breakerName(hass: HomeAssistant, breaker: string): string {
  return hass.localize(`${SENSORS}.breaker.state.${breaker}`) || readable(breaker);
}
