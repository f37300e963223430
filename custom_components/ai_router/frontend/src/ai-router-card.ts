// The first card: spending, the providers, the last answers.
import { html, nothing, type CSSResultGroup } from "lit";
import { answersStyles, renderAnswers } from "./answers.js";
import { COMMON, RouterCard } from "./card.js";
import { formatNumber } from "./format.js";
import type { HomeAssistant } from "./home-assistant.js";
import type { Overview } from "./overview.js";
import { empty } from "./parts.js";
import { providersStyles, renderProviders } from "./providers.js";
import { count, flag } from "./settings.js";
import { renderSpend, spendStyles } from "./spend.js";
import { counted, text } from "./texts.js";

const OPTIONS = {
  ...COMMON,
  show_spend: flag("edit_spend"),
  show_providers: flag("edit_providers"),
  show_answers: flag("edit_answers"),
  max_providers: count("edit_max_providers", 6, 100, "edit_max_providers_help"),
  max_answers: count("edit_max_answers", 5, 20),
};

export class AiRouterCard extends RouterCard<typeof OPTIONS> {
  static override readonly type = "ai-router-card";
  static override readonly label = "card_name";
  static override readonly about = "card_description";
  static override readonly options = OPTIONS;
  static override properties = { ...RouterCard.properties, _all: { state: true } };

  declare _all: boolean;
  protected override readonly bones = 3;

  constructor() {
    super();
    this._all = false;
  }

  override getCardSize(): number {
    const { show_spend, show_providers, show_answers, max_providers, max_answers } = this.settings;
    return 1 + (show_spend ? 3 : 0) + (show_providers ? 1 + max_providers : 0) + (show_answers ? 1 + max_answers : 0);
  }

  protected override note(hass: HomeAssistant, { activity }: Overview): string {
    if (!activity) return "";
    const today = counted(hass, "requests", activity.requests_today, formatNumber(hass, activity.requests_today));
    if (!activity.under_way) return today;
    return `${today} · ${text(hass, "under_way", { count: formatNumber(hass, activity.under_way) })}`;
  }

  protected override show(hass: HomeAssistant, { spend, providers, requests }: Overview): unknown {
    const { show_spend, show_providers, show_answers, max_providers, max_answers } = this.settings;
    if (!show_spend && !show_providers && !show_answers) return html`<p class="quiet">${text(hass, "nothing_shown")}</p>`;
    if (!providers.length && (show_providers || !requests.length)) {
      return empty(hass, "no_provider", "no_provider_admin", "no_provider_user", "server-plus");
    }
    return html`
      ${spend && show_spend ? renderSpend(hass, spend) : nothing}
      ${show_providers
        ? renderProviders(hass, {
            providers,
            currency: spend?.currency ?? "USD",
            most: max_providers,
            all: this._all,
            toggle: () => (this._all = !this._all),
            details: (entityId) => this.fire("hass-more-info", { entityId }),
          })
        : nothing}
      ${show_answers ? renderAnswers(hass, requests, max_answers) : nothing}
    `;
  }

  static override styles: CSSResultGroup = [RouterCard.styles, spendStyles, providersStyles, answersStyles];
}
