// Opens Razorpay's checkout and sends its result to the shop, which verifies it.
const form = document.getElementById("razorpay");
const problem = document.getElementById("razorpay-problem");
const tell = (text) => {
  problem.textContent = text;
  problem.hidden = false;
};
form?.addEventListener("submit", (event) => {
  if (form.elements.razorpay_signature.value) return;
  event.preventDefault();
  if (!window.Razorpay) return tell("Razorpay could not be reached. Check the connection and reload the page.");
  const { key, order, amount, currency, email, name } = form.dataset;
  const checkout = new window.Razorpay({
    key,
    order_id: order,
    amount,
    currency,
    name: "microBazaar",
    prefill: { email, name },
    handler: (paid) => {
      for (const field of ["razorpay_order_id", "razorpay_payment_id", "razorpay_signature"]) {
        form.elements[field].value = paid[field] ?? "";
      }
      form.submit();
    },
  });
  checkout.on("payment.failed", (failed) => tell(failed.error?.description ?? "The payment failed. Try again."));
  checkout.open();
});
