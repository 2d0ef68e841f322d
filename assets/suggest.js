// Suggestions under the search field while typing. Without this script the form just searches.
const form = document.querySelector("[data-suggest]");
const field = form?.querySelector("input");
if (field) {
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = "suggestions";
  list.hidden = true;
  const status = document.createElement("p");
  status.className = "hidden";
  status.setAttribute("role", "status");
  form.append(list, status);

  let timer;
  let asked;
  const close = () => {
    list.hidden = true;
  };
  const money = (price) =>
    new Intl.NumberFormat(price.currency === "INR" ? "en-IN" : "en-US", {
      style: "currency",
      currency: price.currency,
    }).format(price.amount);

  const show = (products) => {
    list.replaceChildren(
      ...products.map((product) => {
        const link = document.createElement("a");
        link.href = `/products/${product._id}`;
        if (product.images[0]) {
          const picture = document.createElement("img");
          picture.src = product.images[0].thumbnail;
          picture.alt = "";
          picture.width = picture.height = 40;
          link.append(picture);
        }
        const title = document.createElement("span");
        title.textContent = product.title;
        const price = document.createElement("b");
        price.textContent = money(product.price);
        link.append(title, price);
        const item = document.createElement("li");
        item.append(link);
        return item;
      }),
    );
    list.hidden = products.length === 0;
    status.textContent = products.length ? `${products.length} suggestions, arrow down to reach them` : "";
  };

  const ask = async (words) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await fetch(`/api/products?limit=6&q=${encodeURIComponent(words)}`, { signal: asked.signal });
      if (answer.ok && field.value.trim() === words) show(await answer.json());
    } catch {
      close();
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    const words = field.value.trim();
    if (words.length < 2) return close();
    timer = setTimeout(() => ask(words), 180);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return close();
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const stops = [field, ...list.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement);
    const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (!list.hidden && next) {
      event.preventDefault();
      next.focus();
    }
  });
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget)) close();
  });
}
