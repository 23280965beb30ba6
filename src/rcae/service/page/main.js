/** The page: one model, its parts as they come, one of them selected. */

import * as api from "./api.js";
import { startChanges } from "./changes.js";
import { byId } from "./dom.js";
import { drawDrift, startDrift } from "./drift.js";
import { filter, showAll, startFilters } from "./filters.js";
import { Inspections } from "./inspections.js";
import { startKeys } from "./keys.js";
import { drawList, scrollToRow, startList } from "./list.js";
import { chosenModel, drawModels, startModels } from "./models.js";
import { connected, disconnected, startNews, tell, tellNew, tellUndelivered } from "./news.js";
import { drawPart, drawReviews } from "./part.js";
import { repeat } from "./repeat.js";
import { startReview } from "./review.js";
import { openSettings, startSettings } from "./settings.js";
import { drawThreshold, readReviews, startThreshold } from "./threshold.js";
import { startUploads } from "./uploads.js";
import { actualSize, fit, startViewer, toggle, zoomIn, zoomOut } from "./viewer.js";

const POLL_S = 1;
const MODEL_S = 5; // scores, threshold and drift change slowly

const parts = new Inspections();
let selectedId = "";
let wantedId = ""; // inspected for this page: shown as soon as it is in the list
let modelReadAt = -Infinity;
let shownModel = "";
let isKeyAsked = false;

const selected = () => parts.items[parts.indexOf(selectedId)] ?? null;
const draw = () => drawList(parts, selectedId);

async function select(id) {
  selectedId = id;
  draw();
  drawPart(selected());
  scrollToRow(id);
  if (!id) return;
  const now = await api.inspection(id); // others may have reviewed it meanwhile
  if (now.reviews.length > (selected()?.reviews.length ?? Infinity)) changed(now);
}

function changed(inspection) {
  parts.replace(inspection);
  draw();
  if (inspection.id === selectedId) drawReviews(inspection);
}

async function reload() {
  await parts.reload({ model: chosenModel(), ...filter() });
  await select(parts.items[0]?.id ?? "");
}

async function older() {
  await parts.older();
  draw();
}

async function step(by) {
  const index = Math.max(parts.indexOf(selectedId) + by, 0);
  if (index === parts.items.length && parts.hasOlder) await older();
  if (parts.items[index]) await select(parts.items[index].id);
}

async function nextUnreviewed() {
  if (!parts.nextUnreviewed(selectedId) && parts.hasOlder) await older();
  const next = parts.nextUnreviewed(selectedId);
  if (next) await select(next.id);
  else tell("Every other part in this list is reviewed.", "note");
}

async function reviewed(inspection) {
  changed(inspection);
  const goesOn = inspection.id === selectedId; // not where an earlier word was taken back
  await Promise.all([goesOn && nextUnreviewed(), readReviews()]);
}

/** What changes slowly: models, scores, drift. */
async function readModel() {
  const model = drawModels(await api.models());
  const [scores, drift, letters] = await Promise.all([
    api.scores(model.name),
    api.drift(model.name),
    api.deadLetters(),
  ]);
  tellUndelivered(letters);
  if (chosenModel() !== model.name) return;
  drawThreshold(model, scores);
  drawDrift(drift);
  modelReadAt = performance.now();
}

async function showModel() {
  const name = chosenModel();
  await Promise.all([reload(), readReviews()]);
  shownModel = name;
}

function lookAtOnce() {
  modelReadAt = -Infinity;
  now();
}

async function look() {
  if (performance.now() - modelReadAt > 1000 * MODEL_S) await readModel();
  if (shownModel !== chosenModel()) await showModel();
  const fresh = await parts.poll();
  if (!fresh.length) return;
  parts.trim(selectedId);
  draw();
  tellNew(fresh);
  if (!selected()) await select(parts.items[0].id);
  if (parts.indexOf(wantedId) >= 0) await showWanted();
}

async function showWanted() {
  const id = wantedId;
  wantedId = "";
  await select(id);
}

/** The filter may hide what a person has just brought, so all are shown. */
async function inspected(inspection) {
  wantedId = inspection.id;
  if (parts.indexOf(wantedId) >= 0) return showWanted();
  if (showAll()) await reload();
}

/** Asked once; who dismisses it finds it in the settings. */
async function keyNeeded() {
  if (isKeyAsked) return;
  isKeyAsked = true;
  if (await openSettings("The service asks for its API key.", "key")) lookAtOnce();
}

function failed(error, againInS) {
  disconnected(error, againInS);
  if (error.status === 401) keyNeeded();
}

startNews(keyNeeded);
startSettings(lookAtOnce);
startViewer();
startModels(lookAtOnce);
startFilters(reload);
startList(select, older);
startThreshold(readModel);
startDrift(chosenModel);
startChanges(chosenModel);
startUploads(chosenModel, inspected);
const say = startReview(selected, reviewed);
startKeys([
  { keys: ["G"], words: "good", act: () => say("good") },
  { keys: ["D"], words: "defect", act: () => say("defect") },
  { keys: ["N"], words: "write a note for the next verdict; Escape leaves it", act: () => byId("note").focus() },
  { keys: ["J", "ArrowDown"], words: "next part in the list", act: () => step(1) },
  { keys: ["K", "ArrowUp"], words: "part before", act: () => step(-1) },
  { keys: ["U"], words: "next part without a review", act: nextUnreviewed },
  { keys: ["+"], words: "zoom in", act: zoomIn },
  { keys: ["-"], words: "zoom out", act: zoomOut },
  { keys: ["0"], words: "fit the image", act: fit },
  { keys: ["1"], words: "one pixel per pixel", act: actualSize },
  { keys: ["H"], words: "heat on or off", act: () => toggle("show-heat") },
  { keys: ["R"], words: "regions on or off", act: () => toggle("show-regions") },
]);

const { now } = repeat(look, POLL_S, { worked: connected, failed });
