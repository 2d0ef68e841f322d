// The AI Buddy's window.
//
// What it shows comes from the server as text and is put in as text. Its place, open or not,
// is kept for the tab; the conversation itself is kept by the server.

import { live, showCount, signedIn } from "./live.js";
import { card, linked, speak } from "./chat-parts.js";

const ANSWER_WITHIN_MS = 40_000;
const OPEN_KEY = "chat-open";

const part = (name) => document.getElementById(`chat-${name}`);
const chat = document.getElementById("chat");
const [opener, log, form, text, notice, status] = ["open", "log", "form", "text", "notice", "status"].map(part);

let turn = null; // the reply that is being written
let shown = false; // whether the kept conversation stands in the log

function open(focus = true) {
  chat.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  sessionStorage.setItem(OPEN_KEY, "1");
  if (signedIn() && !shown) remember();
  if (focus) (signedIn() ? text : part("close")).focus();
}

function close() {
  chat.hidden = true;
  opener.setAttribute("aria-expanded", "false");
  sessionStorage.removeItem(OPEN_KEY);
  opener.focus();
}

/** Shows what was said before. */
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
    // The chat itself works; what was said before is shown at the next opening.
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
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}`);
  return answer.json();
}

function say(words) {
  const message = words.trim();
  if (!message || turn) return;
  if (!live.send("message", message)) return offline(true);
  log.append(speak("user", message));
  text.value = "";
  turn = { reply: null, timer: setTimeout(() => finish("No answer came. Please ask again."), ANSWER_WITHIN_MS) };
  log.setAttribute("aria-busy", "true");
  tell("Thinking…");
  down();
}

/** The bubble of the reply, made with its first word. */
function reply() {
  // Another tab of the same shopper may have asked.
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
  notice.hidden = !isOffline;
  form.querySelector("button").disabled = isOffline;
}

function down() {
  log.scrollTop = log.scrollHeight;
}

/** Puts one unit into the cart, as the product's own page does. */
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
    tell(answer.ok ? "It is in your cart." : told.message);
    button.textContent = answer.ok ? "Added" : button.textContent;
  } catch {
    tell("That did not reach the shop. Please try again.");
  } finally {
    button.disabled = false;
  }
}

const heard = {
  delta: (piece) => {
    reply().querySelector("p").append(piece);
    down();
  },
  status: tell,
  products: async (products) => {
    const list = await cards(products);
    log.append(list);
    if (turn?.reply) log.append(turn.reply);
    down();
  },
  cart: (cart) => showCount(cart?.totals?.totalQuantity),
  message: finish,
  error: (error) => finish(error?.message ?? "Something went wrong. Please ask again."),
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
  if (sessionStorage.getItem(OPEN_KEY)) open(false);
}
