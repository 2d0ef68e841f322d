// Adds to the cart without leaving the page. Without this script the form leads to the cart.
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
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "status");
  notice.hidden = true;
  form.after(notice);
  const tell = (text, bad) => {
    notice.textContent = text;
    notice.classList.toggle("bad", bad);
    notice.hidden = false;
    if (!bad) {
      const link = document.createElement("a");
      link.href = "/cart";
      link.textContent = "See the cart";
      notice.append(" ", link);
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
      // The first answer brings a cookie. A browser that stores none gets the same answer again.
      if (body.code === "page.no_cookies") [answer, body] = await send();
      if (answer.ok) {
        count(body.count);
        tell(`${body.message}.`, false);
      } else {
        const text = body.errors?.[0] ? `${body.errors[0].path} ${body.errors[0].msg}` : body.message;
        tell(`${text[0].toUpperCase()}${text.slice(1)}.`, true);
      }
    } catch {
      // A network error: submitting the form shows the problem.
      form.submit();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}
