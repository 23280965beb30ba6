/** Which model's parts the page shows. */

import { apiKey, blob, cardPath } from "./api.js";
import { byId, element } from "./dom.js";

/** @returns {string} the name of the chosen model; "" before any is known */
export const chosenModel = () => byId("model").value;

/**
 * Show the models; the chosen one stays chosen while it is served.
 * @param {object[]} models
 * @returns {object} the chosen one
 */
export function drawModels(models) {
  const select = byId("model");
  const names = models.map(({ name }) => name);
  const known = [...select.options].map(({ value }) => value);
  if (names.join("\n") !== known.join("\n")) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    select.value = names.includes(before) ? before : names[0];
  }
  byId("model-choice").hidden = models.length < 2;
  const model = models.find(({ name }) => name === select.value);
  byId("card").hidden = !model.has_card;
  byId("card").href = cardPath(model.name);
  byId("changed").hidden = !model.changed_on_disk;
  byId("changed").textContent = `The model ${model.name} has changed on disk. Start the service again to use it.`;
  return model;
}

/** @param {() => void} changed called when a person chooses another one */
export function startModels(changed) {
  byId("model").onchange = changed;
  byId("card").onclick = (event) => {
    if (!apiKey()) return; // a plain link then
    event.preventDefault();
    saveCard(chosenModel());
  };
}

/** A link cannot send the API key. */
async function saveCard(name) {
  const url = URL.createObjectURL(await blob(cardPath(name)));
  element("a", { href: url, download: `${name}-card.html` }).click();
  URL.revokeObjectURL(url);
}
