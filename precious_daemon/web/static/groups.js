// One group at a time: arrows choose the best, numbers keep more, one key decides. The forms do the same without this.
import { _, _n, keys, oneAtATime, post, postCounted, toast } from "./app.js";
import { followFacts, toggleFacts } from "./facts.js";
import { zoomed } from "./zoom.js";

const form = document.getElementById("group");
const undoForm = document.getElementById("undo");
const frames = form ? [...form.querySelectorAll(".frame")] : [];
const radio = (frame) => frame.querySelector("input[name=best]");
const box = (frame) => frame.querySelector("input[name=stays]");
const best = () => frames.find((frame) => radio(frame).checked);
const values = (name) => [...form.querySelectorAll(`input[name=${name}]`)].map((input) => input.value);
const before = form && best(); // as the page came: another one is worth storing
const alone = oneAtATime(document.body);

/** Show what is chosen: the best large, what stays bright, what goes pale. */
function draw() {
  const chosen = best();
  const large = form.querySelector("[data-large]");
  const image = large.querySelector("img");
  if (image && !image.src.endsWith(chosen.dataset.preview)) {
    image.src = chosen.dataset.preview;
    image.alt = chosen.querySelector("img")?.alt ?? "";
  }
  large.href = chosen.querySelector("[data-look]").href;
  form.querySelector("[data-reason]").textContent = chosen === before ? chosen.dataset.reason : _("your choice");
  form.querySelector("[data-about]").textContent = chosen.dataset.about;
  for (const frame of frames) {
    frame.classList.toggle("chosen", frame === chosen);
    frame.classList.toggle("stays", frame === chosen || box(frame).checked);
  }
  const stays = frames.filter((frame) => frame.classList.contains("stays")).length;
  const going = frames.length - stays;
  const go = stays === 1 ? _n("Keep the best, {n} goes", "Keep the best, {n} go", going) : _n("Keep {stays}, {n} goes", "Keep {stays}, {n} go", going, { stays });
  form.querySelector("[data-keep]").textContent = going ? go : _("All of them stay");
}

function choose(frame) {
  radio(frame).checked = true;
  frame.scrollIntoView({ block: "nearest", inline: "nearest" });
  draw();
  followFacts([frame.dataset.uid]);
}

const step = (by) => choose(frames[Math.min(frames.length - 1, Math.max(0, frames.indexOf(best()) + by))]);

const field = (name) => form.elements.namedItem(name).value;

const said = (deed) => ({
  deed,
  kind: field("kind"),
  tab: field("tab"),
  after: field("after"),
  photos: values("photos"),
  best: best().dataset.uid,
  stays: frames.filter((frame) => box(frame).checked).map((frame) => frame.dataset.uid),
});

const decide = (deed) =>
  alone(async () => {
    const reply = await postCounted("/api/groups/decide", said(deed));
    if (!reply) return toast(_("Nothing was moved. What you chose to let go waits under Review."));
    if (reply.refused.length) return toast(`${reply.sentence} ${reply.refused[0].message}`, { title: _("Next"), run: next });
    location.assign(reply.next);
  });

const address = form?.querySelector("[data-next]").href;
function next() {
  location.assign(address);
}

/** Go on; another best is remembered. */
const pass = () =>
  alone(async () => {
    if (best() !== before) await post("/api/groups/decide", said("choose"));
    next();
  });

const undo = () =>
  alone(async () => {
    if (!undoForm) return;
    const reply = await post("/api/groups/undo", { decision: Number(undoForm.elements.decision.value) });
    if (reply.refused.length) toast(`${reply.sentence} ${reply.refused[0].message}`);
    else location.assign(reply.next);
  });

// --- at 100 %: the best beside another, or all of them, moved together ---

const MOST = 6; // frames looked at together

const shape = (frame) => ({
  uid: frame.dataset.uid,
  content: frame.dataset.content,
  width: Number(frame.dataset.width),
  height: Number(frame.dataset.height),
  preview: frame.dataset.preview,
  title: (frame === best() ? _("Best · ") : "") + _("Frame {n}", { n: frames.indexOf(frame) + 1 }),
});

function look(frame, all = false) {
  const chosen = best();
  const beside = all ? frames.filter((one) => one !== chosen).slice(0, MOST - 1) : frame === chosen ? [] : [frame];
  const onKey = (key, event) => {
    const others = frames.filter((one) => one !== best());
    const next = (by) => look(others[(others.indexOf(frame) + by + others.length) % others.length]);
    if (key === "n" || key === "Tab") next(event.shiftKey ? -1 : 1);
    else if (key === "p") next(-1);
    else if (key === "a") look(frame, !all);
    else if (key === "b" && frame !== chosen) {
      choose(frame);
      look(chosen);
    } else if (key === "k") {
      box(frame).checked = !box(frame).checked;
      draw();
      const n = frames.indexOf(frame) + 1;
      toast(box(frame).checked ? _("Frame {n} stays as well.", { n }) : _("Frame {n} goes.", { n }));
    } else return;
    event.preventDefault();
  };
  zoomed([chosen, ...beside].map(shape), { onKey });
}

if (form) {
  const numbers = frames.slice(0, 9).map((frame, place) => [
    String(place + 1),
    () => {
      box(frame).checked = !box(frame).checked;
      draw();
    },
  ]);
  keys({
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    d: () => decide("keep"),
    Enter: () => decide("keep"),
    k: () => decide("keep_all"),
    s: pass,
    i: () => toggleFacts(form.querySelector("[data-large]").parentElement, [best().dataset.uid]),
    z: undo,
    Backspace: undo,
    " ": () => look(frames.find((frame) => frame !== best())),
    ...Object.fromEntries(numbers),
  });
  form.addEventListener("change", draw);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    decide(event.submitter?.value ?? "keep");
  });
  form.addEventListener("click", (event) => {
    const link = event.target.closest("[data-look], [data-large], [data-next], [data-zoom]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if ("next" in link.dataset) pass();
    else if ("zoom" in link.dataset) look(frames.find((frame) => frame !== best()));
    else look(link.closest(".frame") ?? best());
  });
  draw();
} else {
  keys({ z: undo, Backspace: undo });
}
undoForm?.addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});
