/** What a threshold would do: a score at or above it is rejected, as in the service. */

import { counted, lastReview, percent } from "./words.js";

/** @param {number[]} scores @param {number} threshold @returns {number} how many are rejected */
export const rejected = (scores, threshold) => scores.filter((score) => score >= threshold).length;

/**
 * The false alarms of a threshold among good parts that the model was never trained on.
 * @param {number[]} calibration
 * @param {number} threshold
 */
export function falseAlarms(calibration, threshold) {
  const count = rejected(calibration, threshold);
  return `${count} of ${calibration.length} good calibration parts (${percent(count / calibration.length)} false alarms)`;
}

/** @param {number[]} recent @param {number} threshold @param {number} inForce */
export function recentRejections(recent, threshold, inForce) {
  const now = threshold === inForce ? "" : ` (now ${rejected(recent, inForce)})`;
  return `${rejected(recent, threshold)} of the last ${counted(recent.length, "part")}${now}`;
}

/**
 * What people said, held against a threshold.
 * @param {object[]} inspections reviewed
 * @param {number} threshold
 */
export function reviewsAgainst(inspections, threshold) {
  return ["defect", "good"].map((verdict) => {
    const scores = inspections
      .filter((item) => lastReview(item)?.verdict === verdict)
      .map((item) => item.anomaly_score);
    return `${rejected(scores, threshold)} of ${scores.length} reviewed as ${verdict}`;
  });
}
