// Submits the code once it has as many digits as the account's longest code. Submits it once only: the
// second time the code would be refused as used. Counts down the time to wait.
"use strict";
const field = document.querySelector("input[data-digits]");
if (field) {
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
}
const wait = document.querySelector("[data-wait]");
if (wait) {
  const end = Date.now() + Number(wait.dataset.wait) * 1000;
  // codes of the app are refused meanwhile; a recovery code is not
  const button = field && field.form.querySelector("button");
  const show = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (button) button.disabled = left > 0;
    if (left > 0) {
      wait.textContent = wait.dataset.text.replace("{}", left);
      setTimeout(show, 1000);
      return;
    }
    wait.setAttribute("role", "status");
    wait.textContent = wait.dataset.over;
  };
  wait.hidden = false;
  show();
}
