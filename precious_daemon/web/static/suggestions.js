// Reviewing with keys and without reloading. Whatever is decided here can be undone from the message that follows.
import { _, _n, filesize, keys, oneAtATime, post, postCounted, toast } from "./app.js";
import { followFacts, toggleFacts } from "./facts.js";

const form = document.getElementById("review");
if (form) {
  const cards = () => [...form.querySelectorAll(".candidate")];
  const boxes = () => [...form.querySelectorAll("input[name=uids]")];
  const ticked = () => boxes().filter((box) => box.checked).map((box) => box.value);
  const byUid = (uid) => form.querySelector(`.candidate[data-uid="${CSS.escape(uid)}"]`);
  const bar = form.querySelector(".bulk");
  let current = null;
  const photosOf = (card) => [...card.querySelectorAll(".sides a")].map((link) => link.pathname.split("/").pop());
  let undoLast = null;
  const alone = oneAtATime(form);

  function go(card) {
    current?.classList.remove("current");
    current = card;
    if (!card) return;
    card.classList.add("current");
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
    followFacts(photosOf(card));
  }

  function step(by) {
    const all = cards();
    const place = all.indexOf(current);
    go(all[place < 0 ? 0 : Math.min(all.length - 1, Math.max(0, place + by))]);
  }

  function summary() {
    const chosen = ticked();
    const bytes = chosen.reduce((sum, uid) => sum + Number(byUid(uid).dataset.size), 0);
    bar.classList.toggle("active", chosen.length > 0);
    bar.querySelector("[data-selected]").textContent = chosen.length
      ? _n("{n} photo selected, {size}", "{n} photos selected, {size}", chosen.length, { size: filesize(bytes) })
      : _("Tick what you have looked at, then decide for all of it.");
    for (const button of bar.querySelectorAll("[data-approve-selected], [data-dismiss-selected]")) button.disabled = !chosen.length;
  }

  /** Take cards off the page, and give what puts them back in their places. */
  function take(uids) {
    const gone = uids.map(byUid).filter(Boolean);
    const places = gone.map((card) => ({ card, before: card.nextElementSibling }));
    const all = cards();
    const after = gone.includes(current) ? all.slice(all.indexOf(current)).find((card) => !gone.includes(card)) : current;
    for (const card of gone) {
      card.querySelector("input[name=uids]").checked = false;
      card.remove();
    }
    go(after || cards().at(-1) || null);
    summary();
    counted(gone, -1);
    return () => {
      for (const { card, before } of places.reverse()) {
        const list = form.querySelector(".candidates");
        list.insertBefore(card, before?.isConnected ? before : null);
      }
      counted(gone, 1);
      go(gone[0]);
      summary();
    };
  }

  /** What is open changed by these cards: 1 for more, -1 for less. */
  function counted(gone, by) {
    const open = document.querySelector("[data-open]");
    const bytes = document.querySelector("[data-bytes]");
    const badge = document.querySelector(".badge");
    const now = Number(open.dataset.open) + by * gone.length;
    open.dataset.open = now;
    open.textContent = _n("{n} suggestion", "{n} suggestions", now);
    bytes.dataset.bytes = Number(bytes.dataset.bytes) + by * gone.reduce((sum, card) => sum + Number(card.dataset.size), 0);
    bytes.textContent = filesize(Number(bytes.dataset.bytes));
    if (badge) {
      badge.firstChild.data = now < 1000 ? now : "999+";
      badge.hidden = !now;
    }
  }

  function offerUndo(sentence, run) {
    undoLast = async () => {
      undoLast = null;
      await run();
    };
    toast(sentence, { title: _("Undo"), run: () => undoLast && alone(undoLast) });
    if (!cards().length) setTimeout(() => !cards().length && location.reload(), 8000);
  }

  const approve = (uids) =>
    alone(async () => {
      if (!uids.length) return;
      const reply = await postCounted("/api/suggestions/approve", { uids });
      if (!reply) return;
      if (reply.refused.length) {
        toast(`${reply.sentence} ${reply.refused[0].message}`);
        if (reply.moved.length) setTimeout(() => location.reload(), 4000);
        return;
      }
      take(uids);
      offerUndo(reply.sentence, async () => {
        const back = await post("/api/trash/restore", { uids: reply.moved });
        if (back.refused.length) return location.assign("/trash");
        toast(`${back.sentence} ${_("What you put back is not suggested again.")}`);
      });
    });

  const dismiss = (uids) =>
    alone(async () => {
      if (!uids.length) return;
      await post("/api/suggestions/dismiss", { uids });
      const putBack = take(uids);
      offerUndo(_n("It stays.", "{n} photos stay.", uids.length), async () => {
        await post("/api/suggestions/reopen", { uids });
        putBack();
      });
    });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button) return;
    if ("approve" in button.dataset) approve([button.value]);
    else if ("dismiss" in button.dataset) dismiss([button.value]);
    else if ("approveSelected" in button.dataset) approve(ticked());
    else if ("dismissSelected" in button.dataset) dismiss(ticked());
  });
  form.addEventListener("change", summary);
  form.addEventListener("focusin", (event) => {
    const card = event.target.closest(".candidate");
    if (card && card !== current) {
      current?.classList.remove("current");
      current = card;
      card.classList.add("current");
    }
  });

  const all = bar.querySelector("[data-select-all]");
  all.hidden = false;
  all.addEventListener("click", () => {
    const certified = boxes().filter((box) => box.closest(".candidate").dataset.certified === "yes");
    const on = certified.some((box) => !box.checked);
    for (const box of certified) box.checked = on;
    summary();
  });

  keys({
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    d: () => current && approve([current.dataset.uid]),
    k: () => current && dismiss([current.dataset.uid]),
    z: () => undoLast && alone(undoLast),
    i: () => toggleFacts(document.body, current ? photosOf(current) : []),
    " ": () => {
      const box = current?.querySelector("input[name=uids]");
      if (!box) return;
      box.checked = !box.checked;
      summary();
    },
  });
  summary();
}
