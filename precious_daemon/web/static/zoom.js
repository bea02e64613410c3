// Photos side by side at 100 %, moved and magnified together: pixels of the originals, tile by tile, over the preview until they come.

import { _ } from "./app.js";
import { toggleFacts } from "./facts.js";

const TILE = 1024; // pixels of a tile of an original, a side
const LARGEST = 8; // pixels of the screen for one of the photo

let dialog = null;
let panes = []; // {frame, figure, sheet, tiles, caption}
let view = { x: 0.5, y: 0.5, scale: 1 }; // what is in the middle, and pixels of the screen for one of the first photo
let handlers = {};

/**
 * Show frames ({uid, content, width, height, preview, title}) from where `at` ({x, y} in 0..1) is. `onKey` gets keys that are not
 * ours, and may call `zoomed` again. Resolves nothing: the dialog is left with Escape, Space, or its button.
 */
export function zoomed(frames, { onKey = () => {}, at = null } = {}) {
  dialog ??= build();
  handlers = { onKey };
  const first = !dialog.open;
  for (const pane of panes) pane.figure.remove();
  panes = frames.map(pane);
  dialog.classList.toggle("many", frames.length > 2);
  dialog.prepend(...panes.map((one) => one.figure));
  if (first) {
    dialog.showModal();
    dialog.focus();
    view = { x: at?.x ?? 0.5, y: at?.y ?? 0.5, scale: Math.max(1 / devicePixelRatio, Math.min(fit(), 1)) };
  }
  draw();
}

export const isZoomed = () => dialog?.open ?? false;

function build() {
  const made = document.createElement("dialog");
  made.className = "zoom";
  made.id = "zoom";
  made.tabIndex = -1;
  made.setAttribute("aria-label", _("Photos at 100 %: arrows move, plus and minus magnify, F fits, 1 is 100 %, Escape closes"));
  const form = document.createElement("form");
  form.method = "dialog";
  form.append(document.createElement("output"));
  for (const [title, act] of [["100 %", () => to(1 / devicePixelRatio)], [_("Fit"), () => to(fit())], [_("Close"), null]]) {
    const button = document.createElement("button");
    button.className = "small";
    button.textContent = title;
    if (act) {
      button.type = "button";
      button.addEventListener("click", act);
    }
    form.append(button);
  }
  made.append(form);
  document.body.append(made);
  listen(made);
  return made;
}

function pane(frame) {
  const figure = document.createElement("figure");
  const sheet = document.createElement("div");
  sheet.className = "sheet";
  const preview = document.createElement("img");
  Object.assign(preview, { src: frame.preview, alt: frame.title, draggable: false });
  Object.assign(preview.style, { left: "0", top: "0", width: `${frame.width}px`, height: `${frame.height}px` });
  sheet.append(preview);
  sheet.style.width = `${frame.width}px`;
  sheet.style.height = `${frame.height}px`;
  const caption = document.createElement("figcaption");
  caption.textContent = frame.title;
  figure.append(sheet, caption);
  return { frame, figure, sheet, caption, tiles: new Map() };
}

/** The scale at which the first photo is just seen whole. */
function fit() {
  const { frame, figure } = panes[0];
  return Math.min(figure.clientWidth / frame.width, figure.clientHeight / frame.height) || 1;
}

/** The same stretch of each: a smaller copy is magnified as much more. */
const scaleOf = (one) => (view.scale * panes[0].frame.width) / one.frame.width;

let waiting = 0;
function draw() {
  waiting ||= requestAnimationFrame(() => {
    waiting = 0;
    for (const one of panes) drawPane(one);
    if (panes.length) dialog.querySelector("output").textContent = `${Math.round(view.scale * devicePixelRatio * 100)} %`;
  });
}

function drawPane(one) {
  const { frame, figure, sheet } = one;
  const scale = scaleOf(one);
  const left = figure.clientWidth / 2 - view.x * frame.width * scale;
  const top = figure.clientHeight / 2 - view.y * frame.height * scale;
  sheet.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  const bigger = scale / view.scale;
  one.caption.textContent = Math.abs(bigger - 1) < 0.02 ? frame.title : `${frame.title} · ${_("{factor} times as large", { factor: bigger.toFixed(1) })}`;
  if (scale * devicePixelRatio < 0.35 || !frame.content) return; // the preview is as good
  const range = (start, length, whole) => [
    Math.max(0, Math.floor(-start / scale / TILE)),
    Math.min(Math.ceil(whole / TILE) - 1, Math.floor((length - start) / scale / TILE)),
  ];
  const [west, east] = range(left, figure.clientWidth, frame.width);
  const [north, south] = range(top, figure.clientHeight, frame.height);
  for (let row = north; row <= south; row++) {
    for (let column = west; column <= east; column++) tile(one, column, row);
  }
  while (one.tiles.size > 40) {
    const [name, image] = one.tiles.entries().next().value;
    image.remove();
    one.tiles.delete(name);
  }
}

function tile(one, column, row) {
  const name = `${column},${row}`;
  const known = one.tiles.get(name);
  if (known) {
    one.tiles.delete(name); // the longest unseen goes first
    one.tiles.set(name, known);
    return;
  }
  const image = document.createElement("img");
  const { frame } = one;
  const wide = Math.min(TILE, frame.width - column * TILE);
  const high = Math.min(TILE, frame.height - row * TILE);
  Object.assign(image.style, { left: `${column * TILE}px`, top: `${row * TILE}px`, width: `${wide}px`, height: `${high}px` });
  image.alt = "";
  image.draggable = false;
  image.dataset.tile = name;
  image.addEventListener("error", () => {
    image.remove(); // the original is not to be had: the preview is shown, and that is said, once
    if (!one.frame.content) return;
    one.frame.content = "";
    one.frame.title += ` · ${_("the original is not to be had, this is its preview")}`;
    draw();
  });
  image.src = `/full/${frame.uid}/${name}?v=${frame.content}`;
  one.tiles.set(name, image);
  one.sheet.append(image);
}

// --- moving ---

const bound = (value) => Math.min(1, Math.max(0, value));

function pan(dx, dy) {
  const { frame } = panes[0];
  view.x = bound(view.x - dx / view.scale / frame.width);
  view.y = bound(view.y - dy / view.scale / frame.height);
  draw();
}

/** Magnify; what is under the point (dx, dy) off the middle stays there. */
function zoom(factor, dx = 0, dy = 0) {
  const { frame } = panes[0];
  const scale = Math.min(LARGEST / devicePixelRatio, Math.max(fit() / 2, view.scale * factor));
  view.x = bound(view.x + (dx / view.scale - dx / scale) / frame.width);
  view.y = bound(view.y + (dy / view.scale - dy / scale) / frame.height);
  view.scale = scale;
  draw();
}

const to = (scale, dx = 0, dy = 0) => zoom(scale / view.scale, dx, dy);

function offMiddle(event) {
  const box = event.target.closest("figure").getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
}

function listen(made) {
  const pointers = new Map();
  made.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("figure") || event.button) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const here = [event.clientX, event.clientY];
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, here);
    const share = other ? 0.5 : 1;
    pan((here[0] - before[0]) * share, (here[1] - before[1]) * share);
    if (other) {
      const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
      zoom(apart(here) / Math.max(1, apart(before)));
    }
  });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => pointers.delete(event.pointerId));
  made.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.target.closest("figure")) zoom(2 ** (-event.deltaY * (event.deltaMode ? 30 : 1) * 0.0025), ...offMiddle(event));
    },
    { passive: false },
  );
  made.addEventListener("dblclick", (event) => {
    if (!event.target.closest("figure")) return;
    const one = 1 / devicePixelRatio;
    to(Math.abs(view.scale - one) < 0.01 ? fit() : one, ...offMiddle(event));
  });
  made.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the page below has keys of its own
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = 120;
    const acts = {
      ArrowLeft: () => pan(step, 0),
      ArrowRight: () => pan(-step, 0),
      ArrowUp: () => pan(0, step),
      ArrowDown: () => pan(0, -step),
      "+": () => zoom(1.5),
      "=": () => zoom(1.5),
      "-": () => zoom(1 / 1.5),
      f: () => to(fit()),
      i: () => toggleFacts(made, panes.map((one) => one.frame.uid)),
      1: () => to(1 / devicePixelRatio),
      " ": () => made.close(),
    };
    const act = acts[event.key];
    if (event.key === " " && event.target.closest("button")) return;
    if (act) {
      event.preventDefault();
      act();
    } else handlers.onKey(event.key.length === 1 ? event.key.toLowerCase() : event.key, event);
  });
  made.addEventListener("close", () => {
    for (const one of panes) one.figure.remove();
    panes = [];
    toggleFacts(made, []);
  });
  new ResizeObserver(() => panes.length && draw()).observe(made);
}
