// The rule is applied as the page showed it; where so much would go that the number has to be typed, it is asked for.
import { _, postCounted, toast } from "./app.js";

const form = document.getElementById("rule");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.hasAttribute("aria-busy")) return;
  form.setAttribute("aria-busy", "true");
  try {
    const { typed_count: typed, count, ...fields } = Object.fromEntries(new FormData(form));
    const reply = await postCounted("/api/groups/rule", { ...fields, count: Number(count) });
    if (!reply) toast(_("Nothing was moved. What is to go waits under Review."));
    else if (reply.refused.length) toast(`${reply.sentence} ${reply.refused[0].message}`, { title: _("Groups"), run: () => location.assign(reply.next) });
    else location.assign(reply.next);
  } catch (error) {
    toast(error.message);
  } finally {
    form.removeAttribute("aria-busy");
  }
});
