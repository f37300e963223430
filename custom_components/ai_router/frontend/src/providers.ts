// A row for each provider: health, breaker, how much of its rate is used, latency and cost.
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { formatMoney, formatNumber, formatSeconds } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Provider, WorkingProvider } from "./overview.js";
import { budgetsOver, icon, meter, name, share, type Tone } from "./parts.js";
import { breakerName, counted, healthName, reasonName, text } from "./texts.js";

const HEALTH: Record<string, { symbol: string; tone: Tone; rank: number }> = {
  unhealthy: { symbol: "close-circle", tone: "bad", rank: 0 },
  degraded: { symbol: "alert", tone: "warn", rank: 1 },
  healthy: { symbol: "check-circle", tone: "good", rank: 2 },
};
const WAITING = { symbol: "clock-alert-outline", tone: "warn", rank: 1 } as const;
const DISABLED = { symbol: "minus-circle-outline", tone: "quiet", rank: 3 } as const;
const UNKNOWN = { symbol: "help-circle-outline", tone: "quiet", rank: 2 } as const;

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
    <div class="row columns small quiet" aria-hidden="true">
      <span></span><span>${text(hass, "latency")}</span><span>${text(hass, "rate")}</span>
      <span>${text(hass, "today")}</span><span>${text(hass, "this_month")}</span>
    </div>
    <ul id="providers">
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
      aria-label=${text(hass, "details_of", { name: provider.name })}
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
    ...(provider.reason ? [reasonName(hass, provider.reason)] : []),
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
  const { latency, requests_per_minute: used, requests_limit: limit } = provider;
  const count = formatNumber(hass, used);
  const rate = limit === null ? count : text(hass, "rate_of", { used: count, limit: formatNumber(hass, limit) });
  return html`
    <div class="value latency">
      <span class="hidden">${text(hass, "latency")}</span>
      <span class="number">${latency === null ? "–" : formatSeconds(hass, latency)}</span>
    </div>
    <div class="value rate">
      <span class="hidden">${text(hass, "rate")}</span>
      <span class="number">${rate}</span>
      ${limit === null ? nothing : meter(hass, text(hass, "rate"), share(used, limit))}
    </div>
    <div class="value today">
      <span class="hidden">${text(hass, "today")}</span>
      <span class="number">${formatMoney(hass, provider.today, currency)}</span>
    </div>
    <div class="value month">
      <span class="hidden">${text(hass, "this_month")}</span>
      <span class="number">${formatMoney(hass, provider.month, currency)}</span>
    </div>
  `;
}

export const providersStyles = css`
  .providers .row {
    display: grid;
    grid-template-columns: 18px repeat(4, minmax(0, 1fr));
    gap: 2px var(--ha-space-3, 12px);
    align-items: start;
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .providers .columns {
    border: none;
    padding: var(--ha-space-1, 4px) 0;
  }
  .columns > * {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .columns > :first-child {
    grid-column: 1;
  }
  .who {
    grid-column: 2 / -1;
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 var(--ha-space-2, 8px);
    min-width: 0;
  }
  .row > .value.latency {
    grid-column: 2;
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
  .name {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    min-width: 0;
  }
  .link {
    display: block;
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
    min-width: 0;
  }
  .value .meter {
    height: 3px;
    margin-top: 2px;
  }
  .more {
    display: block;
    width: 100%;
  }
  @container card (min-width: 440px) {
    .providers .row {
      grid-template-columns: 18px minmax(0, 1fr) 60px 66px 62px 72px;
    }
    .columns,
    .value {
      text-align: end;
    }
    .columns > :first-child {
      grid-column: 1 / 3;
    }
    .who {
      grid-column: 2;
      display: block;
    }
    .row > .value.latency {
      grid-column: 3;
    }
  }
`;
