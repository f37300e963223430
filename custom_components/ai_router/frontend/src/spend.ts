// Spending today and this month against the budgets, and where the month is going.
import { css, html, nothing, type TemplateResult } from "lit";
import { formatDayAndTime, formatMoney, formatPercent } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Budget, Spend } from "./overview.js";
import { budgetsOver, icon, meter, overTitle, share } from "./parts.js";
import { text, type TextKey } from "./texts.js";

const TITLES: Record<Budget["window"], TextKey> = {
  day: "today",
  week: "this_week",
  month: "this_month",
  total: "in_all",
};

export function renderSpend(hass: HomeAssistant, spend: Spend): TemplateResult {
  const budget = (window: Budget["window"]) => spend.budgets.find((each) => each.window === window);
  const others = [budget("week"), budget("total")].filter((each) => each !== undefined);
  return html`<section class="spend" aria-label=${text(hass, "edit_spend")}>
    <div class="tiles">
      ${tile(hass, spend, "day", spend.today, budget("day"))}
      ${tile(hass, spend, "month", spend.month, budget("month"))}
      ${others.map((each) => tile(hass, spend, each.window, each.spent, each))}
    </div>
    ${budgetsOver(spend.budgets).map((each) => over(hass, each))}
  </section>`;
}

function tile(
  hass: HomeAssistant,
  { currency, projected }: Spend,
  window: Budget["window"],
  spent: string,
  budget: Budget | undefined,
): TemplateResult {
  const used = budget && share(Number(budget.spent), Number(budget.limit));
  return html`<div class="tile" data-window=${window}>
    <div class="quiet">${text(hass, TITLES[window])}</div>
    <div class="amount number">${formatMoney(hass, spent, currency)}</div>
    ${budget && used !== undefined
      ? html`${meter(hass, text(hass, "budget_used"), used)}
          <div class="small quiet">
            ${text(hass, "of_budget", {
              share: formatPercent(hass, used),
              limit: formatMoney(hass, budget.limit, currency),
            })}
          </div>`
      : html`<div class="small quiet">${text(hass, "no_budget")}</div>`}
    ${window === "month" && Number(projected)
      ? html`<div class="small quiet projection">
          ${text(hass, "projection", { amount: formatMoney(hass, projected, currency) })}
        </div>`
      : nothing}
  </div>`;
}

function over(hass: HomeAssistant, budget: Budget): TemplateResult {
  const what = !budget.hard
    ? text(hass, "over_soft")
    : budget.free_at === null
      ? text(hass, "over_hard")
      : text(hass, "over_hard_until", { when: formatDayAndTime(hass, budget.free_at) });
  return html`<div class="notice ${budget.hard ? "bad" : "warn"}" role="status">
    ${icon("wallet-outline", budget.hard ? "bad" : "warn")}
    <div><strong>${overTitle(hass, budget)}</strong><br />${what}</div>
  </div>`;
}

export const spendStyles = css`
  .tiles {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(120px, 100%), 1fr));
    gap: var(--ha-space-4, 16px);
  }
  .amount {
    font-size: var(--large);
    line-height: 1.3;
    white-space: normal;
    overflow-wrap: anywhere;
  }
  .tile .meter {
    margin: var(--ha-space-1, 4px) 0;
  }
`;
