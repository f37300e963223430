// A row for each provider: health, breaker, how much of its rate is used, latency and cost.
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { formatMoney, formatNumber, formatSeconds } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Provider, WorkingProvider } from "./overview.js";
import { budgetsOver, icon, meter, name, share, visible, type Tone } from "./parts.js";
import { breakerName, counted, healthName, illnessName, text, type TextKey } from "./texts.js";

const HEALTH: Record<string, { symbol: string; tone: Tone; rank: number }> = {
  unhealthy: { symbol: "close-circle", tone: "bad", rank: 0 },
  degraded: { symbol: "alert", tone: "warn", rank: 1 },
  healthy: { symbol: "check-circle", tone: "good", rank: 2 },
};
const WAITING = { symbol: "clock-alert-outline", tone: "warn", rank: 1 } as const;
const DISABLED = { symbol: "minus-circle-outline", tone: "quiet", rank: 3 } as const;
const UNKNOWN = { symbol: "help-circle-outline", tone: "quiet", rank: 2 } as const;

const COLUMNS: TextKey[] = ["latency", "rate", "today", "this_month"];

export interface ProvidersView {
  providers: Provider[];
  currency: string;
  most: number;
  all: boolean;
  toggle: () => void;
  details: (entity: string) => void;
}

export function renderProviders(hass: HomeAssistant, view: ProvidersView): TemplateResult {
  const ranked = view.providers
    .map((provider) => ({ provider, look: look(provider) }))
    .sort((one, other) => one.look.rank - other.look.rank);
  const ill = ranked.filter(({ look }) => look.rank < 2).length;
  const shown = view.all ? ranked : ranked.slice(0, view.most);
  return html`<section class="providers">
    <div class="head">
      <h3>${text(hass, "providers")}</h3>
      <span class="small quiet">
        ${ill ? counted(hass, "need_attention", ill, formatNumber(hass, ill)) : text(hass, "all_well")}
      </span>
    </div>
    <div class="table">
      <div class="columns small quiet" aria-hidden="true">
        ${COLUMNS.map((column) => html`<span>${text(hass, column)}</span>`)}
      </div>
      <ul id="providers" role="list">
        ${repeat(
          shown,
          ({ provider }) => provider.id,
          ({ provider, look }) => html`<li class="row" data-provider=${provider.id}>
            ${icon(look.symbol, look.tone)}
            <div class="who">${title(hass, provider, view)} ${subtitle(hass, provider)}</div>
            ${provider.waiting ? nothing : figures(hass, provider, view.currency)}
          </li>`,
        )}
      </ul>
    </div>
    ${ranked.length > view.most
      ? html`<button class="more" aria-expanded=${view.all} aria-controls="providers" @click=${view.toggle}>
          ${view.all
            ? text(hass, "show_fewer")
            : text(hass, "show_all", { count: formatNumber(hass, ranked.length) })}
        </button>`
      : nothing}
  </section>`;
}

function look(provider: Provider): { symbol: string; tone: Tone; rank: number } {
  if (provider.waiting) return WAITING;
  if (!provider.enabled) return DISABLED;
  return HEALTH[provider.health] ?? UNKNOWN;
}

function title(hass: HomeAssistant, provider: Provider, view: ProvidersView): TemplateResult {
  const { entity } = provider;
  const local =
    !provider.waiting && provider.local
      ? html`<ha-icon class="quiet local" icon="mdi:home-outline" title=${text(hass, "local")}></ha-icon
          ><span class="hidden">${text(hass, "local")}</span>`
      : nothing;
  if (!entity) return html`<div class="line">${name(provider.name)}${local}</div>`;
  return html`<div class="line">
    <button
      class="link"
      aria-label=${text(hass, "details_of", { name: visible(provider.name) })}
      @click=${() => view.details(entity)}
    >
      ${name(provider.name)}</button
    >${local}
  </div>`;
}

function subtitle(hass: HomeAssistant, provider: Provider): TemplateResult {
  if (provider.waiting) return html`<div class="small quiet">${text(hass, "waiting")}</div>`;
  const broken = provider.breaker !== "closed";
  const notes = [
    provider.enabled
      ? provider.health === "unknown"
        ? text(hass, "not_used")
        : healthName(hass, provider.health)
      : text(hass, "disabled"),
    ...(provider.reason ? [illnessName(hass, provider.reason)] : []),
    ...(budgetsOver(provider.budgets).length ? [text(hass, "own_budget_used")] : []),
  ];
  return html`<div class="small quiet">
    <span class="hidden">${text(hass, "health")}: </span>${notes.join(" · ")}
    <span class=${broken ? "chip" : "hidden"}>
      ${text(hass, "breaker")}: ${breakerName(hass, provider.breaker)}
    </span>
  </div>`;
}

function figures(hass: HomeAssistant, provider: WorkingProvider, currency: string): TemplateResult {
  const { latency } = provider;
  const figure = (shown: string) => html`<bdi class="number">${shown}</bdi>`;
  const value = (look: string, label: TextKey, shown: unknown) => html`<div class="value ${look}">
    <span class="label small quiet">${text(hass, label)}</span> ${shown}
  </div>`;
  return html`<div class="figures">
    ${value("latency", "latency", figure(latency === null ? "–" : formatSeconds(hass, latency)))}
    ${value("rate", "rate", rates(hass, provider))}
    ${value("today", "today", figure(formatMoney(hass, provider.today, currency)))}
    ${value("month", "this_month", figure(formatMoney(hass, provider.month, currency)))}
  </div>`;
}

/** What the last minute took of each limit there is; without any, how many requests it had. */
function rates(hass: HomeAssistant, provider: WorkingProvider): TemplateResult[] {
  const { requests_per_minute: requests, requests_limit, tokens_per_minute: tokens, tokens_limit } = provider;
  const short: Intl.NumberFormatOptions = { notation: "compact", maximumSignificantDigits: 3 };
  const of = (key: "rate_of" | "tokens_of", used: number, limit: number, options: Intl.NumberFormatOptions = {}) => {
    const values = { used: formatNumber(hass, used, options), limit: formatNumber(hass, limit, options) };
    return html`<bdi class="number">${text(hass, key, values)}</bdi>${meter(hass, text(hass, "rate"), share(used, limit))}`;
  };
  const limited = [
    ...(requests_limit === null ? [] : [of("rate_of", requests, requests_limit)]),
    ...(tokens_limit === null ? [] : [of("tokens_of", tokens, tokens_limit, short)]),
  ];
  return limited.length ? limited : [html`<bdi class="number">${formatNumber(hass, requests)}</bdi>`];
}

// Narrow, each figure stands beside its name, two in a line at most; wide, they are columns that are as wide as what is in them.
export const providersStyles = css`
  .providers .row {
    display: grid;
    grid-template-columns: 18px minmax(0, 1fr);
    gap: 2px var(--ha-space-3, 12px);
    align-items: start;
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .providers .head {
    padding-bottom: var(--ha-space-1, 4px);
  }
  .columns {
    display: none;
  }
  .who,
  .figures {
    grid-column: 2;
    min-width: 0;
  }
  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(max(110px, 34%), 100%), 1fr));
    gap: 2px var(--ha-space-3, 12px);
  }
  .who {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 var(--ha-space-2, 8px);
  }
  .line {
    display: flex;
    align-items: center;
    gap: var(--ha-space-1, 4px);
    min-width: 0;
  }
  .line .local {
    --mdc-icon-size: 14px;
  }
  .link {
    display: flex;
    min-width: 0;
    max-width: 100%;
    padding: 0;
    border-radius: var(--ha-border-radius-sm, 4px);
    color: inherit;
    font-weight: var(--strong);
    text-align: start;
  }
  .link:hover {
    background: none;
    text-decoration: underline;
  }
  .chip {
    display: inline-block;
    padding: 0 var(--ha-space-2, 8px);
    border-radius: var(--ha-border-radius-pill, 9999px);
    background: color-mix(in srgb, var(--bad) 15%, transparent);
    color: var(--primary-text-color);
  }
  .value {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    justify-content: space-between;
    gap: 0 var(--ha-space-1, 4px);
    min-width: 0;
  }
  .value .meter {
    flex: 0 0 100%;
    height: 3px;
    margin-top: 2px;
  }
  .more {
    display: block;
    width: 100%;
  }
  @container card (min-width: 424px) {
    .table {
      display: grid;
      grid-template-columns: 18px minmax(96px, 1fr) repeat(4, auto);
      column-gap: var(--ha-space-3, 12px);
    }
    .columns,
    .table ul,
    .providers .row {
      display: grid;
      grid-column: 1 / -1;
      grid-template-columns: subgrid;
    }
    .columns {
      padding-bottom: var(--ha-space-1, 4px);
      text-align: end;
    }
    .columns > :first-child {
      grid-column: 3;
    }
    .who {
      display: block;
    }
    .figures {
      display: contents;
    }
    .value {
      display: block;
      text-align: end;
    }
    .value .label {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
`;
