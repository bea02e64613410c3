// Putting back without reloading.
import { _, _n, filesize, oneAtATime, post, toast } from "./app.js";

const form = document.getElementById("trash");
if (form) {
  const boxes = () => [...form.querySelectorAll("input[name=uids]")];
  const ticked = () => boxes().filter((box) => box.checked);
  const bar = form.querySelector(".bulk");

  function summary() {
    const bytes = ticked().reduce((sum, box) => sum + Number(box.closest("li").dataset.size), 0);
    bar.classList.toggle("active", ticked().length > 0);
    bar.querySelector("[data-selected]").textContent = ticked().length
      ? _n("{n} photo selected, {size}", "{n} photos selected, {size}", ticked().length, { size: filesize(bytes) })
      : _("Tick photos to put back several at once.");
    bar.querySelector("[data-restore-selected]").disabled = !ticked().length;
  }

  const alone = oneAtATime(form);
  const restore = (uids) =>
    alone(async () => {
      if (!uids.length) return;
      const reply = await post("/api/trash/restore", { uids });
      const first = reply.refused[0];
      toast(first ? `${reply.sentence} ${first.message}` : reply.sentence);
      for (const uid of reply.moved) form.querySelector(`li[data-uid="${CSS.escape(uid)}"]`)?.remove();
      if (!boxes().length) location.reload();
      summary();
    });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button) return;
    restore("restore" in button.dataset ? [button.value] : ticked().map((box) => box.value));
  });
  form.addEventListener("change", summary);
  const all = bar.querySelector("[data-select-all]");
  all.hidden = false;
  all.addEventListener("click", () => {
    const on = boxes().some((box) => !box.checked);
    for (const box of boxes()) box.checked = on;
    summary();
  });
  summary();
}
