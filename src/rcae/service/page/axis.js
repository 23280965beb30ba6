/** Where scores lie on a chart: evenly up to about the threshold, then ever closer, as logarithms do. */

const STEPS = [5, 2, 1];
const MULTIPLES = 6; // of a step, from the low end: further up the axis is too narrow for it

/** An inverse hyperbolic sine: a defect of 50 times the threshold fits beside the good parts. */
export class ScoreAxis {
  #zero;
  #unit;
  #start;
  #end;

  /**
   * @param {number} middle the score of an ordinary good part
   * @param {number} threshold above it
   * @param {number[]} scores that must lie on the axis
   */
  constructor(middle, threshold, scores) {
    this.#zero = middle;
    this.#unit = threshold - middle || 1;
    const room = 0.2 * this.#unit;
    this.low = scores.reduce((low, score) => Math.min(low, score), middle) - room;
    const high = scores.reduce((high, score) => Math.max(high, score), threshold + 0.5 * this.#unit);
    this.high = high + 0.05 * (high - middle);
    this.#start = this.#bend(this.low);
    this.#end = this.#bend(this.high);
  }

  #bend(score) {
    return Math.asinh((score - this.#zero) / this.#unit);
  }

  /** @param {number} score @returns {number} 0 at the low end, 1 at the high end */
  position(score) {
    return (this.#bend(score) - this.#start) / (this.#end - this.#start);
  }

  /** @param {number} position in 0..1 @returns {number} */
  score(position) {
    return this.#zero + this.#unit * Math.sinh(this.#start + position * (this.#end - this.#start));
  }

  /**
   * Round scores to write below the axis, the roundest first where there is no room for all.
   * @param {number} gap the least distance, in 0..1
   * @returns {number[]}
   */
  ticks(gap) {
    const chosen = [];
    const largest = Math.ceil(Math.log10(Math.max(Math.abs(this.low), Math.abs(this.high))));
    for (let power = largest; ; power--) {
      for (const step of STEPS) {
        if (step * 10 ** power < this.#unit / 10) return chosen;
        const from = Math.ceil(this.low / (step * 10 ** power));
        for (let count = from; count < from + MULTIPLES; count++) {
          const tick = Number((count * step * 10 ** power).toPrecision(6));
          if (tick > this.high) break;
          if (chosen.every((other) => Math.abs(this.position(other) - this.position(tick)) >= gap)) chosen.push(tick);
        }
      }
    }
    return chosen;
  }
}
