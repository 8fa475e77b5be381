// Pointing at the roofline with a mouse, a finger or the arrow keys.

const NEAR_DOT = 14, NEAR_ROOF = 7, STILL = 5; // pixels

// The dot, else the roof, else the place at these pixels of the drawing; null outside of the axes.
function at(x, y) {
  const places = scale();
  if (!isInside(places, x, y)) return null;
  return nearestDot(places, x, y) ?? nearestRoof(places, x, y) ?? { intensity: places.intensity(x) };
}

function nearestDot(places, x, y) {
  let nearest = null, least = NEAR_DOT;
  for (const layer of shownDots()) {
    const [px, py] = pixelsOf(layer, places);
    const away = Math.max(0, Math.hypot(px - x, py - y) - sizeOf(layer) / 2 + 4);
    // of dots over each other the smaller one, which is drawn above
    if (away < least || (away === 0 && least === 0)) [nearest, least] = [layer, away];
  }
  return nearest;
}

function pixelsOf(layer, places) {
  const [intensity, rate] = placeOf(layer);
  return [places.x(intensity), places.y(rate)];
}

function nearestRoof(places, x, y) {
  const intensity = places.intensity(x);
  let nearest = null, least = NEAR_ROOF;
  for (const roof of shownRoofs()) {
    const [[from], [to]] = lineOf(roof, roof.rate);
    if (intensity < from || intensity > to) continue;
    const away = Math.abs(places.y(allowedBy(roof, intensity)) - y);
    if (away < least) [nearest, least] = [roof, away];
  }
  return nearest;
}

// "at 12 operations/byte memory (DRAM) allows 56.5 TFLOP/s"
function allowed(intensity) {
  const { memory, arithmetic } = limits();
  const unit = arithmetic?.unit ?? "FLOP/s";
  const place = `at ${short(intensity)} operations/byte`;
  if (memory && (!arithmetic || memory.rate * intensity < arithmetic.rate)) {
    return `${place} memory (${memory.label}) allows ${si(memory.rate * intensity, unit)}`;
  }
  if (!arithmetic) return place;
  return `${place} arithmetic (${arithmetic.label}) allows ${si(arithmetic.rate, unit)}`;
}

// What is said of a layer, a roof or a place.
function linesOf(item) {
  if (!item) return [];
  if (isLayer(item)) return linesOfLayer(item);
  return item.tag ? linesOfRoof(item) : [allowed(item.intensity)];
}

function isLayer(item) {
  return layerByRow.has(item?.row);
}

function sentenceOf(item) {
  return linesOf(item).join("; ");
}

function linesOfLayer(layer) {
  const rate = layer.rate ? si(layer.rate, layer.unit) : si(layer.bandwidth, "B/s");
  const lines = [layer.title === layer.name ? layer.title : `${layer.title} (${layer.name})`];
  lines.push(`${timeOf(layer)}, ${percent(layer.part)} of the time`);
  lines.push(isKnown(layer.share) ? `${rate}, ${percent(layer.share)} of its roof` : rate);
  if (isKnown(layer.least)) {
    const roof = roofByTag.get(layer.roof)?.label ?? layer.roof;
    lines.push(`least time ${si(layer.least, "s")} under ${roof}`);
  }
  if (!layer.trusted) lines.push(`not trusted: ${layer.doubt}`);
  return lines;
}

function linesOfRoof(roof) {
  const lines = [`${roof.label}: ${si(roof.rate, roof.unit)} measured ${plusMinus(roof.spread)}`.trim()];
  const theory = `theory ${si(roof.peak, roof.unit)}, ${percent(roof.share)} reached`;
  lines.push(roof.peak ? theory : "theory unknown");
  if (roof.clock) lines.push(`at ${si(roof.clock, "Hz")}`);
  if (roof.opcode) lines.push(roof.opcode);
  return lines;
}

const HINT = "Point at the roofline, or use the arrow keys.";
let focused = null; // what keys or the mouse point at

// Point at a dot, a roof, or a place: { intensity }; null: at nothing.
function pointAt(item, pixels = null, isSpoken = false) {
  focused = item;
  const readout = find("readout");
  readout.setAttribute("aria-live", isSpoken ? "polite" : "off");
  readout.textContent = sentenceOf(item) || sentenceOf(pickedItem()) || HINT;
  const roof = item ?? pickedItem();
  light(shownRoofs().includes(roof) ? roof.tag : null);
  showTip(item, pixels);
  showMarks();
  if (item?.row) showDetails(item);
  else showDetails(pickedItem());
}

function pickedItem() {
  return layerByRow.get(state.picked) ?? roofByRow.get(state.picked) ?? null;
}

function showTip(item, pixels) {
  const tip = find("tip");
  tip.hidden = !item || !pixels;
  if (tip.hidden) return;
  tip.replaceChildren(...linesOf(item).map((words) => element("div", {}, words)));
  const [x, y] = pixels;
  const room = find("plot");
  tip.style.left = "0"; // or its words wrap at the border beside which it stood before
  const left = x + 14 + tip.offsetWidth > room.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
  tip.style.left = `${Math.max(0, left)}px`;
  tip.style.top = `${Math.max(0, Math.min(y + 12, room.clientHeight - tip.offsetHeight))}px`;
}

// Marks above the drawing: rings around dots, a line from a dot to its roof, and what a place allows.
function showMarks() {
  const overlay = find("overlay");
  const places = scale();
  const marks = [];
  const picked = pickedItem();
  const shown = shownDots();
  for (const layer of [picked, focused]) {
    if (isLayer(layer) && shown.includes(layer)) marks.push(...marksOfLayer(layer, places));
  }
  if (focused?.intensity && !focused.row) marks.push(...marksOfPlace(focused.intensity, places));
  overlay.replaceChildren(...marks);
}

function mark(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function marksOfLayer(layer, places) {
  const [x, y] = pixelsOf(layer, places);
  if (!isInside(places, x, y)) return [];
  const marks = [mark("circle", { cx: x, cy: y, r: sizeOf(layer) / 2 + 3, class: "ring" })];
  const roof = roofByTag.get(layer.roof);
  if (!roof) return marks;
  const [intensity] = placeOf(layer);
  const top = Math.max(places.top, places.y(allowedBy(roof, intensity)));
  marks.push(mark("line", { x1: x, y1: y, x2: x, y2: top, class: "toroof" }));
  marks.push(mark("line", { x1: x - 5, y1: top, x2: x + 5, y2: top, class: "toroof end" }));
  return marks;
}

function marksOfPlace(intensity, places) {
  const { memory, arithmetic } = limits();
  const rates = [memory && memory.rate * intensity, arithmetic?.rate].filter(Boolean);
  const x = places.x(intensity);
  const marks = [mark("line", { x1: x, y1: places.bottom, x2: x, y2: places.top, class: "guide" })];
  if (rates.length) {
    const y = places.y(Math.min(...rates));
    if (isInside(places, x, y)) marks.push(mark("circle", { cx: x, cy: y, r: 4, class: "here" }));
  }
  return marks;
}

// Dots in the order of the arrow keys: left and right by operations per byte, up and down by rate.
function step(key) {
  const axis = key === "ArrowLeft" || key === "ArrowRight" ? 0 : 1;
  const direction = key === "ArrowRight" || key === "ArrowUp" ? 1 : -1;
  const targets = HAS_LAYERS ? shownDots() : shownRoofs();
  if (!targets.length) return;
  const keyed = targets.map((item) => [sortKey(item, axis), item]);
  keyed.sort((first, second) => first[0] - second[0]);
  const ordered = keyed.map(([, item]) => item);
  const last = ordered.length - 1;
  const current = ordered.indexOf(focused ?? pickedItem());
  const first = direction > 0 ? 0 : last;
  const next = current < 0 ? first : Math.min(Math.max(current + direction, 0), last);
  pointAt(ordered[next], pixelsOfItem(ordered[next]), true);
}

function sortKey(item, axis) {
  return isLayer(item) ? placeOf(item)[axis] : item.rate * (item.is_memory ? 1e-30 : 1);
}

function pixelsOfItem(item) {
  const places = scale();
  if (isLayer(item)) return pixelsOf(item, places);
  const [[from], [to]] = lineOf(item, item.rate);
  const [low, high] = [Math.max(places.x(from), places.left), Math.min(places.x(to), places.right)];
  const x = (low + high) / 2;
  return [x, places.y(allowedBy(item, places.intensity(x)))];
}

const ZOOM_KEYS = { "+": "in", "-": "out", 0: "all" };

function onKey(event) {
  const { key } = event;
  if (key.startsWith("Arrow")) {
    step(key);
  } else if ((key === "Enter" || key === " ") && focused?.row) {
    pick(focused.row);
  } else if (key === "Escape") {
    pointAt(null);
    pick("");
  } else if (key in ZOOM_KEYS) {
    zoom(ZOOM_KEYS[key]);
  } else {
    return;
  }
  event.preventDefault();
}

function watchPointer() {
  const plot = find("plot");
  let pressed = null, waiting = null;
  function pixels(event) {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  function answer() {
    if (waiting) pointAt(at(...waiting), waiting);
    waiting = null;
  }
  plot.addEventListener("pointermove", (event) => {
    // one answer for each picture of the screen, however fast the mouse is
    if (!waiting) requestAnimationFrame(answer);
    waiting = pixels(event);
  });
  plot.addEventListener("pointerleave", () => {
    waiting = null;
    pointAt(null);
  });
  // plotly keeps clicks to itself, so they are told by where the button went down and up
  plot.addEventListener("pointerdown", (event) => { pressed = pixels(event); }, true);
  addEventListener("pointerup", (event) => {
    if (!pressed) return;
    const [x, y] = pixels(event);
    const isClick = Math.hypot(x - pressed[0], y - pressed[1]) < STILL;
    pressed = null;
    if (!isClick) return;
    const item = at(x, y);
    pick(item?.row && item.row !== state.picked ? item.row : "");
    pointAt(item, [x, y], true);
  }, true);
  plot.addEventListener("keydown", onKey);
  plot.addEventListener("focus", () => {
    if (!focused && plot.matches(":focus-visible")) step("ArrowRight");
  });
  plot.addEventListener("blur", () => pointAt(null));
}
