// The map: drag, wheel, pinch and keys move over it; what comes into view is fetched tile by tile, and only that is in the page.
import { _, _n, get, keys, post, toast } from "./app.js";

const atlas = document.querySelector(".atlas");
const ground = atlas.querySelector("[data-ground]");
const opened = atlas.querySelector("[data-opened]");
const deepest = Number(atlas.dataset.deepest);
const show = atlas.dataset.show;

const CELLS = 4; // of a tile, a side: each shows one photo
const KEPT_TILES = 400;
const smallest = () => (atlas.clientWidth < 600 ? 34 : 48); // pixels of a cell; it grows to twice that before the next level

const discs = [...document.querySelectorAll("[data-cluster]")].map((item) => ({
  item,
  number: Number(item.dataset.cluster),
  uid: item.dataset.uid,
  x: Number(item.dataset.x),
  y: Number(item.dataset.y),
  radius: Number(item.dataset.radius),
}));
const unit = Number(atlas.dataset.unit); // between photos that lie beside each other, on the map
let view = { x: 0.5, y: 0.5, scale: 600 }; // the middle of the window on the map, and pixels of the map's side
let here = null; // the disc that keys went to

// --- what is known ---

const tiles = new Map(); // name -> spots, the longest unused first
const asked = new Set();

function spotsOf(name) {
  const found = tiles.get(name);
  if (found) {
    tiles.delete(name);
    tiles.set(name, found);
  }
  return found;
}

async function fetchTiles(names) {
  for (const name of names) asked.add(name);
  try {
    const found = await get(`/api/map?show=${show}&tiles=${names}`);
    for (const [name, rows] of Object.entries(found)) tiles.set(name, rows.map(spot));
    while (tiles.size > KEPT_TILES) tiles.delete(tiles.keys().next().value);
  } catch (error) {
    toast(error.message);
    await new Promise((resolve) => setTimeout(resolve, 5000)); // not at once: the service may be gone
  } finally {
    for (const name of names) asked.delete(name);
  }
  draw();
}

const spot = ([uid, content, x, y, cluster, keep]) => ({ uid, content, x, y, cluster, keep });

// --- drawing ---

const shown = new Map(); // uid -> element
const rings = new Map(); // cluster -> element
let waiting = 0;
let timer = 0;

const level = () => Math.min(deepest, Math.max(0, Math.floor(Math.log2(view.scale / CELLS / smallest()))));

function inView(at) {
  const side = 2 ** at;
  const wide = atlas.clientWidth / view.scale / 2;
  const high = atlas.clientHeight / view.scale / 2;
  const clamp = (value) => Math.min(side - 1, Math.max(0, Math.floor(value * side)));
  const found = [];
  for (let row = clamp(view.y - high); row <= clamp(view.y + high); row++) {
    for (let column = clamp(view.x - wide); column <= clamp(view.x + wide); column++) found.push([column, row]);
  }
  return found;
}

/** Photos of a tile; until they are there, those of the tile around it that are. */
function nearestKnown(at, column, row) {
  for (let up = 0; up <= at; up++) {
    const found = spotsOf(`${at - up}.${column >> up}.${row >> up}`);
    if (!found) continue;
    if (!up) return found;
    const side = 2 ** at;
    return found.filter((s) => Math.floor(s.x * side) === column && Math.floor(s.y * side) === row);
  }
  return [];
}

function draw() {
  if (!waiting) waiting = requestAnimationFrame(drawNow);
}

function drawNow() {
  waiting = 0;
  const at = level();
  const wanted = inView(at);
  const side = CELLS * 2 ** at;
  const cell = view.scale / side;
  // from afar a mosaic; at the deepest level each photo lies in its own place
  const own = at === deepest;
  const size = own ? Math.max(12, unit * view.scale * 0.82) : cell - 3;
  const snap = (value) => (own ? value : (Math.floor(value * side) + 0.5) / side);
  const left = atlas.clientWidth / 2 - view.x * view.scale;
  const top = atlas.clientHeight / 2 - view.y * view.scale;
  const used = new Set();
  for (const [column, row] of wanted) {
    for (const one of nearestKnown(at, column, row)) {
      const x = left + snap(one.x) * view.scale;
      const y = top + snap(one.y) * view.scale;
      if (x < -size || y < -size || x > atlas.clientWidth + size || y > atlas.clientHeight + size) continue;
      used.add(one.uid);
      const element = shown.get(one.uid) ?? add(one);
      element.style.width = element.style.height = `${size}px`;
      element.style.transform = `translate(${x - size / 2}px, ${y - size / 2}px)`;
    }
  }
  for (const [uid, element] of shown) {
    if (used.has(uid)) continue;
    element.remove();
    shown.delete(uid);
  }
  drawDiscs(left, top);
  const missing = wanted.map(([column, row]) => `${at}.${column}.${row}`).filter((name) => !tiles.has(name) && !asked.has(name));
  atlas.querySelector("[data-nothing]").hidden = show === "all" || used.size > 0 || missing.length + asked.size > 0;
  atlas.toggleAttribute("data-busy", missing.length > 0 || asked.size > 0);
  clearTimeout(timer);
  if (missing.length) timer = setTimeout(() => fetchTiles(missing.slice(0, 40)), tiles.size ? 50 : 0);
}

function add(one) {
  const element = document.createElement("button");
  element.className = "spot";
  element.dataset.cluster = one.cluster;
  element.dataset.uid = one.uid;
  element.tabIndex = -1;
  if (one.keep !== null) element.dataset.said = one.keep ? "keep" : "delete";
  const cluster = discs.find((disc) => disc.number === one.cluster);
  element.setAttribute("aria-label", cluster?.item.querySelector("[data-title]")?.textContent.trim() || "Photo");
  const image = document.createElement("img");
  Object.assign(image, { src: `/thumb/${one.uid}?v=${one.content}`, alt: "", draggable: false, decoding: "async" });
  element.append(image);
  ground.append(element);
  shown.set(one.uid, element);
  return element;
}

/** A cluster's ground, and its name where there is room for it. */
function drawDiscs(left, top) {
  for (const disc of discs) {
    const radius = disc.radius * view.scale;
    const x = left + disc.x * view.scale;
    const y = top + disc.y * view.scale;
    const seen = radius > 4 && x > -radius && y > -radius && x < atlas.clientWidth + radius && y < atlas.clientHeight + radius;
    let ring = rings.get(disc.number);
    if (!seen) {
      ring?.disc.remove();
      ring?.name.remove();
      rings.delete(disc.number);
      continue;
    }
    if (!ring) {
      ring = { disc: document.createElement("div"), name: document.createElement("button") };
      ring.disc.className = "disc";
      ring.name.className = "small disc-name";
      ring.name.dataset.open = disc.number;
      ground.append(ring.disc, ring.name);
      rings.set(disc.number, ring);
    }
    ring.disc.style.width = ring.disc.style.height = `${2 * radius}px`;
    ring.disc.style.transform = `translate(${x - radius}px, ${y - radius}px)`;
    ring.disc.classList.toggle("here", disc === here);
    const title = disc.item.querySelector("[data-title]");
    ring.name.textContent = title.textContent;
    ring.name.hidden = radius < ("named" in title.dataset ? 20 : 70); // what the owner named is told from afar
    // the name stays in sight while its disc is larger than the window
    const down = Math.min(Math.max(y - radius, 8), y + radius - 40);
    ring.name.style.transform = `translate(calc(${x}px - 50%), ${down}px)`;
  }
}

// --- moving ---

const bound = (value) => Math.min(1, Math.max(0, value));

function whole() {
  const edges = discs.length ? discs : [{ x: 0.5, y: 0.5, radius: 0.5 }];
  const low = (axis) => Math.min(...edges.map((disc) => disc[axis] - disc.radius));
  const high = (axis) => Math.max(...edges.map((disc) => disc[axis] + disc.radius));
  return {
    x: (low("x") + high("x")) / 2,
    y: (low("y") + high("y")) / 2,
    scale: 0.96 * Math.min(atlas.clientWidth / (high("x") - low("x")), atlas.clientHeight / (high("y") - low("y"))),
  };
}

const largest = () => Math.max(whole().scale, 200 / unit); // a photo 160 pixels wide

/** Keep the point under (x, y) of the window where it is. */
function zoom(factor, x = atlas.clientWidth / 2, y = atlas.clientHeight / 2) {
  const scale = Math.min(largest(), Math.max(whole().scale * 0.8, view.scale * factor));
  const dx = x - atlas.clientWidth / 2;
  const dy = y - atlas.clientHeight / 2;
  view.x = bound(view.x + dx / view.scale - dx / scale);
  view.y = bound(view.y + dy / view.scale - dy / scale);
  view.scale = scale;
  draw();
}

function pan(dx, dy) {
  view.x = bound(view.x - dx / view.scale);
  view.y = bound(view.y - dy / view.scale);
  draw();
}

function fly(to) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    view = to;
    return draw();
  }
  const from = view;
  const began = performance.now();
  const step = (now) => {
    const part = Math.min(1, Math.max(0, (now - began) / 300));
    const ease = part * (2 - part);
    const between = (a, b) => a + (b - a) * ease;
    view = { x: between(from.x, to.x), y: between(from.y, to.y), scale: from.scale * (to.scale / from.scale) ** ease };
    draw();
    if (part < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function visit(disc) {
  here = disc;
  const covered = opened.hidden ? 0 : opened.clientHeight; // in the middle of what the opened cluster leaves
  const room = Math.min(atlas.clientWidth, Math.max(120, atlas.clientHeight - covered)) / (2.4 * disc.radius || 1);
  const scale = Math.min(largest(), room);
  fly({ x: disc.x, y: disc.y + covered / 2 / scale, scale });
}

const pointers = new Map();
let moved = 0;

atlas.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".zoomers, .opened") || event.button) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 1) moved = 0;
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const at = [event.clientX, event.clientY];
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
  pointers.set(event.pointerId, at);
  if (moved < 5) return;
  const share = other ? 0.5 : 1; // two fingers: each moves the map by half
  pan((at[0] - before[0]) * share, (at[1] - before[1]) * share);
  if (other) {
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]);
    const box = atlas.getBoundingClientRect();
    zoom(apart(at) / Math.max(1, apart(before)), (at[0] + other[0]) / 2 - box.left, (at[1] + other[1]) / 2 - box.top);
  }
});
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, (event) => pointers.delete(event.pointerId));

atlas.addEventListener(
  "wheel",
  (event) => {
    if (event.target.closest(".opened")) return;
    event.preventDefault();
    const box = atlas.getBoundingClientRect();
    const lines = event.deltaMode ? 30 : 1;
    zoom(2 ** (-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0025)), event.clientX - box.left, event.clientY - box.top);
  },
  { passive: false },
);

// --- one cluster ---

async function open(uid) {
  try {
    const cluster = await get(`/api/clusters/${uid}`);
    opened.dataset.uid = cluster.photos[0]?.uid ?? uid;
    opened.dataset.number = cluster.number;
    opened.querySelector("[data-name]").textContent = cluster.name ?? _("Cluster");
    const said = [
      _n("{n} photo", "{n} photos", cluster.size),
      cluster.kept && _("{n} kept", { n: cluster.kept }),
      cluster.deleted && _("{n} to delete", { n: cluster.deleted }),
      cluster.unanswered && _("{n} not answered", { n: cluster.unanswered }),
    ];
    opened.querySelector("[data-about]").textContent = said.filter(Boolean).join(" · ");
    opened.querySelector("[name=name]").value = cluster.name ?? "";
    opened.querySelector("[data-label]").href = `/cluster/${opened.dataset.uid}`;
    opened.querySelector("[data-strip]").replaceChildren(...cluster.photos.map((photo) => frame(photo, photo.uid === uid)));
    opened.hidden = false;
  } catch (error) {
    toast(error.message);
  }
}

function frame(photo, current) {
  const item = document.createElement("li");
  if (current) item.setAttribute("aria-current", "true");
  const link = document.createElement("a");
  link.href = `/photo/${photo.uid}`;
  const image = document.createElement("img");
  Object.assign(image, { src: photo.thumb, alt: photo.name, loading: "lazy" });
  link.append(image);
  item.append(link);
  return item;
}

function close() {
  opened.hidden = true;
  atlas.focus();
}

opened.querySelector("[data-rename]").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { name } = await post("/api/clusters/name", { photo: opened.dataset.uid, name: event.target.elements.name.value });
    const number = Number(opened.dataset.number);
    const disc = discs.find((one) => one.number === number);
    opened.querySelector("[data-name]").textContent = name || _("Cluster");
    if (disc) {
      const [place, size] = ["[data-title]", "[data-size]"].map((its) => disc.item.querySelector(its));
      place.textContent = name || size.textContent;
      place.toggleAttribute("data-named", name !== "");
      size.hidden = name === "";
    }
    toast(name ? _("It is called {name} now.", { name }) : _("It has no name now."));
    draw();
  } catch (error) {
    toast(error.message);
  }
});

atlas.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) return close();
  if (event.target.closest("[data-closer]")) return zoom(2);
  if (event.target.closest("[data-farther]")) return zoom(0.5);
  if (event.target.closest("[data-whole]")) return fly(whole());
  if (moved >= 5) return;
  const photo = event.target.closest(".spot");
  if (photo) return open(photo.dataset.uid);
  const name = event.target.closest("[data-open]");
  if (name) {
    const disc = discs.find((one) => one.number === Number(name.dataset.open));
    open(disc.uid).then(() => visit(disc));
  }
});

document.querySelector("aside.clusters").addEventListener("click", (event) => {
  const item = event.target.closest("[data-cluster]");
  if (!item || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const disc = discs.find((one) => one.item === item);
  atlas.scrollIntoView({ block: "nearest" });
  open(disc.uid).then(() => visit(disc));
});

const next = (by) => visit(discs[(discs.indexOf(here) + by + discs.length) % discs.length] ?? discs[0]);
const step = () => Math.min(atlas.clientWidth, atlas.clientHeight) / 5;
keys({
  ArrowLeft: () => pan(step(), 0),
  ArrowRight: () => pan(-step(), 0),
  ArrowUp: () => pan(0, step()),
  ArrowDown: () => pan(0, -step()),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: () => fly(whole()),
  n: () => next(1),
  p: () => next(here ? -1 : 0),
  Enter: () => open((here ?? discs[0]).uid),
  Escape: close,
});

view = whole();
new ResizeObserver(draw).observe(atlas);
draw();
