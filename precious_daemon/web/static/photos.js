// The grid of photos without an end: pages come as they come near, and what is far away is given back, so that a million
// photos take no more than some screens of them do.

const NEAR = "150% 0%"; // of the window: that far off, the next page is fetched
const FAR = "600% 0%"; // and further off than that, a page is emptied

const main = document.querySelector("main");
const grid = document.querySelector(".chunk .grid");

/** Another page of the grid as a document. No text is made into markup here: the browser reads the answer as it reads a page. */
function fetched(url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.onload = () => {
      const found = request.status === 200 && request.responseXML;
      found && found.querySelector(".chunk") ? resolve(found) : reject(new Error(String(request.status)));
    };
    request.onerror = () => reject(new Error("no answer"));
    request.send();
  });
}

/** A page's pictures, from another document into this one. */
function chunkOf(page) {
  const chunk = document.adoptNode(page.querySelector(".chunk"));
  keep.observe(chunk);
  return chunk;
}

/** A month that goes on over the end of a page is named once. */
function nameMonthsOnce() {
  let last = "";
  for (const chunk of main.querySelectorAll(".chunk")) {
    for (const heading of chunk.querySelectorAll("h2")) {
      heading.classList.toggle("unseen", heading.textContent === last);
      heading.parentElement.classList.toggle("goes-on", heading.textContent === last);
      last = heading.textContent;
    }
    last = chunk.dataset.empty ?? last;
  }
}

async function extend(pager) {
  const link = pager.querySelector("a.primary");
  if (!link || pager.dataset.busy) return;
  pager.dataset.busy = "1";
  try {
    const page = await fetched(link.href);
    const side = "older" in pager.dataset ? "[data-older]" : "[data-newer]";
    const before = document.documentElement.scrollHeight;
    if (side === "[data-older]") pager.before(chunkOf(page));
    else {
      pager.after(chunkOf(page));
      scrollBy(0, document.documentElement.scrollHeight - before); // what is in sight stays where it is
    }
    pager.replaceChildren(...document.adoptNode(page.querySelector(side)).children);
    nameMonthsOnce();
  } catch {
    pager.classList.add("failed"); // the link is still there to be pressed
    return;
  } finally {
    delete pager.dataset.busy;
  }
  near.unobserve(pager);
  near.observe(pager); // it may still be in sight
}

async function refill(chunk) {
  if (chunk.dataset.busy) return;
  chunk.dataset.busy = "1";
  try {
    const page = await fetched(chunk.dataset.url);
    chunk.replaceChildren(...document.adoptNode(page.querySelector(".chunk")).children);
    chunk.style.height = "";
    delete chunk.dataset.empty;
    nameMonthsOnce();
  } catch {
    // it is tried again when it next comes near
  } finally {
    delete chunk.dataset.busy;
  }
}

function empty(chunk) {
  if (chunk.dataset.busy || "empty" in chunk.dataset) return;
  const after = chunk.nextElementSibling.getBoundingClientRect().top;
  const { height } = chunk.getBoundingClientRect();
  chunk.style.height = `${height}px`;
  chunk.dataset.empty = [...chunk.querySelectorAll("h2")].at(-1)?.textContent ?? ""; // the month that it ends with
  chunk.replaceChildren();
  // the margins of what was in it reached out of it: what comes after stays where it is
  chunk.style.height = `${height + after - chunk.nextElementSibling.getBoundingClientRect().top}px`;
}

const keep = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (isIntersecting && "empty" in target.dataset) refill(target);
    else if (!isIntersecting) empty(target);
  }
}, { rootMargin: FAR });

const near = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) if (isIntersecting) extend(target);
}, { rootMargin: NEAR });

// who looks at a photo and comes back finds it in sight again
main.addEventListener("click", (event) => {
  const item = event.target.closest?.(".chunk .grid li");
  if (item) history.replaceState(null, "", `${item.closest(".chunk").dataset.url}#${item.id}`);
});

if (grid) {
  history.scrollRestoration = "manual";
  document.getElementById(location.hash.slice(1))?.scrollIntoView({ block: "center" });
  for (const chunk of document.querySelectorAll(".chunk")) keep.observe(chunk);
  for (const pager of document.querySelectorAll("[data-older], [data-newer]")) near.observe(pager);
}
