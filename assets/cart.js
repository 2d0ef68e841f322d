// Adds to the cart without leaving the page. Without this the form leads to the cart.
const badge = document.getElementById("cart-badge");
const count = (units) => {
  badge.dataset.count = units;
  badge.textContent = units;
  badge.setAttribute("aria-label", `Units in the cart: ${units}`);
};

// The cart changed elsewhere: in the chat, or in another tab.
document.addEventListener("live:cart", (event) => {
  if (badge && Number.isInteger(event.detail?.count)) count(event.detail.count);
});

for (const form of document.querySelectorAll("form[data-add-to-cart]")) {
  const told = document.createElement("p");
  told.className = "notice";
  told.setAttribute("role", "status");
  told.hidden = true;
  form.after(told);
  const tell = (text, bad) => {
    told.textContent = text;
    told.classList.toggle("bad", bad);
    told.hidden = false;
    if (!bad) {
      const link = document.createElement("a");
      link.href = "/cart";
      link.textContent = "See the cart";
      told.append(" ", link);
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.hasAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    const send = async () => {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams(new FormData(form)),
      });
      return [answer, await answer.json()];
    };
    try {
      let [answer, body] = await send();
      // The first answer brings a cookie. A browser that keeps none gets the same answer again.
      if (body.code === "page.no_cookies") [answer, body] = await send();
      if (answer.ok) {
        count(body.count);
        tell(`${body.message}.`, false);
      } else {
        const text = body.errors?.[0] ? `${body.errors[0].path} ${body.errors[0].msg}` : body.message;
        tell(`${text[0].toUpperCase()}${text.slice(1)}.`, true);
      }
    } catch {
      // Offline, or something in between: the plain way says what is wrong.
      form.submit();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}
