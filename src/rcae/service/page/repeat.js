/** Doing something again and again, while somebody looks and the service answers. */

import { ApiError } from "./api.js";

const LONGEST_S = 15;

/**
 * Repeat a task; not while the page is hidden, and less often while it fails.
 * @param {() => Promise<void>} task
 * @param {number} everyS
 * @param {{failed: (error: ApiError, againInS: number) => void, worked: () => void}} told
 * @returns {{now: () => void}} to do it at once
 */
export function repeat(task, everyS, told) {
  let failures = 0;
  let timer = 0;
  let isRunning = false;

  async function round() {
    if (isRunning || document.hidden) return;
    isRunning = true;
    clearTimeout(timer);
    let waitS = everyS;
    try {
      await task();
      failures = 0;
      told.worked();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      waitS = Math.min(LONGEST_S, everyS * 2 ** failures++);
      told.failed(error, waitS);
    } finally {
      isRunning = false;
      timer = setTimeout(round, 1000 * waitS);
    }
  }

  document.addEventListener("visibilitychange", round);
  window.addEventListener("online", round);
  round();
  return { now: round };
}
