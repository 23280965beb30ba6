/** The list of parts: one line each, thumbnails loaded when they come near the screen. */

import { ApiError } from "./api.js";
import { byId, element, shape } from "./dom.js";
import { drop, show } from "./pictures.js";
import { capital, clock, decision, distance, reviewed } from "./words.js";

const THUMBNAIL_PX = 128;
const list = byId("list");
const rows = new Map();

const near = new IntersectionObserver(
  (entries) => entries.forEach((entry) => thumbnail(entry.target, entry.isIntersecting)),
  { root: byId("scroll"), rootMargin: "400px" },
);

/**
 * Show what is loaded, one of them selected.
 * @param {import("./inspections.js").Inspections} parts
 * @param {string} selectedId
 */
export function drawList({ items, hasOlder }, selectedId) {
  const wanted = new Set(items.map((item) => item.id));
  for (const [id, row] of rows) if (!wanted.has(id)) forget(id, row);
  let place = list.firstElementChild;
  for (const item of items) {
    const row = rows.get(item.id) ?? make(item);
    update(row, item, item.id === selectedId);
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
  byId("older").hidden = !hasOlder;
  byId("empty").hidden = items.length > 0;
  list.setAttribute("aria-activedescendant", wanted.has(selectedId) ? rowId(selectedId) : "");
}

/** Bring the selected line into sight, and nothing else. */
export function scrollToRow(id) {
  rows.get(id)?.scrollIntoView({ block: "nearest" });
}

/**
 * Make the controls work; once.
 * @param {(id: string) => void} chosen
 * @param {() => void} older more are wanted
 */
export function startList(chosen, older) {
  byId("older").onclick = older;
  list.addEventListener("click", (event) => {
    const row = event.target.closest("[data-id]");
    if (row) chosen(row.dataset.id);
  });
}

/** The end of a path, which tells parts apart in a narrow line. */
const fileName = (source) => source.split(/[\\/]/).at(-1) || source;

const rowId = (id) => `row-${id}`;

function make(item) {
  const row = element(
    "li",
    { id: rowId(item.id), role: "option", data: { id: item.id } },
    element("span", { className: "thumbnail" }, element("img", { alt: "" })),
    element(
      "span",
      { className: "row-words" },
      element(
        "span",
        {},
        element("span", { className: `decision ${decision(item)}` }, shape(decision(item)), capital(decision(item))),
        element("time", { dateTime: item.time }, clock(item.time)),
      ),
      element(
        "span",
        {},
        element("span", { className: "source", title: item.source }, fileName(item.source)),
        element("span", { className: "state" }),
      ),
      element("span", {}, distance(item)),
    ),
  );
  rows.set(item.id, row);
  near.observe(row);
  return row;
}

function update(row, item, isSelected) {
  row.setAttribute("aria-selected", isSelected);
  const state = row.querySelector(".state");
  const words = reviewed(item);
  if (state.textContent === words) return;
  state.textContent = words;
  state.classList.toggle("done", item.reviews.length > 0);
}

function forget(id, row) {
  near.unobserve(row);
  drop(row.querySelector("img"));
  row.remove();
  rows.delete(id);
}

async function thumbnail(row, isNear) {
  const image = row.querySelector("img");
  if (!isNear) return drop(image);
  if (image.src) return;
  try {
    await show(image, `/api/inspections/${row.dataset.id}/picture?longest_px=${THUMBNAIL_PX}`);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    row.querySelector(".thumbnail").classList.add("gone");
  }
}
