// Copies, downloads or prints the recovery codes, and then checks the box "saved". If that fails, the box is
// left to the user.
"use strict";
const bar = document.querySelector(".keep");
const text = () => Array.from(document.querySelectorAll(".codes code"), (code) => code.textContent).join("\n") + "\n";
const ways = {
  copy: () => navigator.clipboard.writeText(text()),
  download: async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "text/plain" }));
    link.download = bar.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 0);
  },
  print: async () => print(),
};
bar.hidden = false;
bar.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-keep]");
  if (!button) return;
  try {
    await ways[button.dataset.keep]();
  } catch {
    return;
  }
  if (button.dataset.done) button.textContent = button.dataset.done;
  document.querySelector("input[name=saved]").checked = true;
});
