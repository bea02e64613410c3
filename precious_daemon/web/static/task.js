// Answering a task with keys: each presses its own button, once, and the form goes as it does without scripts.
import { keys } from "./app.js";

let sent = false;
for (const form of document.querySelectorAll("#question, #undo")) {
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
}
const buttons = [...document.querySelectorAll("[data-key]")];
keys(Object.fromEntries(buttons.map((button) => [button.dataset.key, () => button.click()])));
addEventListener("pageshow", () => {
  sent = false; // the browser brought this page back as it was left
});
