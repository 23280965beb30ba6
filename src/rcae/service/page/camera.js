/** Which part of an image a frame shows, and how large. Knows numbers only. */

const SMALL_IMAGE_TIMES = 8; // an image of few pixels is enlarged at most so to fit
const MOST = 32;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** `scale` is frame pixels per image pixel; `x`, `y` is where the image's corner lies in the frame. */
export class Camera {
  scale = 1;
  x = 0;
  y = 0;
  isFitted = true;
  #frame = [1, 1];
  #image = [1, 1];

  /** @param {[number, number]} size of the image, px */
  setImage(size) {
    this.#image = size;
    this.fit();
  }

  /** @param {[number, number]} size of the frame, px */
  setFrame(size) {
    this.#frame = size;
    if (this.isFitted) this.fit();
    else this.#keepInside();
  }

  /** Show the whole image, as large as it can be. */
  fit() {
    this.scale = this.#fittingScale();
    this.isFitted = true;
    this.#keepInside();
  }

  /**
   * Enlarge or shrink around a point of the frame, its middle if none is given.
   * @param {number} factor
   * @param {[number, number]} [point]
   */
  zoom(factor, point = [this.#frame[0] / 2, this.#frame[1] / 2]) {
    const fitting = this.#fittingScale();
    const scale = clamp(this.scale * factor, Math.min(fitting, 1), Math.max(fitting, MOST));
    this.x = point[0] - ((point[0] - this.x) * scale) / this.scale;
    this.y = point[1] - ((point[1] - this.y) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = Math.abs(scale - fitting) < 1e-9;
    this.#keepInside();
  }

  /** @param {number} dx @param {number} dy px of the frame that the image moves by */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#keepInside();
  }

  /** Bring a point of the image to the middle of the frame. */
  lookAt(x, y, scale) {
    this.zoom(scale / this.scale);
    this.x = this.#frame[0] / 2 - x * this.scale;
    this.y = this.#frame[1] / 2 - y * this.scale;
    this.#keepInside();
  }

  #fittingScale() {
    const [across, down] = [0, 1].map((axis) => this.#frame[axis] / this.#image[axis]);
    return Math.min(across, down, SMALL_IMAGE_TIMES);
  }

  /** An image larger than the frame fills it; a smaller one lies in its middle. */
  #keepInside() {
    const [x, y] = [this.x, this.y].map((start, axis) => {
      const room = this.#frame[axis] - this.#image[axis] * this.scale;
      return room > 0 ? room / 2 : clamp(start, room, 0);
    });
    this.x = x;
    this.y = y;
  }
}
