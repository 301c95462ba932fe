// Submits the code as soon as it is as long as the account's longest, and once only: a second Enter would find it used.
"use strict";
const field = document.querySelector("input[data-digits]");
const form = field.form;
let sent = false;
field.addEventListener("input", () => {
  const digits = field.value.replace(/[\s-]/g, "");
  if (/^[0-9]+$/.test(digits) && digits.length === Number(field.dataset.digits)) form.requestSubmit();
});
form.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
// back to this page by the browser's history
addEventListener("pageshow", () => { sent = false; });
