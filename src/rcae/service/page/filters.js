/** Which parts the list shows. */

import { byId } from "./dom.js";

const CONDITIONS = {
  all: () => ({}),
  rejected: () => ({ is_defective: true }),
  accepted: () => ({ is_defective: false }),
  unreviewed: () => ({ reviewed: "not" }),
  borderline: () => ({ borderline: byId("width").value }),
};

const chosen = () => document.querySelector("input[name=filter]:checked").value;

/** @returns {object} what it asks of the service */
export const filter = () => CONDITIONS[chosen()]();

/** Show all parts. @returns {boolean} whether some were hidden */
export function showAll() {
  const wasFiltered = chosen() !== "all";
  document.querySelector("input[name=filter][value=all]").checked = true;
  byId("width-choice").hidden = true;
  return wasFiltered;
}

/** @param {() => void} changed */
export function startFilters(changed) {
  byId("filters").addEventListener("change", () => {
    byId("width-choice").hidden = chosen() !== "borderline";
    changed();
  });
}
