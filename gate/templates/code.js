// Submits the code once it has as many digits as the account's longest code. Submits it once only: the
// second time the code would be refused as used.
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
// the user came back by the browser's history
addEventListener("pageshow", () => { sent = false; });
