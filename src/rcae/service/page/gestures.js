/** Wheel, fingers, mouse and arrow keys on the viewer. */

const KEY_STEP_PX = 60;
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * Let a person move and zoom what a frame shows.
 * @param {HTMLElement} frame
 * @param {import("./camera.js").Camera} camera
 * @param {() => void} moved called after every move
 */
export function listenToGestures(frame, camera, moved) {
  const fingers = new Map();

  const inFrame = (event) => {
    const corner = frame.getBoundingClientRect();
    return [event.clientX - corner.left, event.clientY - corner.top];
  };

  function wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    camera.zoom(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 400)), inFrame(event));
    moved();
  }

  function down(event) {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, inFrame(event));
  }

  function move(event) {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = inFrame(event);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
      camera.zoom(apart(now) / Math.max(apart(before), 1), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
    }
    const share = other ? 0.5 : 1; // with two fingers the middle between them moves half as far
    camera.pan(share * (now[0] - before[0]), share * (now[1] - before[1]));
    fingers.set(event.pointerId, now);
    moved();
  }

  const up = (event) => fingers.delete(event.pointerId);

  function key(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    camera.pan(arrow[0] * KEY_STEP_PX, arrow[1] * KEY_STEP_PX);
    moved();
  }

  frame.addEventListener("wheel", wheel, { passive: false });
  frame.addEventListener("pointerdown", down);
  frame.addEventListener("pointermove", move);
  frame.addEventListener("pointerup", up);
  frame.addEventListener("pointercancel", up);
  frame.addEventListener("keydown", key);
}
