/** Changes that a person answers for: with a name and a reason, and the list of all of them. */

import * as api from "./api.js";
import { ask, byId, element } from "./dom.js";
import { reviewer } from "./settings.js";
import { number } from "./words.js";

/**
 * Ask a person for name and reason.
 * @param {string} title a question
 * @param {(author: string) => string} words what will happen
 * @param {string} action the word on the button
 * @returns {Promise<?{author: string, reason: string}>} null where the person does not want it
 */
export async function confirmed(title, words, action) {
  const author = await reviewer();
  if (!author) return null;
  byId("confirm-title").textContent = title;
  byId("confirm-words").textContent = words(author);
  byId("confirm-apply").textContent = action;
  byId("confirm-reason").value = "";
  if ((await ask("confirm-dialog")) !== "apply") return null;
  return { author, reason: byId("confirm-reason").value.trim() };
}

/** @param {() => string} chosenModel */
export function startChanges(chosenModel) {
  byId("show-changes").onclick = async () => {
    const found = await api.changes(chosenModel());
    byId("changes").replaceChildren(...found.reverse().map((change) => element("li", {}, line(change))));
    await ask("changes-dialog");
  };
}

function line({ kind, time, author, reason, threshold, calibrated_threshold: calibrated }) {
  const what = {
    threshold: `threshold ${number(threshold ?? 0)}`,
    model: `model loaded, calibrated threshold ${number(calibrated ?? 0)}`,
    drift: "drift acknowledged",
  }[kind];
  return `${new Date(time).toLocaleString()}: ${what}, by ${author}${reason ? `: ${reason}` : ""}`;
}
