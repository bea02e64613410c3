// The rule is applied as the page showed it; where so much would go that the number has to be typed, it is asked for.
import { _, oneAtATime, postCounted, toast } from "./app.js";

const form = document.getElementById("rule");
const apply = async () => {
  const { typed_count: typed, count, ...fields } = Object.fromEntries(new FormData(form));
  const reply = await postCounted("/api/groups/rule", { ...fields, count: Number(count) });
  if (!reply) toast(_("Nothing was moved. What is to go waits under Review."));
  else if (reply.refused.length) toast(`${reply.sentence} ${reply.refused[0].message}`, { title: _("Groups"), run: () => location.assign(reply.next) });
  else location.assign(reply.next);
};
const alone = oneAtATime(form);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  alone(apply);
});
