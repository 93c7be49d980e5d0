// Types of client.js, the browser's end of a gale hub.
//
//   import { Hub } from "/hub/client.js";
//
//   const hub = new Hub("/hub", { token: () => fetch("/token").then((r) => r.text()) });
//   hub.onstate = (state) => console.log(state, hub.transport);
//   const room = hub.subscribe("room", { last: 50, onmessage: (m) => show(m), ongap: () => reload() });
//   await hub.publish("room", { text: "hello" });
//
// All channels of a Hub share one connection. It begins with the first subscription
// or publication, comes back by itself, and changes its transport when one does not
// work. Whatever happens to it, a subscription gets each message of the channel once
// and in order, or is told that there is a gap.

/** How messages get here, the best first. */
export type Transport = "websocket" | "sse" | "poll";

/**
 * - `idle`: nothing was asked for yet.
 * - `connecting`
 * - `online`
 * - `waiting`: the connection was lost (`error`), the next comes at `retryAt`.
 * - `failed`: the server does not want this client (`error`); only `reconnect` goes on.
 * - `closed`: by `close`, for good.
 */
export type State = "idle" | "connecting" | "online" | "waiting" | "failed" | "closed";

/** A place in a channel: behind the message with this offset. `{ epoch: "", offset: 0 }` is before everything. */
export interface Position {
  epoch: string;
  offset: number;
}

export interface Message extends Position {
  channel: string;
  /** Of the publication, in milliseconds since 1970 by the server's clock. */
  time: number;
  /** The user who published it; not there for the server's own. */
  from?: string;
  key?: string;
  tags?: Record<string, string>;
  /** The payload, if it is JSON. */
  data?: any;
  /** The payload, if it is text and no JSON. */
  text?: string;
  /** The payload, if it is neither. */
  bytes?: Uint8Array;
  /** As it came, for `bytes`. */
  base64?: string;
}

/** Messages between two places are lost: more than the server keeps, or it has begun anew. */
export interface Gap {
  channel: string;
  from: Position;
  to: Position;
  /** How many, of which `tags` may have let none pass; -1 if nobody knows. */
  missing: number;
}

export interface Member {
  client: string;
  user: string;
  info?: any;
}

export interface PresenceChange extends Member {
  type: "joined" | "left";
  channel: string;
}

export interface Receipt extends Position {
  /** It was there before, by its key. */
  duplicate?: boolean;
}

/** The codes are those of the server (see PROTOCOL.md), and of its own: lost, timeout, closed, not_available. */
export class HubError extends Error {
  constructor(error: { code: string; text?: string; retry?: number; retry_ms?: number; channel?: string });
  code: string;
  /** Milliseconds until there is use in trying again; 0 if nobody knows. */
  retry: number;
  channel?: string;
}

export interface Options {
  /** Who we are, or what asks for it; called again whenever a token is refused or about to expire. */
  token?: string | (() => string | Promise<string>);
  /** Those to be used, the best first. Default: all. */
  transports?: Transport[];
  /** Bounds in milliseconds of the random wait before the first try to come back, doubled each time, and of every wait. Default 1000 and 20,000. */
  firstDelay?: number;
  maxDelay?: number;
  /** Milliseconds, about, until a better transport is tried beside a lesser one, doubled each time up to 5 minutes. Default 10,000. */
  climbDelay?: number;
  /** Milliseconds after which a publication is given up. Default 60,000; the server must remember keys for longer. */
  timeout?: number;
  /** How many publications may wait. Default 1000. */
  maxPending?: number;
  /** Of requests to another origin. Default "same-origin". */
  credentials?: RequestCredentials;
}

export interface SubscribeOptions {
  /** Each message, once and in order. */
  onmessage?: ((message: Message, subscription: Subscription) => void) | null;
  /** Messages before the next one are lost. */
  ongap?: ((gap: Gap, subscription: Subscription) => void) | null;
  /** Somebody has come or gone. Asks for it, too. Only over a WebSocket. */
  onpresence?: ((change: PresenceChange, subscription: Subscription) => void) | null;
  /** The server has confirmed the subscription: also after each reconnect, when changes of presence may have been missed. */
  onsubscribed?: ((subscription: Subscription) => void) | null;
  /** The subscription is over: it was refused, or is no longer granted. */
  onended?: ((error: HubError, subscription: Subscription) => void) | null;
  /** The place of the last message that was seen. What came since follows, or a gap. */
  after?: Position;
  /** Without `after`: begin with so many messages of the history. Default 0. */
  last?: number;
  /** Only messages that have all of these. */
  tags?: Record<string, string>;
  /** Be told who comes and goes. Default: if there is an `onpresence`. */
  presence?: boolean;
  /** Be one of the members. Only over a WebSocket. */
  member?: boolean;
}

/** The handlers may be changed at any time. */
export interface Subscription extends Pick<SubscribeOptions, "onmessage" | "ongap" | "onpresence" | "onsubscribed" | "onended"> {
  readonly channel: string;
  /** Behind what was delivered, to go on from with `after`; null if the server has not said yet. */
  readonly position: Position | null;
  unsubscribe(): void;
}

export class Hub {
  /** `url` is where the hub is mounted. Nothing is connected yet. */
  constructor(url?: string | URL, options?: Options);

  /** The state or the transport has changed. */
  onstate: ((state: State, hub: Hub) => void) | null;
  readonly state: State;
  /** The transport in use; "" when not online. */
  readonly transport: Transport | "";
  /** Our id among clients and our user, over a WebSocket; "" else. */
  readonly client: string;
  readonly user: string;
  /** Why the last connection was lost. */
  readonly error: Error | null;
  /** In milliseconds since 1970, when waiting. */
  readonly retryAt: number;

  /**
   * Subscribes to a channel, which has one subscription at a time, or with a "*" at the
   * end to all that begin so. A pattern has no history: it gets what comes, and a gap after
   * each interruption, and nothing over long-polling.
   */
  subscribe(channel: string, options?: SubscribeOptions): Subscription;

  /**
   * Publishes JSON, or bytes, also while there is no connection. It is sent again until
   * the server has confirmed it, with one key, so that it is published once. Rejected with
   * code "timeout" nobody knows. Publications keep their order unless the server
   * finds them too fast.
   */
  publish(
    channel: string,
    data: unknown | ArrayBuffer | ArrayBufferView,
    options?: { key?: string; ttl?: number; tags?: Record<string, string>; timeout?: number },
  ): Promise<Receipt>;

  /** Who is there. Only over a WebSocket that is open: else rejected with "not_available" or "lost". */
  members(channel: string, options?: { limit?: number }): Promise<{ channel: string; members: Member[]; total: number }>;

  /** What the server keeps of a channel. As `members`. */
  history(
    channel: string,
    options?: { after?: Position; last?: number; limit?: number },
  ): Promise<{ channel: string; messages: Message[]; top: Position; missing: number }>;

  /** Drops the connection and makes another at once, with a new token. */
  reconnect(): void;

  /** Ends everything. What waits to be published is rejected. */
  close(): void;
}
