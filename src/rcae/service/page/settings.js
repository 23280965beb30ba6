/** What the page remembers of its user: name, theme, keys; the API key until the tab is closed. */

import { apiKey, keepApiKey } from "./api.js";
import { ask, byId } from "./dom.js";

const [NAME, THEME, KEYS] = ["rcae-name", "rcae-theme", "rcae-single-keys"];

/** @returns {boolean} whether single keys do something */
export const singleKeys = () => localStorage.getItem(KEYS) !== "off";

/** @returns {Promise<string>} the reviewer's name, asked once; "" if it was not given */
export async function reviewer() {
  if (!localStorage.getItem(NAME)) await openSettings("Your name is kept with what you say.", "name");
  return localStorage.getItem(NAME) ?? "";
}

/**
 * Show the settings.
 * @param {string} [why]
 * @param {"name"|"key"} [wanted] the field to fill in
 * @returns {Promise<boolean>} whether something was saved
 */
export async function openSettings(why = "", wanted = "name") {
  if (byId("settings-dialog").open) return false;
  byId("settings-words").textContent = why;
  byId("settings-words").hidden = !why;
  byId("name").value = localStorage.getItem(NAME) ?? "";
  byId("key").value = apiKey();
  byId("single-keys").checked = singleKeys();
  const answer = ask("settings-dialog");
  byId(wanted).focus();
  if ((await answer) !== "save") return false;
  localStorage.setItem(NAME, byId("name").value.trim());
  keepApiKey(byId("key").value.trim());
  localStorage.setItem(KEYS, byId("single-keys").checked ? "on" : "off");
  showName();
  return true;
}

/**
 * Make the controls work; once.
 * @param {() => void} saved
 */
export function startSettings(saved) {
  const open = async () => (await openSettings()) && saved();
  byId("show-settings").onclick = open;
  byId("reviewer").onclick = open;
  byId("theme").onclick = () => {
    localStorage.setItem(THEME, isDark() ? "light" : "dark");
    showTheme();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  showTheme();
  showName();
}

function isDark() {
  const chosen = localStorage.getItem(THEME);
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.documentElement.dataset.theme = chosen;
  byId("theme").textContent = isDark() ? "Light" : "Dark";
}

function showName() {
  byId("reviewer").textContent = localStorage.getItem(NAME) || "not named yet";
}
