// One subscription for all cards of a page, and how a card takes part in it.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Connection, HomeAssistant } from "./home-assistant.js";
import type { Overview } from "./overview.js";

const COMMAND = "ai_router/subscribe";
const DOMAIN = "ai_router";

export type State = { is: "loading" } | { is: "not_set_up" } | { is: "ready"; overview: Overview };

const LOADING: State = { is: "loading" };
const NOT_SET_UP: State = { is: "not_set_up" };

class Feed {
  state: State = LOADING;
  #listeners = new Set<() => void>();
  #known: Partial<Overview> = {};
  #turn = 0;
  #language: string | undefined;
  #failed = false;
  #stop: (() => Promise<void>) | undefined;

  constructor(private readonly connection: Connection) {}

  join(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.connection.addEventListener("ready", this.#begin);
      this.#begin();
    }
    return () => {
      this.#listeners.delete(listener);
      if (!this.#listeners.size) this.#end();
    };
  }

  /** Reasons come in words: another language begins anew. */
  speak(language: string): void {
    if (language === this.#language) return;
    this.#language = language;
    if (!this.#listeners.size) return;
    this.#stop?.().catch(() => undefined);
    this.#begin();
  }

  /** The integration has been loaded only now: what was refused before is worth another try. */
  retry(): void {
    if (this.#failed) this.#begin();
  }

  // Also after each reconnect: Home Assistant may have come back with or without us.
  #begin = (): void => {
    const turn = ++this.#turn;
    this.#known = {};
    this.#failed = false;
    this.#stop = undefined;
    this.connection
      .subscribeMessage<Partial<Overview>>(
        (change) => turn === this.#turn && this.#take(change),
        { type: COMMAND, ...(this.#language ? { language: this.#language } : {}) },
        { resubscribe: false },
      )
      .then(
        (stop) => {
          if (turn === this.#turn) this.#stop = stop;
          else stop().catch(() => undefined);
        },
        () => {
          if (turn !== this.#turn) return;
          this.#failed = true;
          this.#become(NOT_SET_UP);
        },
      );
  };

  #end(): void {
    this.#turn++;
    this.connection.removeEventListener("ready", this.#begin);
    // A connection that is gone has ended the subscription itself.
    this.#stop?.().catch(() => undefined);
    this.#stop = undefined;
    this.state = LOADING;
  }

  #take(change: Partial<Overview>): void {
    this.#known = { ...this.#known, ...change };
    const overview = this.#known as Overview;
    this.#become(overview.set_up ? { is: "ready", overview } : NOT_SET_UP);
  }

  #become(state: State): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

const feeds = new WeakMap<Connection, Feed>();

function feedOf(connection: Connection): Feed {
  let feed = feeds.get(connection);
  if (!feed) feeds.set(connection, (feed = new Feed(connection)));
  return feed;
}

/** Keeps a card in step with the router while it is on the page. */
export class FeedController implements ReactiveController {
  #connection: Connection | undefined;
  #leave: (() => void) | undefined;
  #loaded = false;

  constructor(
    private readonly host: ReactiveControllerHost & { hass: HomeAssistant | undefined; readonly isConnected: boolean },
  ) {
    host.addController(this);
  }

  get state(): State {
    return this.#connection ? feedOf(this.#connection).state : LOADING;
  }

  hostConnected(): void {
    this.hostUpdate();
  }

  hostUpdate(): void {
    const hass = this.host.hass;
    if (!hass || !this.host.isConnected) return;
    feedOf(hass.connection).speak(hass.language);
    if (!this.#leave || this.#connection !== hass.connection) {
      this.#leave?.();
      this.#connection = hass.connection;
      this.#leave = feedOf(hass.connection).join(() => this.host.requestUpdate());
    }
    const loaded = hass.config.components.includes(DOMAIN);
    if (loaded && !this.#loaded) feedOf(hass.connection).retry();
    this.#loaded = loaded;
  }

  hostDisconnected(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}
