// One subscription for all cards of a page, and how a card takes part in it.
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Connection, HomeAssistant } from "./home-assistant.js";
import type { Overview } from "./overview.js";
import { askForTexts } from "./texts.js";

const COMMAND = "ai_router/subscribe";
const DOMAIN = "ai_router";
const UNKNOWN_COMMAND = "unknown_command";
const CONNECTION_LOST = 3;
// A dashboard that is drawn anew takes its cards away and puts them back.
const LINGER_MS = 300;

export type State =
  | { is: "loading" }
  | { is: "not_set_up" }
  | { is: "refused" }
  | { is: "ready"; overview: Overview };

const LOADING: State = { is: "loading" };
const NOT_SET_UP: State = { is: "not_set_up" };
const REFUSED: State = { is: "refused" };

class Feed {
  state: State = LOADING;
  #listeners = new Set<() => void>();
  #known: Partial<Overview> = {};
  #follows = false;
  #ending: number | undefined;
  #turn = 0;
  #stop: (() => Promise<void>) | undefined;

  constructor(private readonly connection: Connection) {}

  join(listener: () => void): () => void {
    this.#listeners.add(listener);
    clearTimeout(this.#ending);
    this.connection.addEventListener("ready", this.#again);
    document.addEventListener("visibilitychange", this.follow);
    this.follow();
    return () => {
      this.#listeners.delete(listener);
      if (!this.#listeners.size) this.#ending = window.setTimeout(() => this.#end(), LINGER_MS);
    };
  }

  /** Subscribes where a card looks and somebody may see it, else leaves: a page in the background is sent nothing. */
  readonly follow = (): void => {
    const wanted = this.#listeners.size > 0 && !document.hidden && this.connection.connected;
    if (wanted && !this.#follows) this.#begin();
    if (!wanted && this.#follows) this.#leave();
  };

  // A new connection knows nothing of the old one's subscriptions, and counts their numbers anew.
  readonly #again = (): void => {
    this.#stop = undefined;
    this.#leave();
    this.follow();
  };

  #begin(): void {
    const turn = ++this.#turn;
    this.#follows = true;
    this.#known = {};
    this.connection
      .subscribeMessage<Partial<Overview>>(
        (change) => turn === this.#turn && this.#take(change),
        { type: COMMAND },
        { resubscribe: false },
      )
      .then(
        (stop) => {
          if (turn === this.#turn) this.#stop = stop;
          else stop().catch(() => undefined);
        },
        (error: unknown) => turn === this.#turn && this.#fail((error as { code?: unknown } | undefined)?.code ?? error),
      );
  }

  #leave(): void {
    this.#turn++;
    this.#follows = false;
    // A connection that is gone has ended the subscription itself.
    this.#stop?.().catch(() => undefined);
    this.#stop = undefined;
  }

  #fail(code: unknown): void {
    this.#follows = false;
    // A lost connection comes back, and says so.
    if (code !== CONNECTION_LOST) this.#become(code === UNKNOWN_COMMAND ? NOT_SET_UP : REFUSED);
  }

  #end(): void {
    this.follow();
    this.connection.removeEventListener("ready", this.#again);
    document.removeEventListener("visibilitychange", this.follow);
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
    const state = this.#connection ? feedOf(this.#connection).state : LOADING;
    // While Home Assistant starts, what is not there may still come.
    return state.is === "not_set_up" && this.host.hass?.config.state !== "RUNNING" ? LOADING : state;
  }

  hostConnected(): void {
    this.hostUpdate();
  }

  hostUpdate(): void {
    const hass = this.host.hass;
    if (!hass || !this.host.isConnected) return;
    if (!this.#leave || this.#connection !== hass.connection) {
      this.#leave?.();
      this.#connection = hass.connection;
      this.#leave = feedOf(hass.connection).join(() => this.host.requestUpdate());
    }
    const loaded = hass.config.components.includes(DOMAIN);
    // What was refused before it was loaded is worth another try.
    if (loaded && !this.#loaded) feedOf(hass.connection).follow();
    this.#loaded = loaded;
    if (loaded) askForTexts(hass);
  }

  hostDisconnected(): void {
    this.#leave?.();
    this.#leave = undefined;
  }
}
