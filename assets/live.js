// One WebSocket for the page: the chat, the cart's badge and the state of orders.
//
// It is opened for logged-in users, and reopened with growing pauses after it was lost. Received events become DOM
// events `live:NAME` on `document`, with the data as `detail`.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 20_000;

class Live {
  #socket = null;
  #pause = FIRST_PAUSE_MS;
  #timer = 0;
  #conversation = null;
  #refused = false;

  /** Whether the socket is connected. */
  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  start() {
    if (!signedIn()) return;
    addEventListener("online", () => this.#now());
    addEventListener("offline", () => this.#tell("state", { open: false }));
    // A page from the back-forward cache has lost its socket.
    addEventListener("pageshow", (event) => event.persisted && this.#now());
    this.#connect();
  }

  /** Sends an event; false when not connected. */
  send(event, data) {
    if (!this.open) return false;
    this.#socket.send(JSON.stringify({ event, data }));
    return true;
  }

  /** Switches to another conversation: an id, or "new". */
  turnTo(conversation) {
    this.#conversation = conversation;
    this.#now();
  }

  #address() {
    const address = new URL("/ws/chat", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("live", "1");
    if (this.#conversation) address.searchParams.set("conversationId", this.#conversation);
    return address;
  }

  #now() {
    clearTimeout(this.#timer);
    this.#pause = FIRST_PAUSE_MS;
    const old = this.#socket;
    this.#socket = null;
    old?.close();
    this.#connect();
  }

  #connect() {
    const socket = new WebSocket(this.#address());
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#pause = FIRST_PAUSE_MS;
      this.#tell("state", { open: true });
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      const frame = parse(data);
      if (!frame) return;
      if (frame.event === "conversation") this.#conversation = frame.data?.id ?? this.#conversation;
      if (frame.event === "connect_error") return void this.#turnedAway();
      if (frame.event === "error" && frame.data?.code === "unauthenticated") return this.#end();
      this.#tell(frame.event, frame.data);
    });
    socket.addEventListener("close", () => socket === this.#socket && this.#lost());
  }

  #lost() {
    this.#tell("state", { open: false });
    if (this.#refused) return;
    const wait = this.#pause * (0.5 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  /** The user is logged out: retrying would not help. */
  #end() {
    this.#refused = true;
    this.#tell("ended", {});
  }

  /** A connection was refused: permanent when the user is logged out, else it is retried. */
  async #turnedAway() {
    this.#refused = true;
    if (await loggedOut()) return this.#end();
    this.#refused = false;
    // The conversation may be deleted, or belong to the user who was logged in before.
    this.#conversation = null;
    if (!this.open) this.#lost();
  }

  #tell(name, detail) {
    document.dispatchEvent(new CustomEvent(`live:${name}`, { detail }));
  }
}

async function loggedOut() {
  try {
    return (await fetch("/api/auth/me", { headers: { accept: "application/json" } })).status === 401;
  } catch {
    return false;
  }
}

function parse(text) {
  try {
    const frame = JSON.parse(text);
    return typeof frame?.event === "string" ? frame : null;
  } catch {
    return null;
  }
}

/** Whether the page was rendered for a logged-in user. */
export function signedIn() {
  return document.getElementById("chat")?.dataset.signedIn === "true";
}

/** Shows how many units are in the cart. */
export function showCount(count) {
  const badge = document.getElementById("cart-badge");
  if (!badge || !Number.isInteger(count)) return;
  badge.textContent = String(count);
  badge.dataset.count = String(count);
  badge.setAttribute("aria-label", `Units in the cart: ${count}`);
}

document.addEventListener("live:badge", ({ detail }) => showCount(detail?.count));

export const live = new Live();
live.start();
