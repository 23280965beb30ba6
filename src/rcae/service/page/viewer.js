/** The selected part, large: its image under heat, its regions outlined, to zoom and to move. */

import { ApiError } from "./api.js";
import { Camera } from "./camera.js";
import { byId, svg } from "./dom.js";
import { listenToGestures } from "./gestures.js";
import { drop, show } from "./pictures.js";

const STEP = 1.4;
const PIXELS_SEEN_FROM = 3; // our choice: enlarged further, pixels are shown as squares
const REGION_SHARE = 0.35; // of the frame, which a region looked at fills at most

const camera = new Camera();
const [frame, stage, image, heat, outlines] = ["view", "stage", "image", "heat", "regions"].map(byId);
let opacityBefore = 100;
let shown = null;

/** Make buttons and gestures work; once. */
export function startViewer() {
  byId("zoom-in").onclick = zoomIn;
  byId("zoom-out").onclick = zoomOut;
  byId("fit").onclick = fit;
  byId("actual").onclick = actualSize;
  byId("opacity").oninput = (event) => setOpacity(Number(event.target.value));
  byId("show-heat").onchange = (event) => setOpacity(event.target.checked ? opacityBefore || 100 : 0);
  byId("show-regions").onchange = (event) => outlines.classList.toggle("off", !event.target.checked);
  listenToGestures(frame, camera, draw);
  new ResizeObserver(() => {
    camera.setFrame([frame.clientWidth, frame.clientHeight]);
    draw();
  }).observe(frame);
}

/**
 * Show an inspection's pictures.
 * @param {object|null} inspection
 */
export async function view(inspection) {
  shown = inspection;
  stage.hidden = true;
  byId("view-words").textContent = "";
  if (!inspection) return clear();
  camera.setImage([inspection.width_px, inspection.height_px]);
  outline(inspection);
  draw();
  const path = `/api/inspections/${inspection.id}`;
  image.alt = `Image of ${inspection.source}`;
  try {
    const pictures = [show(image, `${path}/image`, `${path}/picture`), showHeat(path)];
    await Promise.all(pictures);
    if (shown === inspection) stage.hidden = false;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (shown === inspection) explain(error);
  }
}

/** Where the model is not served any more there is no heat; the image is worth seeing all the same. */
async function showHeat(path) {
  let hasHeat = true;
  try {
    await show(heat, `${path}/heatmap`);
  } catch (error) {
    if (error.status !== 410) throw error;
    hasHeat = false;
  }
  for (const id of ["show-heat", "opacity"]) byId(id).disabled = !hasHeat;
}

/** Go near one region. */
export function lookAt(region) {
  const share = Math.min(frame.clientWidth / region.width_px, frame.clientHeight / region.height_px);
  camera.lookAt(
    region.left_px + region.width_px / 2,
    region.top_px + region.height_px / 2,
    Math.min(REGION_SHARE * share, 8),
  );
  draw();
}

/** Switch heat or regions. @param {"show-heat"|"show-regions"} id */
export const toggle = (id) => byId(id).click();

/** Enlarge around the middle. */
export const zoomIn = () => zoom(STEP);

/** Shrink around the middle. */
export const zoomOut = () => zoom(1 / STEP);

/** Show the whole image. */
export function fit() {
  camera.fit();
  draw();
}

/** Show one image pixel as one pixel. */
export const actualSize = () => zoom(1 / camera.scale);

function zoom(factor) {
  camera.zoom(factor);
  draw();
}

function clear() {
  drop(image);
  drop(heat);
  byId("view-words").textContent = "Select a part in the list.";
}

function explain(error) {
  const isGone = error.status === 410;
  byId("view-words").textContent = isGone
    ? "This picture is no longer kept; what was found is still known."
    : error.message;
}

function setOpacity(percent) {
  if (percent > 0) opacityBefore = percent;
  byId("opacity").value = percent;
  byId("show-heat").checked = percent > 0;
  heat.style.opacity = percent / 100;
}

function outline({ width_px: width, height_px: height, regions }) {
  outlines.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const marks = regions.map((region, index) => {
    const box = { x: region.left_px, y: region.top_px, width: region.width_px, height: region.height_px };
    const number = svg("text", { x: region.left_px, y: region.top_px }, String(index + 1));
    return svg("g", {}, svg("rect", { ...box, class: "under" }), svg("rect", { ...box, class: "line" }), number);
  });
  outlines.replaceChildren(...marks);
  stage.style.width = `${width}px`;
  stage.style.height = `${height}px`;
}

function draw() {
  stage.style.transform = `translate(${camera.x}px, ${camera.y}px) scale(${camera.scale})`;
  stage.style.setProperty("--px", 1 / camera.scale);
  stage.classList.toggle("pixels", camera.scale >= PIXELS_SEEN_FROM);
  frame.classList.toggle("fitted", camera.isFitted);
  byId("zoom").textContent = `${Math.round(100 * camera.scale)} %`;
}
