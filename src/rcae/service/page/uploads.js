/** Images that a person brings: dropped, chosen or pasted; sent one after the other. */

import * as api from "./api.js";
import { announce, byId, element } from "./dom.js";
import { counted } from "./words.js";

const TRIES = 20; // while the service is busy

const waiting = [];
let done = 0;
let all = 0;
let isSending = false;

/**
 * Take images from wherever they come; once.
 * @param {() => string} model the name of the one that inspects
 * @param {(inspection: object) => void} inspected told each result
 */
export function startUploads(model, inspected) {
  const take = (files) => files.length && send([...files], model, inspected);
  byId("choose").onclick = () => byId("files").click();
  byId("files").onchange = (event) => {
    take(event.target.files);
    event.target.value = "";
  };
  byId("upload-close").onclick = () => (byId("uploads").hidden = true);
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, (event) => hover(event, true));
  document.addEventListener("dragleave", (event) => event.relatedTarget || hover(event, false));
  document.addEventListener("drop", (event) => {
    hover(event, false);
    take(event.dataTransfer.files);
  });
}

function hover(event, isOver) {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  byId("drop").hidden = !isOver;
}

async function send(files, model, inspected) {
  if (!isSending) start();
  waiting.push(...files.map((file) => ({ file, model: model() })));
  all += files.length;
  tell();
  if (isSending) return;
  isSending = true;
  while (waiting.length) {
    const { file, model: name } = waiting.shift();
    await inspectOne(name, file, inspected);
    done += 1;
    tell();
  }
  isSending = false;
  announce(`${counted(done, "image")} inspected or refused.`);
  if (!byId("upload-errors").childElementCount) byId("uploads").hidden = true;
}

function start() {
  done = all = 0;
  byId("upload-errors").replaceChildren();
}

async function inspectOne(model, file, inspected) {
  for (let attempt = 1; ; attempt++) {
    try {
      return inspected(await api.inspect(model, file));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (error.status !== 503 || attempt === TRIES) return refuse(file, error);
      byId("upload-words").textContent = `${file.name}: the service is busy, trying again in ${error.retryAfterS} s`;
      await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfterS));
    }
  }
}

function refuse(file, error) {
  byId("upload-errors").append(element("li", {}, element("strong", {}, file.name), `: ${error.message}`));
  announce(`${file.name}: ${error.message}`);
}

function tell() {
  byId("uploads").hidden = false;
  byId("upload-words").textContent = `${done} of ${counted(all, "image")}`;
  byId("upload-progress").max = all;
  byId("upload-progress").value = done;
}
