/** The threshold: what another one would have done, and putting it in force. */

import * as api from "./api.js";
import { ScoreAxis } from "./axis.js";
import { confirmed } from "./changes.js";
import { falseAlarms, recentRejections, reviewsAgainst } from "./counts.js";
import { announce, byId, element } from "./dom.js";
import { Histogram } from "./histogram.js";
import { number } from "./words.js";

const REVIEWS_READ = 200;

let model = null;
let recent = [];
let reviews = [];
let pending = null; // a threshold that a person tries out; nothing changes before it is applied
let applied = () => {};
const histogram = new Histogram(byId("histogram"), tryOut);

/**
 * Make the controls work; once.
 * @param {() => void} onApplied called when another threshold is in force
 */
export function startThreshold(onApplied) {
  applied = onApplied;
  byId("threshold-number").onchange = (event) => tryOut(event.target.valueAsNumber);
  byId("threshold-cancel").onclick = () => tryOut(null);
  byId("threshold-apply").onclick = apply;
  byId("threshold-calibrated").onclick = () => tryOut(model.calibrated_threshold);
}

/**
 * Show a model's scores and threshold. A threshold that is being tried out stays.
 * @param {object} shownModel
 * @param {number[]} recentScores oldest first
 */
export function drawThreshold(shownModel, recentScores) {
  if (model?.name !== shownModel.name) [pending, reviews] = [null, []];
  model = shownModel;
  recent = recentScores;
  draw();
}

/** Read again what people said of this model's parts. */
export async function readReviews() {
  const asked = model;
  const pages = await Promise.all(
    ["good", "defect"].map((reviewed) => api.inspections({ model: asked.name, reviewed, limit: REVIEWS_READ })),
  );
  if (asked.name !== model.name) return;
  reviews = pages.flat().filter((item) => item.model_sha256 === asked.model_sha256);
  say();
}

function tryOut(threshold) {
  const rounded = Number.isFinite(threshold) && threshold !== null ? roundedTo4(threshold) : null;
  pending = rounded === null || rounded === model.threshold ? null : rounded;
  say();
}

/** What is shown is what is applied; the calibrated one stays exact. */
const roundedTo4 = (threshold) =>
  threshold === model.calibrated_threshold ? threshold : Number(threshold.toPrecision(4));

function draw() {
  const calibration = model.calibration_scores;
  const middle = calibration[Math.floor((calibration.length - 1) / 2)];
  const axis = new ScoreAxis(middle, model.calibrated_threshold, [...calibration, ...recent, model.threshold]);
  histogram.draw(axis, recent, calibration);
  say();
}

function say() {
  const threshold = pending ?? model.threshold;
  const promise = falseAlarms(model.calibration_scores, threshold);
  const words = [
    `${pending === null ? "Rejects" : "Would reject"} ${promise}`,
    recentRejections(recent, threshold, model.threshold),
    ...reviewsAgainst(reviews, threshold),
  ];
  const { lowest_threshold: low, highest_threshold: high } = model;
  const isPossible = threshold > low && threshold <= high;
  if (!isPossible) words.push(`It must lie above ${number(low)} and at most at ${number(high)}, or calibrate again`);
  if (byId("threshold-words").textContent !== words.join("")) {
    byId("threshold-words").replaceChildren(...words.map((line) => element("li", {}, line)));
  }
  histogram.setThreshold(threshold, promise);
  if (document.activeElement !== byId("threshold-number")) byId("threshold-number").value = number(threshold);
  byId("threshold").classList.toggle("pending", pending !== null);
  byId("threshold-apply").disabled = pending === null || !isPossible;
  byId("threshold-cancel").disabled = pending === null;
  byId("threshold-calibrated").hidden = threshold === model.calibrated_threshold;
  byId("threshold-calibrated").textContent = `Back to the calibrated ${number(model.calibrated_threshold)}`;
}

async function apply() {
  const [threshold, asked] = [pending, model];
  const words = (author) =>
    `${number(threshold)} instead of ${number(asked.threshold)} for ${asked.name}. From now on it decides for every ` +
    `part, on every screen. It would reject ${falseAlarms(asked.calibration_scores, threshold)}. ` +
    `Recorded as applied by ${author}.`;
  const word = await confirmed("Apply this threshold?", words, "Apply");
  if (!word) return;
  await api.applyThreshold(asked.name, threshold, word);
  pending = null;
  applied();
  announce(`The threshold is ${number(threshold)} now.`);
}
