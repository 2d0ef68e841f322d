// Checkout and payment: one click sends one form, and fields that are not needed are hidden.
for (const form of document.querySelectorAll("form[data-once]")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) return event.preventDefault();
    sent = true;
    // After the browser has added the pressed button's value to the form.
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) button.setAttribute("aria-busy", "true");
    });
  });
  // The back button may restore this page in its last state.
  addEventListener("pageshow", () => {
    sent = false;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-busy");
  });
}

const choices = document.querySelector("[data-addresses]");
const fresh = document.querySelector("[data-new]");
if (choices && fresh) {
  const show = () => {
    fresh.hidden = choices.querySelector(":checked")?.value !== "new";
  };
  choices.addEventListener("change", show);
  show();
}
