// Places on the roofline: from operations per byte and rates to pixels and back. Both axes are logarithmic.

const FAR = 1e12; // where lines end that go on for ever
let zoomed = null; // the range of the axes that the reader chose
let range = { x: [-1, 3], y: [9, 13] }; // of the axes where nothing is enlarged, in powers of ten

const NARROW = 560; // pixels, below which names stand within the axes
const LEAST_WIDTH = 240, LEAST_HEIGHT = 160; // pixels: plotly cannot draw where there is no room

// The size of the drawing in pixels.
function sizeOfDrawing() {
  const plot = find("plot");
  return {
    width: Math.max(plot.clientWidth, LEAST_WIDTH),
    height: Math.max(plot.clientHeight, LEAST_HEIGHT),
  };
}

// The room around the axes, in pixels.
function margins() {
  const isNarrow = sizeOfDrawing().width < NARROW;
  return isNarrow ? { l: 62, r: 12, t: 26, b: 44 } : { l: 72, r: roomForNames(), t: 26, b: 48 };
}

function scale() {
  const whole = sizeOfDrawing();
  const { l, r, t, b } = margins();
  const { x: [x0, x1], y: [y0, y1] } = zoomed ?? range;
  const width = whole.width - l - r;
  const height = whole.height - t - b;
  return {
    left: l, right: l + width, top: t, bottom: t + height,
    x: (intensity) => l + ((Math.log10(intensity) - x0) / (x1 - x0)) * width,
    y: (rate) => t + ((y1 - Math.log10(rate)) / (y1 - y0)) * height,
    intensity: (pixel) => 10 ** (x0 + ((pixel - l) / width) * (x1 - x0)),
    rate: (pixel) => 10 ** (y1 - ((pixel - t) / height) * (y1 - y0)),
  };
}

// Whether pixels lie within the axes.
function isInside(places, x, y) {
  return x >= places.left && x <= places.right && y >= places.top && y <= places.bottom;
}

// The range of both axes (powers of ten) that holds the roofs shown, and all layers of the view in every
// precision: it stays where it is when another precision is shown.
function wholeRange() {
  const layers = layersOfView();
  const types = new Set(layers.map((layer) => layer.type));
  const shown = new Set(shownRoofs());
  const roofs = DATA.roofs.filter((roof) => {
    const isNeeded = roof.is_main && !roof.is_sparse && types.has(roof.subject);
    return isNeeded || shown.has(roof);
  });
  const memory = roofs.filter((roof) => roof.is_memory);
  const compute = roofs.filter((roof) => !roof.is_memory);
  const [fastest, slowest] = [memory[0], memory.at(-1)];
  const [highest, lowest] = [compute[0], compute.at(-1)];
  const xs = [], ys = [];
  if (fastest && highest) {
    xs.push(lowest.rate / fastest.rate / 8, (highest.rate / slowest.rate) * 4);
    ys.push(highest.rate * 1.6, (lowest.rate / fastest.rate / 8) * slowest.rate);
  } else if (highest) {
    xs.push(0.1, 1000);
    ys.push(highest.rate * 1.6, lowest.rate / 100);
  } else if (fastest) {
    xs.push(0.1, 100);
    ys.push(fastest.rate * 100, slowest.rate / 10);
  }
  for (const layer of layers) {
    if (layer.intensity && layer.rate) {
      xs.push(layer.intensity / 2, layer.intensity * 2);
      ys.push(layer.rate / 2, layer.rate * 2);
    }
  }
  if (!xs.length) return range;
  const x = [Math.log10(Math.min(...xs)), Math.log10(Math.max(...xs))];
  const movers = layers.filter(computesNothing);
  if (movers.length) x[0] -= (x[1] - x[0]) / 12;
  ys.push(...movers.map((layer) => (layer.bandwidth * edgeOf(x)) / 2));
  return { x, y: [Math.log10(Math.min(...ys)), Math.log10(Math.max(...ys))] };
}

// Where layers stand that compute nothing: a little right of the least intensity.
function edgeOf([low, high]) {
  return 10 ** (low + (high - low) / 40);
}

function computesNothing(layer) {
  return layer.flops === 0 && layer.bandwidth > 0;
}

function hasMovers() {
  return layersOfView().some(computesNothing);
}

// Where a layer stands: (operations per byte, rate). One that computes nothing stands at the left edge, as
// far below the slopes as its bandwidth is below theirs; null: its work is not known.
function placeOf(layer) {
  if (layer.intensity && layer.rate) return [layer.intensity, layer.rate];
  if (!computesNothing(layer)) return null;
  const edge = edgeOf(range.x);
  return [edge, layer.bandwidth * edge];
}

// The ends of a roof's line: a slope goes up to the highest flat roof, a flat one begins at the first slope.
function lineOf(roof, rate) {
  const others = shownRoofs().filter((other) => other.is_memory !== roof.is_memory);
  const highest = Math.max(0, ...others.map((other) => other.rate));
  if (roof.is_memory) {
    const end = highest ? highest / rate : FAR;
    return [[1 / FAR, rate / FAR], [end, rate * end]];
  }
  const fastest = highest;
  return [[fastest ? rate / fastest : 1 / FAR, rate], [FAR, rate]];
}

// What a roof allows at so many operations per byte.
function allowedBy(roof, intensity) {
  return roof.is_memory ? roof.rate * intensity : roof.rate;
}
