// The first card: spending, the providers, the last answers.
import { css, html, LitElement, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { answersStyles, renderAnswers } from "./answers.js";
import {
  assertConfig,
  DEFAULT_ANSWERS,
  DEFAULT_PROVIDERS,
  form,
  sections,
  type RouterCardConfig,
  type Section,
} from "./config.js";
import { FeedController } from "./feed.js";
import { formatNumber } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Overview } from "./overview.js";
import { empty } from "./parts.js";
import { providersStyles, renderProviders } from "./providers.js";
import { renderSpend, spendStyles } from "./spend.js";
import { counted, text } from "./texts.js";
import { theme } from "./theme.js";

export class AiRouterCard extends LitElement {
  static override properties = {
    hass: { attribute: false },
    _config: { state: true },
    _all: { state: true },
  };

  declare hass: HomeAssistant | undefined;
  declare _config: RouterCardConfig | undefined;
  declare _all: boolean;
  #feed = new FeedController(this);

  constructor() {
    super();
    this._all = false;
  }

  static getConfigForm() {
    return form();
  }

  static getStubConfig(): Partial<RouterCardConfig> {
    return {};
  }

  setConfig(config: RouterCardConfig): void {
    assertConfig(config);
    this._config = config;
  }

  /** In the masonry view, in steps of about 50 pixels. */
  getCardSize(): number {
    const providers = this._config?.max_providers ?? DEFAULT_PROVIDERS;
    const answers = this._config?.max_answers ?? DEFAULT_ANSWERS;
    const sizes: Record<Section, number> = { spend: 3, providers: 1 + providers, answers: 1 + answers };
    return 1 + sections(this._config).reduce((size, section) => size + sizes[section], 0);
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto", min_rows: 3 };
  }

  protected override render(): TemplateResult | typeof nothing {
    const { hass, _config: config } = this;
    if (!hass || !config) return nothing;
    return html`<ha-card><div class="body">${this.#body(hass, config)}</div></ha-card>`;
  }

  #body(hass: HomeAssistant, config: RouterCardConfig): TemplateResult {
    const state = this.#feed.state;
    switch (state.is) {
      case "loading":
        return html`${this.#head(hass, config)}
          <div class="loading" role="status" aria-busy="true">
            <span class="hidden">${text(hass, "loading")}</span>
            ${sections(config).map(() => html`<div class="bone"></div>`)}
          </div>`;
      case "not_set_up":
        return html`${this.#head(hass, config)}
        ${empty(hass, "not_set_up", "not_set_up_admin", "not_set_up_user", "router-wireless-off")}`;
      case "ready":
        return html`${this.#head(hass, config, state.overview)} ${this.#figures(hass, config, state.overview)}`;
    }
  }

  #head(hass: HomeAssistant, config: RouterCardConfig, overview?: Overview): TemplateResult {
    const activity = overview?.activity;
    const notes: string[] = [];
    if (activity) {
      notes.push(counted(hass, "requests", activity.requests_today, formatNumber(hass, activity.requests_today)));
      if (activity.under_way) notes.push(text(hass, "under_way", { count: formatNumber(hass, activity.under_way) }));
    }
    return html`<div class="head top">
      <h2>${config.title || text(hass, "card_name")}</h2>
      <span class="small quiet">${notes.join(" · ")}</span>
    </div>`;
  }

  #figures(hass: HomeAssistant, config: RouterCardConfig, overview: Overview): TemplateResult {
    const { spend, providers, requests } = overview;
    const shows = (section: Section) => sections(config).includes(section);
    if (!providers.length && (shows("providers") || !requests.length)) {
      return empty(hass, "no_provider", "no_provider_admin", "no_provider_user", "server-plus");
    }
    return html`
      ${spend && shows("spend") ? renderSpend(hass, spend) : nothing}
      ${shows("providers")
        ? renderProviders(hass, {
            providers,
            currency: spend?.currency ?? "USD",
            most: config.max_providers ?? DEFAULT_PROVIDERS,
            all: this._all,
            toggle: () => (this._all = !this._all),
            details: (entityId) => this.#fire("hass-more-info", { entityId }),
          })
        : nothing}
      ${shows("answers") ? renderAnswers(hass, requests, config.max_answers ?? DEFAULT_ANSWERS) : nothing}
    `;
  }

  #fire(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  static override styles: CSSResultGroup = [
    theme,
    spendStyles,
    providersStyles,
    answersStyles,
    css`
      .top {
        margin-bottom: var(--ha-space-3, 12px);
      }
      .bone {
        height: 56px;
        margin-top: var(--ha-space-3, 12px);
        border-radius: var(--ha-border-radius-md, 8px);
        background: var(--line);
        animation: breathe 1.6s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        to {
          opacity: 0.4;
        }
      }
    `,
  ];
}
