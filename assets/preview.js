// Previews the chosen pictures of a form.
for (const input of document.querySelectorAll("input[data-preview]")) {
  const list = document.getElementById(input.dataset.preview);
  const most = Number(input.dataset.most) || 5;
  let urls = [];
  const show = () => {
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = [];
    const files = [...input.files];
    list.replaceChildren(...files.slice(0, most).map((file) => {
      const url = URL.createObjectURL(file);
      urls.push(url);
      const picture = new Image(160, 160);
      picture.className = "frame";
      picture.alt = file.name;
      picture.src = url;
      const item = document.createElement("li");
      item.append(picture);
      return item;
    }));
    list.hidden = files.length === 0;
    input.setCustomValidity(files.length > most ? `Choose at most ${most} pictures.` : "");
    input.reportValidity();
  };
  input.addEventListener("change", show);
  show();
}
