/** What happens while a person looks: new parts, the connection, and what went wrong. */

import { ApiError } from "./api.js";
import { announce, byId } from "./dom.js";
import { counted, decision, distance } from "./words.js";

const ANNOUNCED_EVERY_S = 5; // a fast line must not talk without end

let unsaid = [];
let isWaiting = false;
let unseen = 0;

/**
 * Make the controls work, and show what the service refuses, wherever it happens; once.
 * @param {() => void} keyNeeded called when the service asks for its key
 */
export function startNews(keyNeeded) {
  byId("failure-close").onclick = () => (byId("failure").hidden = true);
  byId("to-newest").onclick = () => {
    byId("scroll").scrollTop = 0;
    byId("list").focus({ preventScroll: true });
  };
  byId("scroll").addEventListener("scroll", () => byId("scroll").scrollTop < 8 && showUnseen(0));
  addEventListener("unhandledrejection", (event) => {
    if (!(event.reason instanceof ApiError)) return;
    event.preventDefault();
    if (event.reason.status === 401) keyNeeded();
    else tell(event.reason.message);
  });
}

/**
 * Something a person has to know; stays until it is closed.
 * @param {string} words
 * @param {"failure"|"note"} [kind]
 */
export function tell(words, kind = "failure") {
  byId("failure").dataset.kind = kind;
  byId("failure-words").textContent = words;
  byId("failure").hidden = false;
}

/** @param {object[]} fresh new parts, newest first */
export function tellNew(fresh) {
  showUnseen(byId("scroll").scrollTop < 8 ? 0 : unseen + fresh.length);
  unsaid.unshift(...fresh);
  if (isWaiting) return;
  isWaiting = true;
  sayNew();
}

function sayNew() {
  isWaiting = unsaid.length > 0;
  if (!isWaiting) return;
  const rejected = unsaid.filter((item) => item.is_defective).length;
  const [newest] = unsaid;
  announce(
    unsaid.length === 1
      ? `New part ${newest.source}: ${decision(newest)}, ${distance(newest)}.`
      : `${unsaid.length} new parts, ${rejected} rejected.`,
  );
  unsaid = [];
  setTimeout(sayNew, 1000 * ANNOUNCED_EVERY_S);
}

function showUnseen(count) {
  unseen = count;
  byId("to-newest").hidden = !count;
  byId("to-newest").textContent = `${counted(count, "new part")} ↑`;
}

/** @param {{counts: object, dead_letters: object[]}} letters what outputs could not deliver */
export function tellUndelivered({ counts, dead_letters: [newest] }) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  byId("undelivered").hidden = !total;
  if (!total) return;
  const words =
    `${counted(total, "inspection")} could not be sent to ${Object.keys(counts).join(" and ")}. ` +
    `Last answer: ${newest.reason} Remove the cause, then run “rcae resend”.`;
  if (byId("undelivered").textContent !== words) byId("undelivered").textContent = words;
}

/** The service answered. */
export function connected() {
  const wasAway = !byId("banner").hidden;
  byId("banner").hidden = true;
  byId("connection").dataset.state = "live";
  byId("connection-words").textContent = "Live";
  if (wasAway) announce("The service answers again.");
}

/** @param {ApiError} error @param {number} againInS */
export function disconnected(error, againInS) {
  const words = `${error.message} Trying again every ${counted(againInS, "second")}; nothing on this page is lost.`;
  byId("connection").dataset.state = "away";
  byId("connection-words").textContent = "Not connected";
  if (byId("banner").textContent !== words) byId("banner").textContent = words;
  byId("banner").hidden = false;
}
