// What is running, as it runs. When the last job ends the page is asked for anew.
const list = document.querySelector("[data-running]");
const events = new EventSource("/api/events");
let wasRunning = !list.hidden;

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
  if (wasRunning && !running.length && !document.querySelector("dialog[open]")) location.reload();
  wasRunning = running.length > 0;
});
addEventListener("pagehide", () => events.close());
