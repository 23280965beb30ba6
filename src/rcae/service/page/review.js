/** A person's word on the selected part. */

import * as api from "./api.js";
import { announce, byId } from "./dom.js";
import { reviewer } from "./settings.js";

const OTHER = { good: "defect", defect: "good" };

/**
 * Make the buttons work; once.
 * @param {() => object|null} selected
 * @param {(inspection: object) => void} stored told the part with its new review
 * @returns {(verdict: "good"|"defect") => Promise<void>} says a verdict on the selected part
 */
export function startReview(selected, stored) {
  const say = async (verdict) => {
    if (selected()) await store(selected(), verdict, byId("note").value.trim(), stored);
  };
  byId("good").onclick = () => say("good");
  byId("defect").onclick = () => say("defect");
  byId("review").onsubmit = (event) => event.preventDefault();
  return say;
}

async function store(inspection, verdict, note, stored) {
  const form = byId("review");
  if (form.ariaBusy === "true") return; // a second key would be for a part that nobody has seen yet
  form.ariaBusy = "true";
  try {
    const author = await reviewer();
    if (!author) return;
    const reviewed = await api.review(inspection.id, { verdict, author, note });
    byId("note").value = "";
    tell(reviewed, verdict, stored);
    stored(reviewed);
  } finally {
    form.ariaBusy = "false";
  }
}

/** What was said stays on the page until the next word, with a button to say the other. */
function tell(inspection, verdict, stored) {
  byId("said").hidden = false;
  byId("said-words").textContent = `${inspection.source}: ${verdict}.`;
  byId("undo").textContent = `No, ${OTHER[verdict]}`;
  byId("undo").onclick = () => store(inspection, OTHER[verdict], "", stored);
  announce(`${inspection.source}: ${verdict}.`);
}
