// Shows moments in the browser's own time zone and language, and how long ago something was as time passes.
"use strict";
const tag = document.documentElement.lang;
// of the page's language, the browser's own variant: it says how a time of day is written
const language = navigator.languages.find((own) => own.split("-")[0] === tag) || tag;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const clock = new Intl.DateTimeFormat(language, { timeStyle: "short" });
const date = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
const dayOf = (at) => Math.round(new Date(at.getFullYear(), at.getMonth(), at.getDate(), 12).getTime() / 86400000);
const calendar = (at, now) => {
  const days = dayOf(at) - dayOf(now);
  return Math.abs(days) > 1 ? date.format(at) : `${relative.format(days, "day")} ${clock.format(at)}`;
};
const ago = (at, now) => {
  const age = Math.max(0, (now - at) / 1000);
  if (age >= 30 * 86400) return calendar(at, now);
  const unit = units.find(([, seconds]) => age >= seconds);
  return unit ? relative.format(-Math.floor(age / unit[1]), unit[0]) : relative.format(0, "second");
};
const show = () => {
  const now = new Date();
  for (const element of document.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.textContent = (element.className === "ago" ? ago : calendar)(at, now);
    element.title = full.format(at);
  }
};
show();
setInterval(show, 60000);
