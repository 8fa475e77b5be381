// What is shown and selected. It lives in the hash of the URL, so that a view can be sent to others.

const DEFAULTS = {
  view: 0,
  variation: 0,
  // Subjects of flat roofs, and tags of slopes; null: those that the layers shown need.
  roofs: null,
  levels: null,
  theory: false,
  sparse: false,
  paths: false,
  hiddenFamilies: [],
  hiddenBounds: [],
  leastPart: 0,
  words: "",
  picked: "",
};
let state = { ...DEFAULTS };

// A text for the hash, without the sign and without what is as it always is: "roofs=fp16,fp32&theory=true".
function hashOf(shown) {
  const words = [];
  for (const [name, value] of Object.entries(shown)) {
    if (JSON.stringify(value) === JSON.stringify(DEFAULTS[name])) continue;
    const parts = Array.isArray(value) ? value : [value];
    words.push(`${name}=${parts.map(encoded).join(",")}`);
  }
  return words.join("&");
}

function encoded(value) {
  return encodeURIComponent(value).replaceAll("%2F", "/").replaceAll("%20", "+");
}

function decoded(text) {
  return decodeURIComponent(text.replaceAll("+", "%20"));
}

// The state in a hash; what it does not hold, or holds wrongly, is as it always is.
function stateOf(hash) {
  const shown = { ...DEFAULTS };
  for (const part of hash.split("&")) {
    const [name, text = ""] = part.split("=");
    // a link may have been cut, or written by hand
    try {
      const value = name in DEFAULTS ? valueOf(name, text) : undefined;
      if (value !== undefined) shown[name] = value;
    } catch {
      continue;
    }
  }
  const view = DATA.views[shown.view];
  if (!view) shown.view = 0;
  if (!view || !view.variations[shown.variation]) shown.variation = 0;
  return shown;
}

function valueOf(name, text) {
  const isList = name === "roofs" || name === "levels" || name.startsWith("hidden");
  if (isList) return text ? text.split(",").map(decoded) : [];
  switch (typeof DEFAULTS[name]) {
    case "number": return Number(text) >= 0 ? Number(text) : undefined;
    case "boolean": return text === "true";
    default: return decoded(text);
  }
}

// Show something else, and write it into the URL.
function change(changes) {
  const before = state;
  state = { ...state, ...changes };
  const hash = hashOf(state);
  // a page opened from disk may not change its URL: it works all the same
  try {
    history.replaceState(null, "", `#${hash}`);
  } catch {
    location.replace(`#${hash}`);
  }
  showAll(before);
}

function view() {
  return DATA.views[state.view];
}

function variation() {
  return view()?.variations[state.variation];
}

function layersOfView() {
  return DATA.layers.filter((layer) => layer.view === state.view);
}

// The layers of the network or sweep in one of its precisions.
function layersOf(variationPlace) {
  return layersOfView().filter((layer) => layer.variation === variationPlace);
}

// Those that the filters let through.
function shownLayers() {
  return layersOf(state.variation).filter(passes);
}

function passes(layer) {
  return !state.hiddenFamilies.includes(layer.family)
    && !state.hiddenBounds.includes(boundOf(layer))
    && 100 * layer.part >= state.leastPart
    && hasWords(layer);
}

function boundOf(layer) {
  return layer.bound || "not known";
}

function hasWords(layer) {
  if (!state.words) return true;
  const { name, title, op, family, bound, roof } = layer;
  const text = [name, title, op, family, bound, roof].join(" ");
  return text.toLowerCase().includes(state.words.toLowerCase());
}

function flats() {
  return DATA.roofs.filter((roof) => !roof.is_memory);
}

function slopes() {
  return DATA.roofs.filter((roof) => roof.is_memory && roof.is_main);
}

// Number formats whose roofs are shown.
function shownSubjects() {
  return state.roofs ?? neededSubjects();
}

function neededSubjects() {
  const types = layersOf(state.variation).map((layer) => layer.type);
  const known = flats().map((roof) => roof.subject);
  const needed = [...new Set(types)].filter((type) => known.includes(type));
  return needed.length ? needed : [...new Set(known)];
}

// Tags of the levels of memory that are shown.
function shownLevels() {
  return state.levels ?? neededLevels();
}

function neededLevels() {
  if (!HAS_LAYERS) return slopes().map((roof) => roof.tag);
  const needed = layersOf(state.variation).map((layer) => layer.roof);
  return slopes().map((roof) => roof.tag).filter(
    (tag) => tag === DATA.memory || needed.includes(tag),
  );
}

function shownRoofs() {
  const subjects = shownSubjects();
  const levels = shownLevels();
  return DATA.roofs.filter((roof) => {
    if (roof.is_memory) return roof.is_main && levels.includes(roof.tag);
    if (roof.is_sparse && !state.sparse) return false;
    if (!roof.is_main && !state.paths) return false;
    return subjects.includes(roof.subject);
  });
}

function shownFlats() {
  return shownRoofs().filter((roof) => !roof.is_memory);
}

function shownSlopes() {
  return shownRoofs().filter((roof) => roof.is_memory);
}

// The slope of main memory, and the highest flat roof that programs without zeros reach.
function limits() {
  const memory = roofByTag.get(DATA.memory) ?? slopes().at(-1);
  const dense = shownFlats().filter((roof) => !roof.is_sparse);
  return { memory, arithmetic: dense[0] };
}
