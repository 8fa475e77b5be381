// What the page was made with, and small helpers to build its elements.

const DATA = JSON.parse(document.getElementById("data").textContent);
const FILES = JSON.parse(document.getElementById("files").textContent);
const HAS_LAYERS = DATA.layers.length > 0;

const roofByTag = new Map(DATA.roofs.map((roof) => [roof.tag, roof]));
const layerByRow = new Map(DATA.layers.map((layer) => [layer.row, layer]));
const roofByRow = new Map(DATA.roofs.map((roof) => [roof.row, roof]));

function find(name) {
  return document.getElementById(name);
}

// An element with these attributes and children; texts are texts, whatever stands in them.
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && isKnown(value)) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// How many of what: "1 layer", "3 layers".
function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

// Sums of a number of these items by a key, the largest first.
function sums(items, keyOf, numberOf) {
  const totals = new Map();
  for (const item of items) {
    const key = keyOf(item);
    totals.set(key, (totals.get(key) ?? 0) + numberOf(item));
  }
  return [...totals].sort((first, second) => second[1] - first[1]);
}
