/** How results are said to people. */

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** @param {object} inspection @returns {"rejected"|"accepted"} */
export const decision = (inspection) => (inspection.is_defective ? "rejected" : "accepted");

/** @param {string} word @returns {string} with a capital */
export const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** @param {number} value @returns {string} to four digits, as short as it can be */
export const number = (value) => String(Number(value.toPrecision(4)));

/**
 * A score, seen from its threshold: a difference, since both may be negative.
 * @param {object} inspection
 * @returns {string}
 */
export function distance({ anomaly_score: score, threshold }) {
  const side = score < threshold ? "below" : "above";
  return `${Number(Math.abs(score - threshold).toPrecision(3))} ${side} threshold`;
}

/** @param {number} share in 0..1 @returns {string} */
export const percent = (share) => `${Number((100 * share).toFixed(1))} %`;

/**
 * A p-value, the share of good parts that look at least so.
 * @param {number} pValue in 0..1
 * @returns {string}
 */
export function unusual(pValue) {
  if (pValue >= 0.5) return "as usual as most good parts";
  if (pValue > 0.1) return `as unusual as ${Math.round(10 * pValue)} in 10 good parts`;
  return `as unusual as 1 in ${Math.round(1 / pValue)} good parts`;
}

/** @param {string} time ISO 8601 @returns {string} the hour today, else the day too */
export function clock(time) {
  const then = new Date(time);
  const isToday = then.toDateString() === new Date().toDateString();
  return (isToday ? CLOCK : DAY).format(then);
}

/** @param {object} inspection @returns {object|undefined} the review that counts */
export const lastReview = (inspection) => inspection.reviews.at(-1);

/** @param {object} inspection @returns {string} */
export function reviewed(inspection) {
  const last = lastReview(inspection);
  return last ? `✓ ${last.verdict}` : "not reviewed";
}

/** @param {number} count @param {string} noun @returns {string} "1 part", "2 parts" */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
