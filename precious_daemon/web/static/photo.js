// One photo on its page: to the next by arrow or swipe, closer by a press, and I hides what is said about it.
import { keys } from "./app.js";
import { isZoomed, zoomed } from "./zoom.js";

const ground = document.querySelector(".ground");
const picture = ground.querySelector("img");
const beside = (rel) => ground.querySelector(`[rel=${rel}]`);

/** The neighbour takes this page's place, so that Back leads to where the first one was found. */
function go(link) {
  if (link) location.replace(link.href);
}

ground.addEventListener("click", (event) => {
  const link = event.target.closest(".beside");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link);
});

function look() {
  const { full_width, full_height, ...photo } = ground.dataset;
  zoomed([{ ...photo, width: Number(full_width), height: Number(full_height) }]);
}
if (picture) {
  picture.addEventListener("click", look);
  const ahead = beside("next")?.dataset.ahead;
  if (ahead) addEventListener("load", () => Object.assign(new Image(), { src: ahead }));
}

let from = null;
ground.addEventListener("touchstart", (event) => {
  from = event.touches.length === 1 && !isZoomed() ? event.touches[0] : null;
}, { passive: true });
ground.addEventListener("touchend", (event) => {
  const to = event.changedTouches[0];
  if (!from || visualViewport?.scale > 1) return;
  const moved = to.clientX - from.clientX;
  if (Math.abs(moved) > 60 && Math.abs(moved) > 2 * Math.abs(to.clientY - from.clientY)) go(beside(moved > 0 ? "prev" : "next"));
});

keys({
  ArrowLeft: () => go(beside("prev")),
  ArrowRight: () => go(beside("next")),
  " ": () => picture && look(),
  Delete: () => document.querySelector('[action="/api/photos/trash"] button')?.click(),
  i: () => document.querySelector(".photo-page").classList.toggle("alone"),
});
