// The two pages that ask. An answer is on disk before the next question shows; the pictures of the one after are fetched meanwhile.
import { get, keys, post, toast } from "./app.js";
import { zoomed } from "./zoom.js";

const form = document.getElementById("question");
const kind = form.dataset.kind;
const field = (name) => form.elements.namedItem(name);
const within = field("within")?.value || ""; // the part of the library that is asked about, as in an address
const uids = (asked) => asked.photos.map((photo) => photo.uid);

let shown = {
  question: field("question").value,
  purpose: field("purpose").value,
  photos: [...form.querySelectorAll("input[name=photos]")].map((input) => ({ uid: input.value, ...input.dataset })),
};
let request = field("request").value;
let ahead = null; // the question after this one, its pictures already decoded
let busy = false;

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

async function show(asked) {
  await ready(asked);
  shown = asked;
  request = crypto.randomUUID();
  field("question").value = asked.question;
  field("purpose").value = asked.purpose;
  field("request").value = request;
  const inputs = form.querySelectorAll("input[name=photos]");
  const images = form.querySelectorAll(".picture > :is(img, .no-picture)");
  asked.photos.forEach((photo, place) => {
    inputs[place].value = photo.uid;
    const image = document.createElement("img");
    Object.assign(image, { width: photo.width, height: photo.height, alt: photo.name, src: photo.preview });
    images[place].replaceWith(image);
  });
  const group = form.querySelector("[data-group]");
  if (group) group.textContent = asked.group_size > 1 ? ` · one of ${asked.group_size} alike` : "";
  delete form.dataset.chosen;
  form.querySelector(".pictures").animate?.([{ opacity: 0.3 }, { opacity: 1 }], { duration: 120 });
  lookAhead();
}

/** At 100 %, both of a pair together. */
function look() {
  const titles = shown.photos.length > 1 ? ["Left", "Right"] : ["Photo"];
  const frames = shown.photos.map((photo, place) => ({
    uid: photo.uid,
    content: photo.content,
    width: Number(photo.full_width),
    height: Number(photo.full_height),
    preview: photo.preview,
    title: titles[place],
  }));
  zoomed(frames);
}

function tally(progress) {
  form.querySelector("[data-words]").textContent = kind === "pair" ? progress.pair_words : progress.label_words;
  const meter = form.querySelector("[data-meter]");
  if (kind === "pair") {
    if (progress.votes === progress.reached && progress.votes > 0) toast(`${progress.votes} comparisons. Thank you!`);
    meter.max = progress.ahead - progress.reached;
    meter.value = progress.votes - progress.reached;
  } else {
    meter.max = Math.max(1, progress.train_goal + progress.test_goal);
    meter.value = Math.min(progress.train, progress.train_goal) + Math.min(progress.test, progress.test_goal);
  }
}

async function alone(action) {
  if (busy) return;
  busy = true;
  form.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    delete form.dataset.chosen;
    toast(error.message);
  } finally {
    busy = false;
    form.removeAttribute("aria-busy");
  }
}

const say = (choice) =>
  alone(async () => {
    form.dataset.chosen = choice;
    const { question, purpose } = shown;
    const reply = await post("/api/answer", { question, choice, photos: uids(shown), purpose, request, within });
    tally(reply.progress);
    const next = ahead || reply.next;
    if (!next) return location.reload();
    await show(next);
  });

const undo = () =>
  alone(async () => {
    const asked = await post("/api/undo", { within });
    const same = (asked.question === "pair") === (kind === "pair") && asked.question !== "suggestion";
    if (!same) return location.assign(asked.page);
    tally(asked.progress);
    await show(asked);
    toast("Taken back. Answer it anew.");
  });

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter?.name === "choice") say(event.submitter.value);
});
document.getElementById("undo").addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});

keys(
  kind === "pair"
    ? {
        ArrowLeft: () => say("first"),
        ArrowRight: () => say("second"),
        ArrowDown: () => say("both_delete"),
        x: () => say("both_delete"),
        ArrowUp: () => say("both_keep"),
        c: () => say("both_keep"),
        d: () => say("draw"),
        s: () => say("skip"),
        z: undo,
        Backspace: undo,
        " ": look,
      }
    : {
        ArrowRight: () => say("keep"),
        k: () => say("keep"),
        ArrowLeft: () => say("delete"),
        d: () => say("delete"),
        s: () => say("skip"),
        z: undo,
        Backspace: undo,
        " ": look,
      },
);
form.querySelector("[data-zoom]").addEventListener("click", look);

// --- swiping a single photo: right keeps, left deletes ---
if (kind === "label") {
  const card = form.querySelector(".picture");
  let from = null;
  const far = () => Math.min(140, card.clientWidth / 4);
  const rest = () => {
    from = null;
    card.style.transform = "";
    delete card.dataset.leaning;
  };
  card.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" || !event.isPrimary) return;
    from = event.clientX;
    card.setPointerCapture(event.pointerId);
  });
  card.addEventListener("pointermove", (event) => {
    if (from === null) return;
    const moved = event.clientX - from;
    card.style.transform = `translateX(${moved}px) rotate(${moved / 60}deg)`;
    if (Math.abs(moved) > far()) card.dataset.leaning = moved > 0 ? "keep" : "delete";
    else delete card.dataset.leaning;
  });
  card.addEventListener("pointerup", () => {
    const leaning = card.dataset.leaning;
    rest();
    if (leaning) say(leaning);
  });
  card.addEventListener("pointercancel", rest);
}

lookAhead();
