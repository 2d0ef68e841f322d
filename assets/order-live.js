// Keeps an order's page up to date: over the socket, or by polling while its payment is pending.
const place = document.querySelector("[data-order]");
const status = document.querySelector("[data-order] [data-status]");
if (place && status) {
  const id = place.dataset.order;
  const look = (now) => {
    if (now && now !== status.dataset.status) location.reload();
  };
  let live = false;
  document.addEventListener("live:order", (event) => {
    live = true;
    const order = event.detail?.order ?? event.detail;
    if ((order?._id ?? order?.id) === id) look(order.status);
  });
  const ask = async () => {
    if (live || document.hidden || status.dataset.status !== "PENDING") return;
    try {
      const answer = await fetch(`/api/orders/${id}`);
      if (answer.ok) look((await answer.json()).order.status);
    } catch {
      // A temporary error; the next poll will succeed.
    }
  };
  setInterval(ask, 5000);
}
