// The rule is applied as the page showed it; where so much would go that the number has to be typed, it is asked for.
import { postCounted, toast } from "./app.js";

const form = document.getElementById("rule");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.hasAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  try {
    const { typed_count: _, count, ...fields } = Object.fromEntries(new FormData(form));
    const reply = await postCounted("/api/groups/rule", { ...fields, count: Number(count) });
    if (!reply) toast("Nothing was moved. What is to go waits under Review.");
    else if (reply.refused.length) toast(`${reply.sentence} ${reply.refused[0].message}`, { title: "Groups", run: () => location.assign(reply.next) });
    else location.assign(reply.next);
  } catch (error) {
    toast(error.message);
  } finally {
    form.removeAttribute("aria-busy");
  }
});
