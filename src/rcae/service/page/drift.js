/** Whether recent scores still look like the calibration scores: evidence over images, in a chart. */

import * as api from "./api.js";
import { confirmed } from "./changes.js";
import { byId, svg } from "./dom.js";
import { capital, counted } from "./words.js";

const MARGIN = { left: 30, right: 8, top: 14, bottom: 20 };
const MEANING = {
  "no drift": "Scores look as they did at calibration.",
  "more defects":
    "More parts are rejected than calibration allows; the accepted ones look as before. " +
    "Look at the rejected parts, and at the process.",
  "everything shifted up":
    "Good parts score higher too. Check light, focus and camera; if parts look so from now on, calibrate again.",
  "everything shifted down":
    "Scores are lower: defects may pass, as in a blurred picture. Check light, focus and camera.",
};
const root = byId("drift-chart");
let shown = null;

new ResizeObserver(() => shown && draw()).observe(root);

/**
 * Make the control work; once.
 * @param {() => string} chosenModel
 */
export function startDrift(chosenModel) {
  byId("drift-acknowledge").onclick = async () => {
    const words = (author) =>
      `Parts are compared with calibration anew, from the next one on. Recorded as acknowledged by ${author}.`;
    const model = chosenModel();
    const word = await confirmed("Acknowledge this drift?", words, "Acknowledge");
    if (word) drawDrift(await api.acknowledgeDrift(model, word));
  };
}

/**
 * Show what the service says of drift.
 * @param {object} drift
 */
export function drawDrift(drift) {
  shown = drift;
  const isCalm = drift.verdict === "no drift";
  const since = isCalm ? `, ${counted(drift.images, "part")} so far` : ` since part ${drift.since} of ${drift.images}`;
  const reading = drift.is_complete ? "" : " (still reading earlier parts)";
  const verdict = `${capital(drift.verdict)}${since}${reading}`;
  if (byId("drift-verdict").textContent !== verdict) byId("drift-verdict").textContent = verdict;
  byId("drift-verdict").classList.toggle("alarm", !isCalm);
  byId("drift-words").textContent = MEANING[drift.verdict] ?? "";
  byId("drift-acknowledge").hidden = isCalm;
  draw();
}

function draw() {
  const { points, alarm_evidence: alarm, since } = shown;
  const [width, height] = [root.clientWidth, root.clientHeight];
  const values = points.flatMap((point) => [point.shift_evidence, point.rejection_evidence]);
  const top = values.reduce((most, value) => Math.max(most, value), alarm * 1.25);
  const bottom = values.reduce((least, value) => Math.min(least, value), 0);
  const [first, last] = [points[0]?.images ?? 0, points.at(-1)?.images ?? 1];
  const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  const x = (images) => MARGIN.left + ((images - first) / Math.max(last - first, 1)) * inner.width;
  const y = (evidence) => MARGIN.top + ((top - evidence) / (top - bottom)) * inner.height;
  const across = (kind, evidence) =>
    svg("line", { class: kind, x1: MARGIN.left, x2: width - MARGIN.right, y1: y(evidence), y2: y(evidence) });
  const text = (words, at, kind = "tick") => svg("text", { class: kind, ...at }, words);
  const curve = (kind, name) =>
    svg("polyline", { class: kind, points: points.map((point) => `${x(point.images)},${y(point[name])}`).join(" ") });
  const marks = [
    across("ground", 0),
    across("alarm-line", alarm),
    curve("shift", "shift_evidence"),
    curve("rejections", "rejection_evidence"),
    text("drift above this line", { x: MARGIN.left + 2, y: y(alarm) - 4 }, "caption"),
    text("0", { x: MARGIN.left - 6, y: y(0) + 4, "text-anchor": "end" }),
    text(alarm.toFixed(1), { x: MARGIN.left - 6, y: y(alarm) + 4, "text-anchor": "end" }),
    text(String(first), { x: MARGIN.left, y: height - 5 }),
    text(`part ${last}`, { x: width - MARGIN.right, y: height - 5, "text-anchor": "end" }),
    text("– scores shifted", { x: width - MARGIN.right, y: 10, "text-anchor": "end" }, "key-shift"),
    text("-- more rejections", { x: width - MARGIN.right - 110, y: 10, "text-anchor": "end" }, "key-rejections"),
  ];
  if (since && since >= first) {
    marks.push(svg("line", { class: "since", x1: x(since), x2: x(since), y1: MARGIN.top, y2: height - MARGIN.bottom }));
  }
  root.replaceChildren(...marks);
}
