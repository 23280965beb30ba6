/** What is known of the selected part, in words. */

import { announce, byId, element, shape } from "./dom.js";
import { lookAt, view } from "./viewer.js";
import { capital, clock, counted, decision, number, distance, unusual } from "./words.js";

/**
 * Show a part, or that there is none.
 * @param {object|null} inspection
 */
export function drawPart(inspection) {
  byId("part-title").textContent = inspection?.source ?? "No part selected";
  byId("part-distance").textContent = inspection ? distance(inspection) : "";
  byId("decision").className = "decision";
  byId("decision").replaceChildren();
  byId("facts").replaceChildren();
  byId("region-list").replaceChildren();
  byId("regions-title").textContent = inspection ? counted(inspection.regions.length, "region") : "Regions";
  for (const id of ["good", "defect"]) byId(id).disabled = !inspection;
  view(inspection);
  drawReviews(inspection);
  if (!inspection) return;
  const kind = decision(inspection);
  byId("decision").classList.add(kind);
  byId("decision").append(shape(kind), capital(kind));
  byId("facts").append(...facts(inspection));
  byId("region-list").append(...inspection.regions.map(regionLine));
}

/**
 * Show what people said of a part; the last one counts.
 * @param {object|null} inspection
 */
export function drawReviews(inspection) {
  const reviews = inspection?.reviews ?? [];
  const lines = reviews.map(({ verdict, author, note, time }) =>
    element(
      "li",
      {},
      element("strong", {}, capital(verdict)),
      `, says ${author}, ${clock(time)}`,
      element("span", { className: "said-note" }, note),
    ),
  );
  byId("reviews").replaceChildren(...lines);
  for (const verdict of ["good", "defect"]) {
    byId(verdict).setAttribute("aria-pressed", reviews.at(-1)?.verdict === verdict);
  }
}

function facts(inspection) {
  const told = {
    Score: `${number(inspection.anomaly_score)}, ${distance(inspection)}`,
    Threshold: `${number(inspection.threshold)} at that time`,
    "How unusual": unusual(inspection.p_value),
    Inspected: `${clock(inspection.time)}, in ${inspection.duration_s.toFixed(2)} s`,
    Size: `${inspection.width_px} × ${inspection.height_px} px`,
    Model: inspection.model,
    ...(inspection.remark === null ? {} : { Remark: inspection.remark }),
  };
  const hashes = { "Image hash": inspection.image_sha256, "Model hash": inspection.model_sha256 };
  return [
    ...Object.entries(told).flatMap(([name, words]) => [element("dt", {}, name), element("dd", {}, words)]),
    ...Object.entries(hashes).flatMap(([name, hash]) => [element("dt", {}, name), hashLine(name, hash)]),
  ];
}

function hashLine(name, hash) {
  const code = element("code", { title: hash }, `${hash.slice(0, 12)}…`);
  const copy = element("button", { type: "button", className: "link", ariaLabel: `Copy: ${name}` }, "copy");
  copy.onclick = () => copyHash(code, hash);
  return element("dd", {}, code, " ", copy);
}

/** Where the page may not write to the clipboard, the whole hash is shown and selected instead. */
async function copyHash(code, hash) {
  try {
    await navigator.clipboard.writeText(hash);
    announce("Copied.");
  } catch {
    code.textContent = hash;
    getSelection().selectAllChildren(code);
    announce("Selected, copy it with Control C.");
  }
}

function regionLine(region) {
  const button = element(
    "button",
    { type: "button", className: "link" },
    `${counted(region.area_px, "pixel")}, peak ${number(region.peak)}`,
  );
  button.onclick = () => lookAt(region);
  return element("li", {}, button);
}
