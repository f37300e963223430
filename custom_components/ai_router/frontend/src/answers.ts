// The last requests: who answered, why that one, what was tried before, and for how much.
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { formatMoment, formatMoney, formatNumber, formatPercent, formatSeconds, formatWhen } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Reason, RecentRequest } from "./overview.js";
import { icon, name, visible } from "./parts.js";
import { coded, illnessName, reasonName, text, textWith } from "./texts.js";

export function renderAnswers(hass: HomeAssistant, requests: RecentRequest[], most: number): TemplateResult {
  return html`<section class="answers">
    <div class="head"><h3>${text(hass, hass.user?.is_admin ? "answers" : "own_answers")}</h3></div>
    ${requests.length ? nothing : nothingYet(hass)}
    <ul role="list">
      ${repeat(
        requests.slice(0, most),
        (request) => request.id,
        (request) => answer(hass, request),
      )}
    </ul>
  </section>`;
}

function nothingYet(hass: HomeAssistant): TemplateResult {
  return html`<p class="quiet">
    ${text(hass, "no_answers")}
    ${textWith(hass, "no_answers_hint", { action: html`<code>ai_router.process</code>` })}
  </p>`;
}

function answer(hass: HomeAssistant, request: RecentRequest): TemplateResult {
  const { cost, failure, label } = request;
  return html`<li data-request=${request.id}>
    ${failure ? icon("close-circle", "bad") : icon("check-circle", "good")}
    <div class="what">
      <span class="hidden">${text(hass, failure ? "failed" : "answered")}: </span>
      ${name(label || coded(hass, "source", request.source))}
      <span class="number price">
        <span class="hidden">${text(hass, "cost")}: </span>${formatMoney(hass, cost.amount, cost.currency)}${cost.estimated
          ? html`<span class="small quiet"> ${text(hass, "estimated")}</span>`
          : nothing}
      </span>
    </div>
    <div class="more-of small quiet">
      <span class="who-gave">${failure ? coded(hass, "failure", failure) : giver(hass, request)}</span>
      <time class="number" datetime=${new Date(request.when * 1000).toISOString()} title=${formatMoment(hass, request.when)}
        >${formatWhen(hass, request.when)}</time
      >
    </div>
    ${why(hass, request)}
  </li>`;
}

function giver(hass: HomeAssistant, { provider, model, cached, latency }: RecentRequest): TemplateResult {
  return html`${name(provider ?? "", "strong")} · ${name(model ?? "")} · <bdi class="number">${formatSeconds(hass, latency)}</bdi
    >${cached ? html` · ${text(hass, "cached")}` : nothing}`;
}

function why(hass: HomeAssistant, { failure, pool, reasons, rule, tried }: RecentRequest): TemplateResult | typeof nothing {
  const before = failure ? "tried_last" : "tried";
  // Of a provider with several models the same may be said of each: once is enough.
  const failed = new Map(tried.map((each) => [`${each.failure} ${each.provider}`, each]));
  const said = [
    ...(rule === null ? [] : [textWith(hass, "rule", { name: name(rule) })]),
    ...(pool === null ? [] : [textWith(hass, "pool", { name: name(pool) })]),
    ...(reasons.length ? [text(hass, "why", { reason: reasons.map((each) => reason(hass, each)).join(", ") })] : []),
    ...[...failed.values()].map((each) =>
      textWith(hass, before, { provider: name(each.provider), failure: illnessName(hass, each.failure ?? "unknown") }),
    ),
  ];
  if (!said.length) return nothing;
  return html`<div class="why small quiet">${said.map((each) => html`<span>${each}</span>`)}</div>`;
}

function reason(hass: HomeAssistant, told: Reason): string {
  if (typeof told === "string") return visible(told);
  const { because, number, share, seconds, price } = told;
  return reasonName(hass, because, {
    number: number === null ? "" : formatNumber(hass, number),
    share: share === null ? "" : formatPercent(hass, share),
    seconds: seconds === null ? "" : formatNumber(hass, seconds, { maximumFractionDigits: 2 }),
    price: price === null ? "" : formatNumber(hass, Number(price), { maximumFractionDigits: 6 }),
  });
}

export const answersStyles = css`
  .answers li {
    display: grid;
    grid-template-columns: 18px minmax(0, 1fr);
    gap: 0 var(--ha-space-3, 12px);
    padding: var(--ha-space-2, 8px) 0;
    border-top: 1px solid var(--line);
  }
  .answers .head {
    padding-bottom: var(--ha-space-1, 4px);
  }
  .answers li > :not(ha-icon) {
    grid-column: 2;
  }
  .answers p {
    padding: var(--ha-space-2, 8px) 0;
  }
  .what,
  .more-of {
    display: flex;
    justify-content: space-between;
    gap: var(--ha-space-3, 12px);
    min-width: 0;
  }
  .what .name {
    font-weight: var(--strong);
  }
  .who-gave,
  .why {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .strong {
    max-width: 60%;
    color: var(--primary-text-color);
  }
  .why > span + span::before {
    content: " · ";
  }
  code {
    font-family: var(--ha-font-family-code, monospace);
  }
`;
