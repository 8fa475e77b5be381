// The roofline as plotly draws it: zones, roofs, theory and the layers as dots.

const SYMBOLS = [
  "circle", "square", "diamond", "triangle-up", "triangle-down",
  "cross", "x", "hexagon", "star", "pentagon",
];
const EQUAL = 0.02; // roofs that differ by less have one label
const LABEL_HEIGHT = 14; // pixels
const SMALLEST_DOT = 7, LARGEST_DOT = 34; // pixels across
const FADED = 0.18;
const MOVING = 400; // milliseconds that dots take to their place in another precision
let lit = null; // the tag of the roof that is pointed at: the others fade

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function isDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// A colour that is seen on the page's ground: in the dark it is mixed with white.
function onGround(colour) {
  if (!colour) return css("--ink");
  if (!isDark()) return colour;
  const parts = [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));
  const mixed = parts.map((part) => Math.round(part + (255 - part) * 0.45));
  return `rgb(${mixed.join(",")})`;
}

function colourOf(layer) {
  return onGround(view().families[layer.family]);
}

function symbolOf(layer) {
  return SYMBOLS[Object.keys(view().families).indexOf(layer.family) % SYMBOLS.length];
}

// The area of a dot is its share of the time.
function sizeOf(layer) {
  return Math.min(Math.max(SMALLEST_DOT, 110 * Math.sqrt(layer.part)), LARGEST_DOT);
}

function draw() {
  range = wholeRange();
  const { x, y } = zoomed ?? range;
  Plotly.react(find("drawing"), [...lines(), dots(shownDots())], layout(x, y), {
    displayModeBar: false,
    responsive: false,
    doubleClick: false,
    scrollZoom: false,
    showTips: false,
  });
}

// Layers that have a place, the big ones first so that none is hidden.
function shownDots() {
  return shownLayers().filter(placeOf).sort((first, second) => second.part - first.part);
}

function lines() {
  const drawn = [];
  for (const roof of shownRoofs()) {
    drawn.push(line(roof, roof.rate, roof.is_sparse || !roof.is_main ? "dot" : "solid"));
    if (state.theory && roof.peak) drawn.push(line(roof, roof.peak, "dash"));
  }
  return drawn;
}

function line(roof, rate, dash) {
  const [[x0, y0], [x1, y1]] = lineOf(roof, rate);
  const isThin = dash !== "solid";
  return {
    type: "scatter", mode: "lines", x: [x0, x1], y: [y0, y1], meta: roof.tag, hoverinfo: "skip",
    opacity: lit && lit !== roof.tag ? FADED : 1,
    line: { color: onGround(roof.colour), width: isThin ? 1.2 : 2.4, dash },
  };
}

function dots(layers, places = layers.map(placeOf)) {
  return {
    type: "scatter", mode: "markers", hoverinfo: "skip",
    x: places.map(([x]) => x), y: places.map(([, y]) => y),
    opacity: lit ? 0.5 : 1,
    marker: {
      size: layers.map(sizeOf), color: layers.map(colourOf), symbol: layers.map(symbolOf), opacity: 0.72,
      line: { width: 0.8, color: css("--card") },
    },
  };
}

function layout(x, y) {
  const font = { family: "system-ui, sans-serif", size: 12, color: css("--ink") };
  const axis = {
    type: "log", tickmode: "array", ticks: "outside", zeroline: false,
    gridcolor: css("--grid"), linecolor: css("--line"),
    tickcolor: css("--line"), fixedrange: false, automargin: false,
  };
  return {
    ...sizeOfDrawing(), margin: margins(), autosize: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font,
    showlegend: false, hovermode: false,
    // on a touch screen a finger on the drawing scrolls the page; buttons zoom
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: { ...axis, ...ticks(x, short), range: x, title: { text: "operations per byte", standoff: 6 } },
    yaxis: { ...axis, ...ticks(y, tickOfRate), range: y, title: { text: unitOfRates(), standoff: 4 } },
    shapes: zones(),
    annotations: names(),
  };
}

function unitOfRates() {
  const ofRoofs = shownFlats().map((roof) => roof.unit);
  const units = new Set([...ofRoofs, ...layersOf(state.variation).map((layer) => layer.unit)]);
  return units.size ? [...units].sort().join(" or ") : "FLOP/s";
}

function tickOfRate(rate) {
  const [number, prefix] = scaled(rate);
  return `${short(number)} ${prefix}`;
}

const MOST_TICKS = 9;

// Numbers along an axis: powers of ten, with what lies between them where the range is small.
function ticks([low, high], wordsOf) {
  const steps = high - low < 2 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil((high - low) / MOST_TICKS));
  const values = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    if (power % stride) continue;
    values.push(...steps.map((factor) => factor * 10 ** power));
  }
  const seen = values.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  return { tickvals: seen, ticktext: seen.map(wordsOf) };
}

// Left of the ridge memory decides, right of it arithmetic.
function zones() {
  const { memory, arithmetic } = limits();
  if (!memory || !arithmetic) return [];
  const ridge = Math.log10(arithmetic.rate / memory.rate);
  const zone = {
    type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 0 },
  };
  return [
    { ...zone, x0: 10 ** -12, x1: 10 ** ridge, fillcolor: css("--memory-zone") },
    { ...zone, x0: 10 ** ridge, x1: FAR, fillcolor: css("--arithmetic-zone") },
  ];
}

// The names of zones and roofs where they fit at this size and enlargement.
function names() {
  const places = scale();
  return [...namesOfZones(places), ...namesOfSlopes(places), ...namesOfFlats(places)];
}

// A text at pixels of the drawing.
function text(words, x, y, more = {}) {
  const places = scale();
  return {
    text: words, showarrow: false, xref: "paper", yref: "paper",
    x: (x - places.left) / (places.right - places.left),
    y: (places.bottom - y) / (places.bottom - places.top),
    font: { size: 12, color: css("--ink") }, ...more,
  };
}

function namesOfZones(places) {
  const { memory, arithmetic } = limits();
  const named = [];
  if (memory && arithmetic) {
    const ridge = places.x(arithmetic.rate / memory.rate);
    const [left, right] = [Math.max(places.left, Math.min(ridge, places.right)), places.right];
    const soft = { font: { size: 11, color: css("--soft") }, yanchor: "bottom" };
    const y = places.top - 3;
    if (left - places.left > 190) named.push(text("memory decides", (places.left + left) / 2, y, soft));
    const isNarrow = right - left < 110;
    const middle = isNarrow ? right : (left + right) / 2;
    const anchor = isNarrow ? { ...soft, xanchor: "right" } : soft;
    if (right > left) named.push(text("arithmetic decides", middle, y, anchor));
  }
  if (hasMovers() && !zoomed) {
    const soft = { font: { size: 11, color: css("--soft") }, xanchor: "left", yanchor: "bottom" };
    named.push(text("no arithmetic", places.left + 26, places.bottom - 3, soft));
  }
  return named;
}

function isWide(places) {
  return sizeOfDrawing().width - places.right > 40;
}

// Flat roofs are named at their right end, equal ones together; names give way up and down.
function namesOfFlats(places) {
  const last = places.intensity(places.right);
  const seen = equalFlats().filter(([roof]) => {
    const [[first]] = lineOf(roof, roof.rate);
    return first < last && isInside(places, places.right, places.y(roof.rate));
  });
  const most = Math.max(1, Math.floor((places.bottom - places.top) / LABEL_HEIGHT));
  const heights = seen.slice(0, most).map((group) => [places.y(group[0].rate), group]);
  const isBeside = isWide(places);
  return spread(heights, places).map(([y, group]) => {
    const isLit = !lit || group.some((roof) => roof.tag === lit);
    return text(nameOfFlats(group), isBeside ? places.right + 6 : places.right - 4, y, {
      xanchor: isBeside ? "left" : "right",
      yanchor: isBeside ? "middle" : "bottom",
      align: "left",
      font: { size: 11, color: css("--ink") },
      opacity: isLit ? 1 : 0.35,
    });
  });
}

// The flat roofs shown, those of nearly equal height together.
function equalFlats() {
  const groups = [];
  for (const roof of shownFlats()) {
    const group = groups.find(([first]) => Math.abs(first.rate / roof.rate - 1) < EQUAL);
    if (group) group.push(roof);
    else groups.push([roof]);
  }
  return groups;
}

// Pixels that the names right of the axes take.
function roomForNames() {
  const letters = equalFlats().map((group) => wordsOfFlats(group).length);
  return 34 + 6.3 * Math.max(6, ...letters);
}

const LONGEST_LABEL = 26;

function nameOfFlats(group) {
  return `<span style="color:${onGround(group[0].colour)}">▬</span> ${escaped(wordsOfFlats(group))}`;
}

// "FP16 wgmma-fp32 834 T"; of several, "FP16 = BF16 132 T".
function wordsOfFlats(group) {
  const subjects = [...new Set(group.map((roof) => roof.subject.toUpperCase()))];
  const names = subjects.length === 1 ? group[0].label : subjects.join(" = ");
  const words = names.length > LONGEST_LABEL ? `${names.slice(0, LONGEST_LABEL)}…` : names;
  return `${words} ${si(group[0].rate, "").trim()}`;
}

function escaped(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

// Heights in pixels from the top, moved apart so that each has the room of a line: [[y, item], ...].
function spread(items, places) {
  const moved = [];
  for (const [y, item] of [...items].sort((first, second) => first[0] - second[0])) {
    const above = moved.at(-1);
    moved.push([Math.max(y, above ? above[0] + LABEL_HEIGHT : places.top), item]);
  }
  let floor = places.bottom;
  for (const entry of [...moved].reverse()) {
    entry[0] = Math.min(entry[0], floor);
    floor = entry[0] - LABEL_HEIGHT;
  }
  return moved;
}

// Slopes are named along their lines, each further up than the slower one before.
function namesOfSlopes(places) {
  // all slopes are parallel where both axes are logarithmic
  const slant = Math.atan2(places.y(1) - places.y(10), places.x(10) - places.x(1));
  const angle = -slant * (180 / Math.PI);
  const named = [];
  let part = 0.25;
  for (const roof of shownSlopes().reverse()) {
    const [, [end]] = lineOf(roof, roof.rate);
    const [first, last] = [firstInside(roof, places), Math.min(end, places.intensity(places.right))];
    if (!(first < last)) continue;
    const x = places.x(first) + (places.x(last) - places.x(first)) * part;
    if (places.x(last) - places.x(first) < 90) continue;
    const y = places.y(roof.rate * places.intensity(x));
    const words = `${escaped(roof.label)} ${si(roof.rate, "B/s")}`;
    const [left, up] = [LABEL_HEIGHT * 0.7 * Math.sin(slant), LABEL_HEIGHT * 0.7 * Math.cos(slant)];
    named.push(text(words, x - left, y - up, {
      textangle: angle, xanchor: "center", yanchor: "middle", font: { size: 11, color: css("--soft") },
      opacity: lit && lit !== roof.tag ? 0.35 : 1,
    }));
    part = part > 0.6 ? 0.25 : part + 0.2;
  }
  return named;
}

// The least intensity at which a slope is within the axes.
function firstInside(roof, places) {
  return Math.max(places.intensity(places.left), places.rate(places.bottom) / roof.rate);
}

// Move the dots from where they stood in another precision to where they stand now.
function moveDots(before) {
  const moves = before && before.view === state.view && before.variation !== state.variation;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
  if (!moves || isStill) return;
  const then = new Map(layersOf(before.variation).map((layer) => [layer.name, placeOf(layer)]));
  const layers = shownDots();
  const ends = layers.map(placeOf);
  const starts = layers.map((layer, number) => then.get(layer.name) ?? ends[number]);
  const begin = performance.now();
  const shown = state;
  function step(now) {
    if (state !== shown) return;
    const part = Math.min(1, (now - begin) / MOVING);
    // both axes are logarithmic, so the way between two places is one of powers
    const between = ends.map(([x, y], number) => {
      const [fromX, fromY] = starts[number];
      return [fromX ** (1 - part) * x ** part, fromY ** (1 - part) * y ** part];
    });
    const moved = dots(layers, between);
    Plotly.restyle(find("drawing"), { x: [moved.x], y: [moved.y] }, [find("drawing").data.length - 1]);
    if (part < 1) requestAnimationFrame(step);
  }
  requestAnimationFrame(step);
}

// Let one roof stand out, or none.
function light(tag) {
  if (lit === tag) return;
  lit = tag;
  const drawing = find("drawing");
  const opacities = drawing.data.map((trace) => {
    if (trace.mode === "markers") return tag ? 0.5 : 1;
    return tag && trace.meta !== tag ? FADED : 1;
  });
  Plotly.update(drawing, { opacity: opacities }, { annotations: names() });
}

function zoom(how) {
  if (how === "all") {
    zoomed = null;
  } else {
    const factor = how === "in" ? 0.6 : 1 / 0.6;
    const { x, y } = zoomed ?? range;
    zoomed = { x: around(x, factor), y: around(y, factor) };
  }
  draw();
  showMarks();
}

function around([low, high], factor) {
  const middle = (low + high) / 2, half = ((high - low) / 2) * factor;
  return [middle - half, middle + half];
}
