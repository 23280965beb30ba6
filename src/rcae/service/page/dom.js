/** Making and finding elements. Text always enters as text, never as markup. */

/** @param {string} id @returns {HTMLElement} */
export const byId = (id) => document.getElementById(id);

/**
 * A new element.
 * @param {string} tag
 * @param {object} [properties] set on the element; `data` holds its data-attributes
 * @param {...(Node|string)} children strings become text
 * @returns {HTMLElement}
 */
export function element(tag, { data, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/**
 * A new SVG element.
 * @param {string} tag
 * @param {object} [attributes]
 * @param {...(Node|string)} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * The shape of a decision, for those who do not see its colour.
 * @param {"rejected"|"accepted"} kind
 */
export function shape(kind) {
  return svg("svg", { class: `shape ${kind}`, "aria-hidden": "true" }, svg("use", { href: `#${kind}` }));
}

/**
 * Say something to those who listen to a screen reader.
 * @param {string} words
 */
export function announce(words) {
  byId("announcer").textContent = words;
}

/**
 * Ask in a dialog.
 * @param {string} id of the dialog
 * @returns {Promise<string>} the value of the button, as it is pressed; "" when it was dismissed
 */
export function ask(id) {
  const dialog = byId(id);
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const answer = (value) => {
      if (dialog.contains(document.activeElement)) document.activeElement.blur(); // or keys would still be typed into it
      resolve(value); // the first one counts
    };
    const asked = new AbortController();
    // "close" comes a moment after the dialog is gone: what was answered would not count yet for a key pressed by then.
    dialog.addEventListener("submit", ({ submitter }) => answer(submitter.value), { signal: asked.signal });
    dialog.addEventListener("close", () => (asked.abort(), answer("")), { once: true });
  });
}
