/** Single keys, and the page that tells them. */

import { ask, byId, element } from "./dom.js";
import { singleKeys } from "./settings.js";

const TYPING = "input:not([type=checkbox], [type=range]), textarea, select, dialog";

/**
 * Make keys do something; once.
 * @param {Array<{keys: string[], words: string, act: () => void}>} actions
 */
export function startKeys(actions) {
  const byKey = new Map(actions.flatMap(({ keys, act }) => keys.map((key) => [key, act])));
  byKey.set("?", () => ask("keys-dialog"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === byId("note")) byId("note").blur();
    if (event.ctrlKey || event.altKey || event.metaKey || !singleKeys()) return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    const isOfControl = event.key.startsWith("Arrow") && event.target.matches?.("input");
    const act = byKey.get(event.key.length === 1 ? event.key.toUpperCase() : event.key);
    if (!act || isOfControl) return;
    event.preventDefault();
    act();
  });
  byId("show-keys").onclick = () => ask("keys-dialog");
  byId("keys").append(...actions.flatMap(lines), ...lines({ keys: ["?"], words: "these keys" }));
}

const NAMES = { ArrowDown: "↓", ArrowUp: "↑" };

function lines({ keys, words }) {
  const names = keys.map((key) => element("kbd", {}, NAMES[key] ?? key));
  return [element("dt", {}, ...names.flatMap((name) => [name, " "])), element("dd", {}, words)];
}
