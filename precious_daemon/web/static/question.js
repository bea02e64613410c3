// The pages that ask. An answer is on disk before the next question shows; the pictures of the one after are fetched meanwhile.
import { _, get, keys, oneAtATime, post, toast } from "./app.js";
import { followFacts, toggleFacts } from "./facts.js";
import { zoomed } from "./zoom.js";

const PLACES = ["first", "second", "third", "fourth"];
const HEADINGS = { single: _("Keep this photo, or delete it?"), pair: _("Which photo is better?"), four: _("Which photo is the best?") };
const CHOICES = {
  pair: [_("The left photo is better"), _("The right photo is better")],
  four: [_("The first photo is the best"), _("The second photo is the best"), _("The third photo is the best"), _("The fourth photo is the best")],
};
const OUTS = {
  pair: [_("Take the left photo out of the ranking"), _("Take the right photo out of the ranking")],
  four: [
    _("Take the first photo out of the ranking"), _("Take the second photo out of the ranking"),
    _("Take the third photo out of the ranking"), _("Take the fourth photo out of the ranking"),
  ],
};
const TITLES = { single: [_("Photo")], pair: [_("Left"), _("Right")], four: [_("First"), _("Second"), _("Third"), _("Fourth")] };

const form = document.getElementById("question");
const kind = form.dataset.kind;
const field = (name) => form.elements.namedItem(name);
const within = field("within").value; // the part of the library that is asked about and how, as in an address
const uids = (asked) => asked.photos.map((photo) => photo.uid);
const ordered = document.getElementById("ordered");

let shown = {
  question: field("question").value,
  purpose: field("purpose").value,
  photos: [...form.querySelectorAll("input[name=photos]")].map((input) => ({ uid: input.value, ...input.dataset })),
};
let request = field("request").value;
let ahead = null; // the question after this one, its pictures already decoded
let order = []; // of the photos put in order so far, by place

const layout = () => (shown.photos.length === 1 ? "single" : shown.photos.length === 2 ? "pair" : "four");

/** Fetch and decode, so that the swap is one frame. A picture that cannot be had is no reason to stop. */
function ready(asked) {
  return Promise.all(
    asked.photos.map((photo) => {
      const image = new Image();
      image.src = photo.preview;
      return image.decode().catch(() => {});
    }),
  );
}

async function lookAhead() {
  const current = shown;
  ahead = null;
  try {
    const { next } = await get(`/api/question?kind=${kind}&exclude=${uids(current)}&${within}`);
    if (!next) return; // nothing else to ask: the answer brings its own question
    await ready(next);
    if (shown === current) ahead = next;
  } catch {
    // the next answer brings its own question
  }
}

// --- showing -------------------------------------------------------------------------------------------------------------

async function show(asked) {
  await ready(asked);
  shown = asked;
  request = crypto.randomUUID();
  field("question").value = asked.question;
  field("purpose").value = asked.purpose;
  const now = layout();
  for (const name of ["single", "pair", "four"]) form.classList.toggle(name, name === now);
  form.classList.toggle("upright", asked.photos.filter((photo) => photo.height > photo.width).length > 2);
  for (const controls of form.querySelectorAll(".controls")) controls.hidden = controls.dataset.for !== now;
  document.querySelector("[data-heading]").textContent = HEADINGS[now];
  form.querySelector(".pictures").replaceChildren(...asked.photos.map((photo, place) => pane(photo, place, now)));
  form.querySelector("[data-group]").textContent = asked.group_size > 1 ? ` · ${_("one of {n} alike", { n: asked.group_size })}` : "";
  delete form.dataset.chosen;
  restart();
  form.querySelector(".pictures").animate?.([{ opacity: 0.3 }, { opacity: 1 }], { duration: 120 });
  field("request").value = request;
  for (const link of form.querySelectorAll("[data-facts]")) link.href = `/facts?photo=${uids(asked).join("&photo=")}`;
  followFacts(uids(asked));
  lookAhead();
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const out = form.querySelector(".out .icon");

function pane(photo, place, now) {
  const image = element("img", { width: photo.width, height: photo.height, alt: photo.name, src: photo.preview });
  const uid = element("input", { type: "hidden", name: "photos", value: photo.uid });
  const marks = [element("p", { className: "place", hidden: true })];
  if (now === "single") {
    const verdicts = ["keep", "delete"].map((verdict) => {
      const word = element("span", { className: `verdict ${verdict}` }, verdict === "keep" ? _("Keep") : _("Delete"));
      word.setAttribute("aria-hidden", "true");
      return word;
    });
    return element("div", { className: "pane" }, element("div", { className: "picture" }, image, ...verdicts), uid, ...marks);
  }
  const button = element("button", { className: "picture", name: "choice", value: PLACES[place] }, image);
  button.setAttribute("aria-label", CHOICES[now][place]);
  const leave = element("button", { className: "out", name: "only", value: photo.uid }, out ? out.cloneNode(true) : "×");
  leave.setAttribute("aria-label", OUTS[now][place]);
  leave.title = OUTS[now][place];
  leave.setAttribute("formaction", "/api/ranking/out");
  return element("div", { className: "pane" }, button, leave, uid, ...marks);
}

function tally(progress) {
  for (const controls of form.querySelectorAll(".controls")) {
    controls.querySelector("[data-words]").textContent = controls.dataset.for === "single" ? progress.label_words : progress.pair_words;
  }
  if (layout() !== "single" && progress.votes === progress.reached && progress.votes > 0) {
    toast(_("{n} comparisons. Thank you!", { n: progress.votes }));
  }
  for (const meter of form.querySelectorAll("[data-meter]")) {
    if (meter.dataset.meter === "pair") {
      meter.max = progress.ahead - progress.reached;
      meter.value = progress.votes - progress.reached;
    } else {
      meter.max = Math.max(1, progress.train_goal + progress.test_goal);
      meter.value = Math.min(progress.train, progress.train_goal) + Math.min(progress.test, progress.test_goal);
    }
  }
}

// --- answering -----------------------------------------------------------------------------------------------------------

const alone = oneAtATime(form, () => {
  delete form.dataset.chosen;
  restart();
});

let forget = () => {}; // what was said of an undo: it ends with the next answer

const say = (choice, photos = uids(shown)) =>
  alone(async () => {
    form.dataset.chosen = choice;
    forget();
    const { question, purpose } = shown;
    const reply = await post("/api/answer", { question, choice, photos, purpose, request, within, kind });
    tally(reply.progress);
    const next = ahead || reply.next;
    if (!next) return location.reload();
    await show(next);
  });

const undo = () =>
  order.length
    ? restart()
    : alone(async () => {
        const asked = await post("/api/undo", { within, kind });
        const here = { single: kind !== "pair", pair: kind !== "label", four: kind !== "label" };
        const shape = asked.photos.length === 1 ? "single" : "pair";
        if (!["pair", "four", "label", "audit"].includes(asked.question) || !here[shape]) return location.assign(asked.page);
        tally(asked.progress);
        await show(asked);
        forget = toast(_("Taken back. Answer it anew."));
      });

const takeOut = (place) =>
  alone(async () => {
    const photo = shown.photos[place];
    if (!photo) return;
    await post("/api/ranking/out", { only: photo.uid });
    const { next } = await get(`/api/question?kind=${kind}&exclude=${uids(shown)}&${within}`);
    if (!next) return location.reload();
    await show(next);
    toast(_("Taken out of the ranking."), {
      title: _("Bring back"),
      run: () => post("/api/ranking/back", { only: photo.uid }).then(() => toast(_("It is back.")), (error) => toast(error.message)),
    });
  });

// --- putting several in order: the best first, one press each --------------------------------------------------------------

function restart() {
  order = [];
  for (const mark of form.querySelectorAll(".place")) mark.hidden = true;
  const ask = form.querySelector("[data-ask]");
  if (ask) ask.textContent = ordered?.checked ? _("The best first, then the next") : _("Which is the best?");
}

function choose(place) {
  if (form.hasAttribute("aria-busy") || place >= shown.photos.length) return;
  if (layout() !== "four" || !ordered?.checked) return say(PLACES[place]);
  if (order.includes(place)) return;
  order.push(place);
  const mark = form.querySelectorAll(".place")[place];
  mark.textContent = order.length;
  mark.hidden = false;
  if (order.length < shown.photos.length - 1) return;
  const last = shown.photos.findIndex((photo, rest) => !order.includes(rest));
  say("order", [...order, last].map((rank) => shown.photos[rank].uid));
}

if (ordered) {
  ordered.checked = localStorage.getItem("put in order") === "yes";
  ordered.addEventListener("change", () => {
    localStorage.setItem("put in order", ordered.checked ? "yes" : "no");
    restart();
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, value } = event.submitter || {};
  if (name === "only") takeOut(shown.photos.findIndex((photo) => photo.uid === value));
  else if (name === "choice") PLACES.includes(value) ? choose(PLACES.indexOf(value)) : say(value);
});
document.getElementById("undo").addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});

// --- keys ----------------------------------------------------------------------------------------------------------------

/** What a key does, by the layout that is shown. */
const by = (actions) => (event) => actions[layout()]?.(event);
const side = (place) => (event) => (event.shiftKey ? takeOut(place) : choose(place));

keys({
  ArrowLeft: by({ pair: side(0), single: () => say("delete") }),
  ArrowRight: by({ pair: side(1), single: () => say("keep") }),
  ArrowDown: by({ pair: () => say("both_delete") }),
  ArrowUp: by({ pair: () => say("both_keep") }),
  x: by({ pair: () => say("both_delete") }),
  c: by({ pair: () => say("both_keep") }),
  d: by({ pair: () => say("draw"), four: () => say("draw"), single: () => say("delete") }),
  k: by({ single: () => say("keep") }),
  o: by({ four: () => ordered.click() }),
  s: () => say("skip"),
  z: undo,
  Backspace: undo,
  " ": look,
  i: () => toggleFacts(form, uids(shown)),
});
form.addEventListener("click", (event) => {
  if (!event.target.closest("[data-facts]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  toggleFacts(form, uids(shown));
});
document.addEventListener("keydown", (event) => {
  const place = ["Digit1", "Digit2", "Digit3", "Digit4"].indexOf(event.code);
  if (place < 0 || event.ctrlKey || event.altKey || event.metaKey || event.repeat || document.querySelector("dialog[open]")) return;
  if (layout() === "single" || event.target.closest("input[type=text], textarea")) return;
  event.preventDefault();
  if (event.shiftKey) takeOut(place);
  else choose(place);
});

// --- looking closely: at 100 %, moved together --------------------------------------------------------------------------------

function look() {
  const titles = TITLES[layout()];
  zoomed(shown.photos.map((photo, place) => ({ ...photo, width: photo.full_width, height: photo.full_height, title: titles[place] })));
}
for (const button of form.querySelectorAll("[data-zoom]")) button.addEventListener("click", look);

// --- swiping a single photo: right keeps, left deletes ---------------------------------------------------------------------

let from = null;
const card = () => form.querySelector(".single .picture");
const rest = () => {
  from = null;
  const one = card();
  if (!one) return;
  one.style.transform = "";
  delete one.dataset.leaning;
};
form.addEventListener("pointerdown", (event) => {
  const one = card();
  if (!one?.contains(event.target) || event.pointerType === "mouse" || !event.isPrimary) return;
  from = event.clientX;
  one.setPointerCapture(event.pointerId);
});
form.addEventListener("pointermove", (event) => {
  const one = card();
  if (from === null || !one) return;
  const moved = event.clientX - from;
  one.style.transform = `translateX(${moved}px) rotate(${moved / 60}deg)`;
  if (Math.abs(moved) > Math.min(140, one.clientWidth / 4)) one.dataset.leaning = moved > 0 ? "keep" : "delete";
  else delete one.dataset.leaning;
});
form.addEventListener("pointerup", () => {
  if (from === null) return;
  const leaning = card()?.dataset.leaning;
  rest();
  if (leaning) say(leaning);
});
form.addEventListener("pointercancel", rest);

restart();
lookAhead();
