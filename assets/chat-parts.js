// Elements of the chat window: bubbles, links, cards.

const LOCAL = /(?:^|(?<=[\s(]))\/(?:products|orders|cart|checkout)(?:[/?][\w\-./?=&%~]*)?/g;

/** Text, with links only for paths of this shop. */
export function linked(text) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(LOCAL)) {
    const path = found[0].replace(/[.?]+$/, "");
    const link = document.createElement("a");
    link.href = path;
    link.textContent = path.startsWith("/checkout") ? "Go to checkout" : path;
    pieces.push(text.slice(at, found.index), link);
    at = found.index + path.length;
  }
  pieces.push(text.slice(at));
  return pieces;
}

/** A bubble. */
export function speak(by, text) {
  const bubble = document.createElement("div");
  bubble.className = `chat-line chat-${by}`;
  const who = document.createElement("span");
  who.className = "hidden";
  who.textContent = by === "user" ? "You:" : "AI Buddy:";
  const words = document.createElement("p");
  words.append(...linked(text));
  bubble.append(who, words);
  return bubble;
}

/** A product, with a button that adds it to the cart. */
export function card(product) {
  const item = document.createElement("li");
  item.className = "chat-card";
  const link = document.createElement("a");
  link.href = `/products/${encodeURIComponent(product._id)}`;
  const picture = product.images?.[0]?.thumbnail;
  if (picture) {
    const image = document.createElement("img");
    Object.assign(image, { src: picture, alt: "", width: 64, height: 64, loading: "lazy" });
    link.append(image);
  }
  const title = document.createElement("span");
  title.className = "chat-card-title";
  title.textContent = product.title;
  link.append(title);
  const price = document.createElement("span");
  price.className = "chat-card-price";
  price.textContent = money(product.price);
  item.append(link, price);
  if (product.stock > 0) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button-small";
    button.dataset.add = product._id;
    button.textContent = "Add to cart";
    button.setAttribute("aria-label", `Add to cart: ${product.title}`);
    item.append(button);
  } else {
    const gone = document.createElement("span");
    gone.className = "muted";
    gone.textContent = "Out of stock";
    item.append(gone);
  }
  return item;
}

function money({ amount, currency }) {
  const locale = currency === "INR" ? "en-IN" : "en-US";
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount);
}
