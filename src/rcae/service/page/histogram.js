/** Two histograms, recent parts upward and good calibration parts downward, and the threshold as a line. */

import { svg } from "./dom.js";
import { number } from "./words.js";

const BINS = 60;
const MARGIN_PX = 10;
const TICKS_PX = 20;
const TICK_GAP_PX = 44;
const RECENT_SHARE = 0.62; // our choice: of the height; calibration parts are fewer
const LEAST_BAR_PX = 2; // one part of thousands is still seen
const STEPS = { ArrowLeft: -0.005, ArrowDown: -0.005, ArrowRight: 0.005, ArrowUp: 0.005, PageUp: 0.05, PageDown: -0.05 };

/** Draws into an SVG and tells when a person moves the threshold. */
export class Histogram {
  #root;
  #moved;
  #shown = null;
  #clips = [];
  #handle;

  /** @param {SVGElement} root @param {(threshold: number) => void} moved */
  constructor(root, moved) {
    this.#root = root;
    this.#moved = moved;
    this.#handle = this.#makeHandle();
    new ResizeObserver(() => this.#shown && this.#redraw()).observe(root);
    root.addEventListener("pointerdown", (event) => this.#grab(event));
    root.addEventListener("pointermove", (event) => root.hasPointerCapture(event.pointerId) && this.#drag(event));
  }

  /**
   * @param {import("./axis.js").ScoreAxis} axis
   * @param {number[]} recent
   * @param {number[]} calibration
   */
  draw(axis, recent, calibration) {
    this.#shown = { axis, recent, calibration };
    this.#redraw();
  }

  /** @param {number} threshold where the line stands @param {string} words what it means */
  setThreshold(threshold, words) {
    this.#shown.threshold = threshold;
    const x = this.#x(threshold);
    const [left, right] = this.#clips;
    left.setAttribute("width", Math.max(x, 0));
    right.setAttribute("x", x);
    this.#handle.setAttribute("transform", `translate(${x} 0)`);
    this.#handle.setAttribute("aria-valuenow", threshold);
    this.#handle.setAttribute("aria-valuetext", `${number(threshold)}: ${words}`);
  }

  get #width() {
    return this.#root.clientWidth;
  }

  get #height() {
    return this.#root.clientHeight - TICKS_PX;
  }

  #x(score) {
    return MARGIN_PX + this.#shown.axis.position(score) * (this.#width - 2 * MARGIN_PX);
  }

  #scoreAt(x) {
    const position = (x - MARGIN_PX) / (this.#width - 2 * MARGIN_PX);
    return this.#shown.axis.score(Math.min(Math.max(position, 0), 1));
  }

  #redraw() {
    const { axis, recent, calibration, threshold } = this.#shown;
    const ground = this.#height * RECENT_SHARE;
    this.#clips = ["left", "right"].map(() => svg("rect", { x: 0, y: 0, width: this.#width, height: this.#height }));
    const clips = this.#clips.map((clip, index) => svg("clipPath", { id: `side-${index}` }, clip));
    const bars = () => [
      ...this.#bars(recent, ground, -(ground - 8)),
      ...this.#bars(calibration, ground + 1, this.#height - ground - 2, "calibration"),
    ];
    this.#root.replaceChildren(
      svg("defs", {}, ...clips),
      svg("g", { class: "below", "clip-path": "url(#side-0)" }, ...bars()),
      svg("g", { class: "above", "clip-path": "url(#side-1)" }, ...bars()),
      svg("line", { class: "ground", x1: 0, x2: this.#width, y1: ground, y2: ground }),
      ...axis.ticks(TICK_GAP_PX / this.#width).map((tick) => this.#tick(tick)),
      this.#caption("recent parts", 12),
      this.#caption("good calibration parts", this.#height - 4),
      this.#handle,
    );
    this.#handle.setAttribute("aria-valuemin", axis.low);
    this.#handle.setAttribute("aria-valuemax", axis.high);
    for (const line of this.#handle.querySelectorAll("line")) line.setAttribute("y2", this.#height);
    if (threshold !== undefined) this.setThreshold(threshold, "");
  }

  #bars(scores, ground, tallest, kind = "recent") {
    const counts = new Array(BINS).fill(0);
    const span = this.#width - 2 * MARGIN_PX;
    for (const score of scores) {
      const bin = Math.floor(this.#shown.axis.position(score) * BINS);
      counts[Math.min(Math.max(bin, 0), BINS - 1)] += 1;
    }
    const most = Math.max(...counts, 1);
    return counts.flatMap((count, bin) => {
      if (!count) return [];
      const height = Math.max((count / most) * Math.abs(tallest), LEAST_BAR_PX);
      const place = { x: MARGIN_PX + (bin / BINS) * span, width: Math.max(span / BINS - 1, 1) };
      return [svg("rect", { class: kind, ...place, y: tallest < 0 ? ground - height : ground, height })];
    });
  }

  #tick(score) {
    const x = this.#x(score);
    return svg("text", { class: "tick", x, y: this.#height + 15, "text-anchor": "middle" }, number(score));
  }

  #caption(words, y) {
    return svg("text", { class: "caption", x: this.#width - 2, y, "text-anchor": "end" }, words);
  }

  #makeHandle() {
    const marks = [
      svg("rect", { class: "grip-area", x: -22, y: 0, width: 44, height: "100%" }),
      svg("line", { class: "threshold-halo", y1: 0 }),
      svg("line", { class: "threshold-line", y1: 0 }),
      svg("path", { class: "grip", d: "M-8 0H8V12L0 20L-8 12Z" }),
    ];
    const told = { tabindex: 0, role: "slider", "aria-label": "Threshold", "aria-orientation": "horizontal" };
    const handle = svg("g", { class: "threshold-handle", id: "threshold-line", ...told }, ...marks);
    handle.addEventListener("keydown", (event) => this.#key(event));
    return handle;
  }

  #key(event) {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { axis, threshold } = this.#shown;
    this.#moved(axis.score(Math.min(Math.max(axis.position(threshold) + step, 0), 1)));
  }

  #grab(event) {
    if (!this.#shown || event.button !== 0 || !this.#handle.contains(event.target)) return;
    event.preventDefault();
    this.#root.setPointerCapture(event.pointerId);
    this.#handle.focus();
  }

  #drag(event) {
    this.#moved(this.#scoreAt(event.clientX - this.#root.getBoundingClientRect().left));
  }
}
