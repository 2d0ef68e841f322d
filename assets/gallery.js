// Shows another picture of a product in its place. Without this script the thumbnails are links.
const large = document.getElementById("picture");
const thumbs = document.querySelector(".thumbs");
thumbs?.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || !large || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  large.src = link.href;
  for (const other of thumbs.querySelectorAll("a")) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
});
