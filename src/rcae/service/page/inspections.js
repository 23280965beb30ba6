/** The inspections loaded so far, newest first, that match one query. */

import * as api from "./api.js";
import { lastReview } from "./words.js";

const PAGE = 50;
const MOST_NEW = 500; // more at once, as after a night: start anew
const MOST_KEPT = 1000;

/** Loaded inspections; reviewed ones stay until the next `reload`, so that a word can be taken back. */
export class Inspections {
  items = [];
  hasOlder = false;
  #query = {};
  #turn = 0;

  /**
   * Load the newest that match; of two calls at once the later counts.
   * @param {object} query as in the service
   */
  async reload(query) {
    const turn = ++this.#turn;
    const items = await api.inspections({ ...query, limit: PAGE });
    if (turn !== this.#turn) return;
    this.#query = query;
    this.items = items;
    this.hasOlder = items.length === PAGE;
  }

  /** @returns {Promise<object[]>} what has come since, newest first */
  async poll() {
    const turn = this.#turn;
    const above = this.items[0]?.number ?? 0;
    const fresh = [];
    for (let page; !page || page.length === PAGE; ) {
      page = await api.inspections({ ...this.#query, above, below: fresh.at(-1)?.number, limit: PAGE });
      if (turn !== this.#turn) return [];
      fresh.push(...page);
      if (fresh.length >= MOST_NEW) return this.#startAnew(fresh);
    }
    this.items = [...fresh, ...this.items];
    return fresh;
  }

  #startAnew(fresh) {
    this.items = fresh;
    this.hasOlder = true;
    return fresh;
  }

  /** Load a page of older ones. */
  async older() {
    const turn = this.#turn;
    const page = await api.inspections({ ...this.#query, below: this.items.at(-1)?.number, limit: PAGE });
    if (turn !== this.#turn) return;
    this.items = [...this.items, ...page];
    this.hasOlder = page.length === PAGE;
  }

  /** Forget the oldest beyond what a page can hold, unless the selected one is among them. */
  trim(selectedId) {
    if (this.items.length <= MOST_KEPT || this.indexOf(selectedId) >= MOST_KEPT) return;
    this.items.length = MOST_KEPT;
    this.hasOlder = true;
  }

  /** @param {object} inspection as it is now */
  replace(inspection) {
    const index = this.indexOf(inspection.id);
    if (index >= 0) this.items[index] = inspection;
  }

  /** @param {string} id @returns {number} -1 where it is not loaded */
  indexOf(id) {
    return this.items.findIndex((item) => item.id === id);
  }

  /** @param {string} id @returns {object|undefined} the next without a review: older ones first */
  nextUnreviewed(id) {
    const index = this.indexOf(id);
    const inOrder = [...this.items.slice(index + 1), ...this.items.slice(0, Math.max(index, 0))];
    return inOrder.find((item) => !lastReview(item));
  }
}
