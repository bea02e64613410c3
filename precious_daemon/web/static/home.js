// What is running, as it runs, and how many photos there are by now. When the last job ends the page is asked for anew.
import { get } from "./app.js";

const list = document.querySelector("[data-running]");
const events = new EventSource("/api/events");
let wasRunning = !list.hidden;

const EVERY = 4000; // ms between two looks at the numbers
let counted = Date.now();

/** The numbers, while they grow. As soon as there are photos to show, the page is asked for anew. */
async function count() {
  counted = Date.now();
  const now = await get("/api/status").catch(() => null);
  if (!now) return;
  for (const number of document.querySelectorAll("[data-count]")) {
    const value = number.dataset.count.split(".").reduce((from, name) => from?.[name], now);
    if (value !== undefined) number.textContent = value.toLocaleString("en");
  }
  if (now.photos.present >= 3 && !document.querySelector(".fan")) location.reload();
}

function line(job) {
  const item = document.createElement("li");
  item.dataset.job = job;
  const text = document.createElement("p");
  const title = document.createElement("strong");
  const words = document.createElement("span");
  words.dataset.words = "";
  text.append(title, " ", words);
  item.append(text, document.createElement("progress"));
  return item;
}

events.addEventListener("message", (event) => {
  const { running } = JSON.parse(event.data);
  const known = new Map([...list.children].map((item) => [item.dataset.job, item]));
  list.hidden = !running.length;
  for (const p of running) {
    const item = known.get(p.job) || line(p.job);
    known.delete(p.job);
    const meter = item.querySelector("progress");
    item.querySelector("strong").textContent = p.what || p.job;
    item.querySelector("[data-words]").textContent = p.words;
    meter.setAttribute("aria-label", p.what || p.job);
    if (p.total) Object.assign(meter, { max: p.total, value: p.done });
    else meter.removeAttribute("value");
    if (!item.isConnected) list.append(item);
  }
  for (const item of known.values()) item.remove();
  if (running.length && Date.now() - counted > EVERY) count();
  if (wasRunning && !running.length && !document.querySelector("dialog[open]")) location.reload();
  wasRunning = running.length > 0;
});
// the browser tries again by itself; whoever has the page open sees that nothing here is news any more
const lost = document.querySelector("[data-lost]");
events.addEventListener("error", () => {
  lost.hidden = false;
});
events.addEventListener("open", () => {
  if (!lost.hidden) location.reload();
});
addEventListener("pagehide", () => events.close());
