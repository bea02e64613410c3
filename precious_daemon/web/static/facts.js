// The details of one photo, or of several side by side, in a sheet over the page: what a link to /facts shows without this.
import { _, get, toast } from "./app.js";

const sheet = document.createElement("section");
sheet.className = "fact-sheet";
sheet.setAttribute("aria-label", _("Details"));
sheet.setAttribute("aria-live", "polite");
sheet.hidden = true;
let wanted = "";

const element = (tag, text = "", className = "") => Object.assign(document.createElement(tag), { textContent: text, className });

/** Only what differs, where there are several. */
function table(told) {
  const several = told.photos.length > 1;
  const made = document.createElement("table");
  if (several) {
    const head = made.createTHead().insertRow();
    head.append(element("th"), ...told.photos.map((photo) => element("th", photo.name)));
  }
  const body = made.createTBody();
  for (const row of told.rows.filter((each) => each.differ || !several)) {
    body.insertRow().append(element("th", row.name), ...row.values.map((value) => element("td", value)));
  }
  const same = told.rows.filter((row) => !row.differ).map((row) => row.name.toLowerCase());
  const note = several && same.length ? [element("p", _("The same: {names}.", { names: [...new Set(same)].join(_(", ")) }), "soft")] : [];
  return [made, ...note];
}

/** Show these photos' details in `host`; again, or with none, puts them away. */
export async function toggleFacts(host, uids) {
  if (!sheet.hidden || !uids.length) {
    sheet.hidden = true;
    return;
  }
  host.append(sheet);
  await fill(uids);
}

/** Other photos are shown now: where details are, theirs. */
export const followFacts = (uids) => (sheet.hidden ? undefined : fill(uids));

async function fill(uids) {
  const query = uids.map((uid) => `photo=${uid}`).join("&");
  wanted = query;
  try {
    const told = await get(`/api/facts?${query}`);
    if (wanted !== query) return;
    sheet.replaceChildren(...table(told));
    sheet.hidden = false;
  } catch (error) {
    toast(error.message);
  }
}
