// Copies a value that the page shows; and copies, downloads or prints recovery codes. Every such button is hidden
// without a script. What was kept ticks the box "saved"; if that fails, the box is left to the user.
"use strict";
const lines = (elements) => Array.from(elements, (element) => element.textContent.trim()).join("\n");
const codes = () => lines(document.querySelectorAll(".codes code")) + "\n";
const ways = {
  copy: () => navigator.clipboard.writeText(codes()),
  download: async (bar) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([codes()], { type: "text/plain" }));
    link.download = bar.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 0);
  },
  print: async () => print(),
};
const done = (button) => {
  if (button.dataset.done) button.textContent = button.dataset.done;
};
const bar = document.querySelector(".keep");
if (bar) {
  bar.hidden = false;
  bar.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-keep]");
    if (!button) return;
    try {
      await ways[button.dataset.keep](bar);
    } catch {
      return;
    }
    done(button);
    const saved = document.querySelector("input[name=saved]");
    if (saved) saved.checked = true;
  });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    } catch {
      return;
    }
    done(button);
  });
}
