// What is known of a layer, a roof, or all layers that are shown.

function showDetails(item) {
  const box = find("details");
  const close = element("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => closeDrawers());
  box.replaceChildren(close, ...contentOf(item));
}

function contentOf(item) {
  if (layerByRow.has(item?.row)) return detailsOfLayer(item);
  if (roofByTag.has(item?.tag)) return detailsOfRoof(item);
  return HAS_LAYERS ? overview() : overviewOfRoofs();
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value) list.append(element("dt", {}, name), element("dd", {}, value));
  }
  return list;
}

function detailsOfLayer(layer) {
  const roof = roofByTag.get(layer.roof);
  const parts = [element("h3", {}, layer.title)];
  const words = `${layer.name} · ${layer.family} · ${layer.type.toUpperCase()}`;
  parts.push(element("p", { class: "soft" }, words));
  if (!layer.trusted) parts.push(element("p", { class: "warn" }, `Not trusted: ${layer.doubt}`));
  parts.push(facts([
    ["Time", timeOf(layer)],
    ["Share of the time", percent(layer.part)],
    ["Least time", isKnown(layer.least) ? si(layer.least, "s") : "not known"],
    ["To gain", isKnown(layer.gain) ? si(layer.gain, "s") : ""],
    ["Rate", layer.rate ? si(layer.rate, layer.unit) : ""],
    ["Bandwidth", layer.bandwidth ? si(layer.bandwidth, "B/s") : ""],
    ["Share of its roof", isKnown(layer.share) ? percent(layer.share) : ""],
    ["Roof", roof ? `${roof.label}, ${si(roof.rate, roof.unit)}` : layer.roof],
    ["Bound by", layer.bound || "not known"],
    ["Work", workOf(layer)],
    ["Opcode of the roof", roof?.opcode],
  ]));
  if (layer.alike) parts.push(element("p", {}, alikeOf(layer.alike)));
  const remark = DATA.remarks[layer.remark];
  if (remark) parts.push(element("h4", {}, "Advice"), element("p", {}, remark));
  parts.push(...otherPrecisions(layer));
  return parts;
}

function timeOf(layer) {
  return `${si(layer.seconds, "s")} ${plusMinus(layer.spread)}`.trim();
}

function workOf(layer) {
  const unit = layer.unit.replace("/s", "");
  const operations = isKnown(layer.flops) ? si(layer.flops, unit) : "unknown operations";
  const bytes = isKnown(layer.bytes) ? si(layer.bytes, "B") : "unknown bytes";
  const intensity = layer.intensity ? `, ${short(layer.intensity)} operations/byte` : "";
  return `${operations}, ${bytes}${intensity}`;
}

function alikeOf(group) {
  const gain = isKnown(group.gain) ? `, ${si(group.gain, "s")} to gain` : "";
  return `One of ${group.name}: ${si(group.seconds, "s")} together${gain}.`;
}

function otherPrecisions(layer) {
  const others = layersOfView().filter((other) => other.name === layer.name);
  if (others.length < 2) return [];
  const list = element("ul", { class: "plainlist" });
  for (const other of others) {
    const label = view().variations[other.variation].label;
    const words = `${label}: ${si(other.seconds, "s")}, ${other.bound || "bound not known"}`;
    list.append(element("li", {}, words));
  }
  return [element("h4", {}, "In every precision"), list];
}

function detailsOfRoof(roof) {
  const notes = [];
  if (roof.is_sparse) notes.push("Sparse: it counts the logical work, half of which is skipped.");
  if (roof.remark) notes.push(roof.remark);
  return [
    element("h3", {}, roof.label),
    element("p", { class: "soft" }, roof.tag),
    facts([
      ["Measured", si(roof.rate, roof.unit)],
      ["Theory", roof.peak ? si(roof.peak, roof.unit) : "unknown"],
      ["Share of theory", isKnown(roof.share) ? percent(roof.share) : ""],
      ["Spread", plusMinus(roof.spread)],
      ["Clock", roof.clock ? si(roof.clock, "Hz") : "not observed"],
      ["Opcode", roof.opcode],
      ["Samples", roof.samples ? String(roof.samples) : ""],
    ]),
    ...notes.map((words) => element("p", {}, words)),
  ];
}

// What all layers shown take, and what bounds them.
function overview() {
  const layers = shownLayers();
  const seconds = layers.reduce((sum, layer) => sum + layer.seconds, 0);
  const gain = layers.reduce((sum, layer) => sum + (layer.gain ?? 0), 0);
  const shown = variation();
  const parts = [
    element("h3", {}, `${view().name}, ${shown.label}`),
    facts([
      ["In one go", view().is_network ? si(shown.seconds, "s") : ""],
      ["Least time", isKnown(shown.least) ? si(shown.least, "s") : ""],
      ["Layers shown", `${layers.length}, ${si(seconds, "s")} alone`],
      ["To gain in them", si(gain, "s")],
    ]),
    element("h4", {}, "What bounds their time"),
    bars(sums(layers, boundOf, (layer) => layer.seconds), seconds),
    element("h4", {}, "What they are"),
    bars(sums(layers, (layer) => layer.family, (layer) => layer.seconds), seconds),
  ];
  const unknown = layers.filter((layer) => !placeOf(layer)).length;
  if (unknown) parts.push(hint(`${count(unknown, "layer")} of unknown work: in the table only.`));
  parts.push(hint("Point at a dot or a roof, or click one, for what is known of it."));
  return parts;
}

function hint(words) {
  return element("p", { class: "soft" }, words);
}

// Each of these sums with a bar behind it: its share of ``all``.
function bars(totals, all) {
  const list = element("ul", { class: "bars" });
  for (const [name, seconds] of totals) {
    const share = all ? seconds / all : 0;
    const width = `width:${(100 * share).toFixed(1)}%`;
    const bar = element("span", { class: "bar", style: width, "aria-hidden": "true" });
    const words = `${si(seconds, "s")} · ${(100 * share).toFixed(0)} %`;
    list.append(element("li", {}, bar, element("span", {}, name), element("span", {}, words)));
  }
  return list;
}

function overviewOfRoofs() {
  const { memory } = limits();
  const parts = [element("h3", {}, DATA.device)];
  const dense = shownFlats().filter((roof) => roof.is_main && !roof.is_sparse);
  if (memory && dense.length) {
    const words = `Below so many operations per byte from ${memory.label} memory decides, above arithmetic:`;
    parts.push(element("p", {}, words));
    parts.push(facts(dense.map((roof) => [roof.label, short(roof.rate / memory.rate)])));
  }
  parts.push(hint("Point at a roof, or anywhere, for what it allows; click a roof for its row."));
  return parts;
}
