// The part of Home Assistant's frontend that the cards use; it publishes no types of its own.

export interface Connection {
  subscribeMessage<Message>(
    listener: (message: Message) => void,
    command: { type: string; language?: string },
    options: { resubscribe: boolean },
  ): Promise<() => Promise<void>>;
  addEventListener(event: "ready" | "disconnected", listener: () => void): void;
  removeEventListener(event: "ready" | "disconnected", listener: () => void): void;
}

export interface Locale {
  language: string;
  number_format: string;
  time_format: string;
  time_zone?: string;
}

export interface HomeAssistant {
  connection: Connection;
  config: { components: string[]; time_zone: string };
  entities: Record<string, { platform?: string }>;
  language: string;
  locale: Locale;
  user?: { is_admin: boolean };
  localize(key: string, values?: Record<string, unknown>): string;
}

export interface CardConfig {
  type: string;
}
