// Keeps an order's page true: told over the socket, else by asking while it awaits its payment.
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
      // Away for a moment; the next time will do.
    }
  };
  setInterval(ask, 5000);
}
