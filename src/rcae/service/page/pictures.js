/** Pictures as blob URLs, since an <img> cannot send the API key; each is freed when it is dropped. */

import { blob } from "./api.js";

const BROWSERS_SHOW = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif"];
const shown = new WeakMap();

/**
 * Show a picture; what the image showed before is dropped.
 * @param {HTMLImageElement} image
 * @param {string} path in the service
 * @param {string} [instead] a path to ask where browsers do not know the format, such as TIFF
 * @throws {ApiError} the service refused
 */
export async function show(image, path, instead) {
  drop(image);
  const turn = { url: "" };
  shown.set(image, turn);
  let content = await blob(path);
  if (instead && !BROWSERS_SHOW.includes(content.type)) content = await blob(instead);
  if (shown.get(image) !== turn) return; // another took its place meanwhile
  turn.url = URL.createObjectURL(content);
  image.src = turn.url;
  await new Promise((resolve) => (image.onload = image.onerror = resolve)); // a broken one stays empty
}

/** @param {HTMLImageElement} image whose picture is not needed any more */
export function drop(image) {
  const turn = shown.get(image);
  if (turn?.url) URL.revokeObjectURL(turn.url);
  shown.delete(image);
  image.removeAttribute("src");
}
