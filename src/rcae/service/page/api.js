/** All that the page asks of the service. */

const KEY = "rcae-api-key";

/** The service refused, or was not there. `message` is a sentence to show. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status of HTTP; 0: no answer
   * @param {number} retryAfterS when to try again, if it said so
   */
  constructor(message, status, retryAfterS = 1) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** @returns {string} the key of this tab, "" where none was given */
export const apiKey = () => sessionStorage.getItem(KEY) ?? "";

/** @param {string} key */
export const keepApiKey = (key) => sessionStorage.setItem(KEY, key);

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (apiKey()) headers["X-API-Key"] = apiKey();
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new ApiError("The service cannot be reached.", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  const words = typeof body.detail === "string" ? body.detail : `The service answered ${response.status}.`;
  return new ApiError(words, response.status, Number(response.headers.get("Retry-After")) || 1);
}

const read = async (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const response = await request(`${path}?${new URLSearchParams(given)}`);
  return response.json();
};

const send = async (method, path, content) => {
  const headers = { "Content-Type": "application/json" };
  const response = await request(path, { method, headers, body: JSON.stringify(content) });
  return response.json();
};

const ofModel = (name) => `/api/models/${encodeURIComponent(name)}`;

/** @returns {Promise<object[]>} the models served */
export const models = () => read("/api/models");

/** @param {object} query its conditions, see the service @returns {Promise<object[]>} newest first */
export const inspections = async (query) => (await read("/api/inspections", query)).inspections;

/** @param {string} id */
export const inspection = (id) => read(`/api/inspections/${id}`);

/** @param {string} model @returns {Promise<number[]>} the last scores, oldest first */
export const scores = async (model) => (await read("/api/scores", { model, limit: 2000 })).scores;

/** @returns {Promise<{counts: object, dead_letters: object[]}>} what outputs could not deliver */
export const deadLetters = () => read("/api/dead-letters", { limit: 1 });

/** @param {string} model */
export const drift = (model) => read(`${ofModel(model)}/drift`);

/** @param {string} model @returns {string} where its card is */
export const cardPath = (model) => `${ofModel(model)}/card`;

/** @param {string} path @returns {Promise<Blob>} */
export const blob = async (path) => (await request(path)).blob();

/** @param {string} id @param {{verdict: string, author: string, note: string}} review */
export const review = (id, review) => send("POST", `/api/inspections/${id}/reviews`, review);

/** @param {string} model @param {number} threshold @param {{author: string, reason: string}} word */
export const applyThreshold = (model, threshold, word) =>
  send("PUT", `${ofModel(model)}/threshold`, { threshold, ...word });

/** @param {string} model @param {{author: string, reason: string}} word @returns {Promise<object>} the drift */
export const acknowledgeDrift = (model, word) => send("POST", `${ofModel(model)}/drift/acknowledgements`, word);

/** @param {string} model @returns {Promise<object[]>} oldest first */
export const changes = (model) => read(`${ofModel(model)}/changes`);

/** @param {string} model @param {File} file @returns {Promise<object>} the inspection */
export async function inspect(model, file) {
  const body = new FormData();
  body.append("image", file, file.name);
  return (await request(`${ofModel(model)}/inspections`, { method: "POST", body })).json();
}
