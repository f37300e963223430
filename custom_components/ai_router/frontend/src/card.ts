// What all cards have in common: their options, their part in the feed, and what they show while there is nothing to show.
import { css, html, LitElement, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { FeedController } from "./feed.js";
import type { CardConfig, HomeAssistant } from "./home-assistant.js";
import type { Overview } from "./overview.js";
import { empty, icon, name } from "./parts.js";
import { faults, form, settingsOf, words, type Options, type SettingsOf } from "./settings.js";
import { text, type TextKey } from "./texts.js";
import { theme } from "./theme.js";

/** The options that every card has. */
export const COMMON = { title: words("edit_title") };

export abstract class RouterCard<O extends Options & typeof COMMON> extends LitElement {
  /** Its name in a dashboard's YAML, after `custom:`. */
  static readonly type: string;
  static readonly label: TextKey;
  static readonly about: TextKey;
  static readonly options: Options = COMMON;

  static override properties = {
    hass: { attribute: false },
    _config: { state: true },
  };

  declare hass: HomeAssistant | undefined;
  declare _config: CardConfig | undefined;
  #feed = new FeedController(this);

  static getConfigForm() {
    return form(this.options);
  }

  static getStubConfig(): object {
    return {};
  }

  /** A wrong option does not cost the card: it is named on it, and what is usual holds instead. */
  setConfig(config: CardConfig): void {
    this._config = config;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto", min_rows: 3 };
  }

  /** In the masonry view, in steps of about 50 pixels. */
  abstract getCardSize(): number;

  /** What the card shows of a router that is set up. */
  protected abstract show(hass: HomeAssistant, overview: Overview): unknown;

  /** What stands beside the title. */
  protected note(_hass: HomeAssistant, _overview: Overview): string {
    return "";
  }

  /** How many lines are drawn while it loads. */
  protected readonly bones: number = 1;

  protected get settings(): SettingsOf<O> {
    return settingsOf(this.#options as O, this._config);
  }

  get #options(): Options {
    return (this.constructor as typeof RouterCard).options;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { hass, _config: config } = this;
    if (!hass || !config) return nothing;
    return html`<ha-card
      ><div class="body">${this.#head(hass)} ${this.#wrong(hass, config)} ${this.#state(hass)}</div></ha-card
    >`;
  }

  #head(hass: HomeAssistant): TemplateResult {
    const state = this.#feed.state;
    return html`<div class="head top">
      <h2>${name(this.settings.title || text(hass, (this.constructor as typeof RouterCard).label))}</h2>
      <span class="small quiet">${state.is === "ready" ? this.note(hass, state.overview) : nothing}</span>
    </div>`;
  }

  #wrong(hass: HomeAssistant, config: CardConfig): TemplateResult | typeof nothing {
    const wrong = faults(hass, this.#options, config);
    if (!wrong.length) return nothing;
    return html`<div class="notice bad" role="alert">
      ${icon("alert-circle-outline", "bad")}
      <div><strong>${text(hass, "wrongly_set")}</strong>${wrong.map((each) => html`<br />${each}`)}</div>
    </div>`;
  }

  #state(hass: HomeAssistant): unknown {
    const state = this.#feed.state;
    switch (state.is) {
      case "loading":
        return html`<div class="loading" role="status" aria-busy="true">
          <span class="hidden">${text(hass, "loading")}</span>
          ${Array.from({ length: this.bones }, () => html`<div class="bone"></div>`)}
        </div>`;
      case "not_set_up":
        return empty(hass, "not_set_up", "not_set_up_admin", "not_set_up_user", "router-wireless-off");
      case "refused":
        return empty(hass, "refused", "refused_hint", "refused_hint", "lock-outline");
      case "ready":
        return this.show(hass, state.overview);
    }
  }

  protected fire(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  static override styles: CSSResultGroup = [
    theme,
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
