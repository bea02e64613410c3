// My answers: take one back without leaving the page, and say what that changed.
import { post, toast } from "./app.js";

document.querySelector(".said")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const row = event.target.closest("li");
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const { sentence } = await post(new URL(event.target.action).pathname);
    row.remove();
    toast(sentence);
  } catch (error) {
    button.disabled = false;
    toast(error.message);
  }
});
