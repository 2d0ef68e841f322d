// The AI Buddy's window.
//
// Text from the server is inserted as text, never as HTML. Whether the window is open is stored for the tab; the
// server stores the conversation.

import { live, showCount, signedIn } from "./live.js";
import { card, linked, speak } from "./chat-parts.js";

const ANSWER_WITHIN_MS = 40_000;
const OPEN_KEY = "chat-open";
/** Screens on which the window covers the page. */
const NARROW = "(max-width: 48rem)";
const UNKNOWN = "Something went wrong. Please ask again.";
/** The messages for the server's error codes. */
const ERRORS = {
  busy: "Please wait until your earlier messages are answered.",
  rate_limited: "That was a lot at once. Please wait a moment and ask again.",
  unavailable: "The chat is not available now. Please try again in a moment.",
  interrupted: "This answer was interrupted. Please ask again.",
  message_too_long: "That message is too long. Please say it in fewer words.",
};

const part = (name) => document.getElementById(`chat-${name}`);
const chat = document.getElementById("chat");
const [opener, log, form, text, notice, status] = ["open", "log", "form", "text", "notice", "status"].map(part);

let turn = null; // the reply that is being written
let shown = false; // whether the stored conversation is shown
let opened = false; // whether the window was ever opened on this page
let over = false; // whether the user is logged out

function open(focus = true) {
  chat.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  sessionStorage.setItem(OPEN_KEY, "1");
  opened = true;
  if (signedIn() && !shown) remember();
  if (focus) (signedIn() ? text : part("close")).focus();
}

function close() {
  chat.hidden = true;
  opener.setAttribute("aria-expanded", "false");
  sessionStorage.removeItem(OPEN_KEY);
  // The button may be in the page's header.
  opener.focus({ preventScroll: true });
}

/** Shows the earlier messages. */
async function remember() {
  shown = true;
  try {
    const newest = await get("/api/ai/conversations?limit=1");
    if (newest.length === 0) return greet();
    const kept = await get(`/api/ai/conversations/${newest[0]._id}`);
    const lines = document.createDocumentFragment();
    for (const line of kept.messages) {
      lines.append(speak(line.role, line.text));
      if (line.products?.length) lines.append(await cards(line.products));
    }
    log.prepend(lines);
    down();
  } catch {
    // The chat itself works; earlier messages are shown at the next opening.
    shown = false;
  }
}

function greet() {
  log.append(speak("assistant", log.dataset.greeting));
}

async function cards(products) {
  const found = await Promise.all(
    products.slice(0, 8).map((product) =>
      typeof product === "string" ? get(`/api/products/${product}`).catch(() => null) : product,
    ),
  );
  const list = document.createElement("ul");
  list.className = "chat-cards";
  list.append(...found.filter(Boolean).map(card));
  return list;
}

async function get(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (answer.status === 401) end();
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
  return answer.json();
}

function say(words) {
  const message = words.trim();
  if (!message || turn || over) return;
  if (!live.send("message", message)) return offline(true);
  text.value = "";
  asked(message);
}

/** Shows the user's message and waits for the reply. */
function asked(message) {
  log.append(speak("user", message));
  clearTimeout(turn?.timer);
  const timer = setTimeout(() => finish("No answer came. Please ask again."), ANSWER_WITHIN_MS);
  turn = { reply: turn?.reply ?? null, timer };
  log.setAttribute("aria-busy", "true");
  tell("Thinking…");
  down();
}

/** The user is logged out, here or in another tab. */
function end() {
  if (over) return;
  over = true;
  if (turn) finish("This answer was not finished.");
  notice.hidden = true;
  form.hidden = true;
  chat.querySelector(".chat-suggestions").hidden = true;
  part("new").hidden = true;
  part("ended").hidden = false;
}

/** Whether arriving events are shown: a conversation that is not shown yet is loaded completely later. */
const follows = () => opened;

/** The bubble of the reply, created with its first piece. */
function reply() {
  // Another tab of the same user may have sent the message.
  turn ??= { reply: null, timer: 0 };
  if (!turn.reply) {
    turn.reply = speak("assistant", "");
    log.append(turn.reply);
  }
  return turn.reply;
}

function finish(words) {
  const bubble = reply().querySelector("p");
  bubble.replaceChildren(...linked(words));
  clearTimeout(turn.timer);
  turn = null;
  log.removeAttribute("aria-busy");
  tell("");
  down();
}

function tell(words) {
  status.textContent = words;
}

function offline(isOffline) {
  notice.hidden = !isOffline || over;
  form.querySelector("button").disabled = isOffline;
}

function down() {
  log.scrollTop = log.scrollHeight;
}

/** Adds one unit to the cart, as the product's page does. */
async function add(button) {
  button.disabled = true;
  try {
    const answer = await fetch("/api/cart/items", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ productId: button.dataset.add, quantity: 1 }),
    });
    const told = await answer.json();
    if (answer.ok) showCount(told.totals.totalQuantity);
    if (answer.status === 401) end();
    tell(answer.ok ? "It is in your cart." : notAdded(told));
    button.textContent = answer.ok ? "Added" : button.textContent;
  } catch {
    tell("That did not reach the shop. Please try again.");
  } finally {
    button.disabled = false;
  }
}

/** Why a product was not added. */
function notAdded({ available, max }) {
  if (over) return "";
  if (Number.isInteger(max)) return `At most ${max} of it can be bought in one order.`;
  if (Number.isInteger(available)) return available > 0 ? `Only ${available} of it can be bought now.` : "It is sold out.";
  return "It could not be put into your cart. Please try it on the product's page.";
}

const heard = {
  user_message: ({ text }) => follows() && asked(text),
  ended: end,
  delta: (piece) => {
    if (!follows()) return;
    reply().querySelector("p").append(piece);
    down();
  },
  status: (words) => follows() && tell(words),
  products: async (products) => {
    if (!follows()) return;
    const list = await cards(products);
    log.append(list);
    if (turn?.reply) log.append(turn.reply);
    down();
  },
  cart: (cart) => showCount(cart?.totals?.totalQuantity),
  message: (words) => follows() && finish(words),
  error: (error) => follows() && finish(ERRORS[error?.code] ?? UNKNOWN),
  state: ({ open: isOpen }) => {
    offline(!isOpen);
    if (!isOpen && turn) finish("The connection was lost. Please ask again.");
  },
};

if (chat && opener) {
  for (const [name, hear] of Object.entries(heard)) {
    document.addEventListener(`live:${name}`, ({ detail }) => hear(detail));
  }
  opener.addEventListener("click", () => (chat.hidden ? open() : close()));
  part("close").addEventListener("click", close);
  chat.addEventListener("keydown", (event) => event.key === "Escape" && close());
  chat.addEventListener("click", ({ target }) => {
    const { ask, add: product } = target.dataset;
    if (ask) say(ask);
    if (product) add(target);
  });
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    say(text.value);
  });
  text?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    say(text.value);
  });
  part("new")?.addEventListener("click", () => {
    log.replaceChildren();
    live.turnTo("new");
    shown = true;
    greet();
    text.focus();
  });
  // Where the window covers the page, a link closes it, so that the page is visible.
  chat.addEventListener("click", ({ target }) => {
    if (target.closest("a") && matchMedia(NARROW).matches) sessionStorage.removeItem(OPEN_KEY);
  });
  const covers = matchMedia(NARROW).matches;
  if (covers && !signedIn()) sessionStorage.removeItem(OPEN_KEY);
  if (sessionStorage.getItem(OPEN_KEY)) open(false);
}
