// Shows times and days in the reader's own time zone. Without JavaScript they stay in UTC.

const day = { day: "numeric", month: "short", year: "numeric" };
const formats = {
  day: new Intl.DateTimeFormat("en-GB", day),
  moment: new Intl.DateTimeFormat("en-GB", { ...day, hour: "2-digit", minute: "2-digit", timeZoneName: "short" }),
};

for (const time of document.querySelectorAll("time[data-local]")) {
  const at = new Date(time.dateTime);
  const format = formats[time.dataset.local];
  if (!format || Number.isNaN(at.getTime())) continue;
  time.title = time.textContent;
  time.textContent = format.format(at);
}
