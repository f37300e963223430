// The part of Home Assistant's frontend that the cards use; it publishes no types of its own.

export interface Connection {
  readonly connected: boolean;
  subscribeMessage<Message>(
    listener: (message: Message) => void,
    command: { type: string },
    options: { resubscribe: boolean },
  ): Promise<() => Promise<void>>;
  addEventListener(event: "ready", listener: () => void): void;
  removeEventListener(event: "ready", listener: () => void): void;
}

export interface Locale {
  language: string;
  number_format: string;
  time_format: string;
  time_zone?: string;
}

export interface HomeAssistant {
  connection: Connection;
  config: { components: string[]; state: string; time_zone: string };
  entities: Record<string, { platform?: string }>;
  language: string;
  locale: Locale;
  user?: { is_admin: boolean };
  localize(key: string, values?: Record<string, unknown>): string;
  loadBackendTranslation(category: string, integration: string): Promise<unknown>;
}

export interface CardConfig {
  type: string;
  [option: string]: unknown;
}

/** The page's own `hass`, for what is asked without one: the form and the card picker. */
export function pageHass(): HomeAssistant | undefined {
  return document.querySelector<HTMLElement & { hass?: HomeAssistant }>("home-assistant")?.hass;
}
