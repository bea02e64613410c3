// What every page has: sending, short messages, keys. Other modules import from here.

// the texts of scripts in the language of the page; English is as it is written
const words = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

/** A text in the language of the page, with its {values} put in; numbers are grouped. */
export function _(message, values = {}) {
  const put = (place, name) => (typeof values[name] === "number" ? values[name].toLocaleString("en") : values[name] ?? place);
  return (words[message] ?? message).replace(/\{(\w+)\}/g, put);
}

/** As `_`, for a number of things: {n}. */
export const _n = (one, more, n, values = {}) => _(n === 1 || one in words ? one : more, { ...values, n });

// whose page this is: a tab that stayed open while another one changed the profile must not answer for somebody else
const shownTo = document.body.dataset.voter ? { "Precious-Shown-To": document.body.dataset.voter } : {};

/** Send JSON and return the JSON answer. Throws an Error whose message is a sentence; `count` is what has to be typed to go on. */
export async function post(path, data = {}) {
  return answer(path, { method: "POST", headers: { "Content-Type": "application/json", ...shownTo }, body: JSON.stringify(data) });
}

/** As `post`; where so much would go that the number has to be typed, ask for it first. Null where the owner leaves it. */
export async function postCounted(path, data) {
  try {
    return await post(path, data);
  } catch (error) {
    if (!error.count) throw error;
    const typed = await askForNumber(error.message, error.count);
    return typed === null ? null : post(path, { ...data, typed_count: typed });
  }
}

/** The number, typed by the owner, or null where they leave it. */
function askForNumber(why, number) {
  const dialog = document.getElementById("typed");
  const input = dialog.querySelector("input");
  const yes = dialog.querySelector("[value=yes]");
  dialog.querySelector("[data-why]").textContent = why;
  dialog.querySelector("[data-number]").textContent = number;
  input.value = "";
  yes.disabled = true;
  input.oninput = () => {
    yes.disabled = Number(input.value) !== number;
  };
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" && Number(input.value) === number ? number : null);
  });
}

export const get = (path) => answer(path);

async function answer(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw problem(_("The service does not answer. Nothing was stored; try again once it runs."), 0);
  });
  if (response.status === 401) throw problem(_("You are signed out. Open a fresh link: precious-daemon login"), 401);
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw problem(value.error || _("That did not work. Nothing was changed."), response.status, value.count);
  return value;
}

function problem(sentence, status, count) {
  return Object.assign(new Error(sentence), { status, count });
}

/** Show a sentence for a while, with an action beside it where there is one: {title, run}. Returns what ends it earlier. */
export function toast(sentence, action = null) {
  const shelf = document.getElementById("toasts");
  const item = document.createElement("div");
  item.className = "toast";
  const text = document.createElement("p");
  text.textContent = sentence;
  item.append(text);
  let timer;
  const leave = () => {
    clearTimeout(timer);
    item.remove();
  };
  if (action) {
    const button = document.createElement("button");
    button.className = "small";
    button.textContent = action.title;
    button.addEventListener("click", () => {
      leave();
      action.run();
    });
    item.append(button);
  }
  shelf.replaceChildren(item);
  const wait = () => {
    timer = setTimeout(leave, action ? 12000 : 6000);
  };
  item.addEventListener("pointerenter", () => clearTimeout(timer));
  item.addEventListener("pointerleave", wait);
  wait();
  return leave;
}

/** A way to run one action at a time, `place` being marked as busy meanwhile. What goes wrong is said, after `failed`. */
export function oneAtATime(place, failed = () => {}) {
  return async (action) => {
    if (place.hasAttribute("aria-busy")) return;
    place.setAttribute("aria-busy", "true");
    try {
      await action();
    } catch (error) {
      failed();
      toast(error.message);
    } finally {
      place.removeAttribute("aria-busy");
    }
  };
}

/** One listener for single keys. Typing in a field, and keys with Ctrl, Alt or Meta, are left alone. */
export function keys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || document.querySelector("dialog[open]")) return;
    const field = event.target.closest("input, textarea, select, summary");
    if (field && !(["checkbox", "radio"].includes(field.type) && event.key !== " ")) return;
    if ((event.key === " " || event.key === "Enter") && event.target.closest("button, a")) return;
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

export function filesize(bytes) {
  if (bytes < 999.5) return _("{n} bytes", { n: Math.round(bytes) });
  for (const unit of ["KB", "MB", "GB"]) {
    bytes /= 1000;
    if (bytes < 999.5) return `${bytes.toFixed(bytes >= 99.5 ? 0 : 1)} ${unit}`;
  }
  return `${(bytes / 1000).toFixed(1)} TB`;
}

for (const tabs of document.querySelectorAll(".tabs")) {
  if (tabs.scrollWidth > tabs.clientWidth) tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
keys({ "?": () => document.getElementById("keys")?.showModal() });
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
// an open menu closes when something else is pressed
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.more[open], details.pop[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
