// The filters beside the roofline.

function buildFilters() {
  const form = find("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  const close = element("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => closeDrawers());
  const groups = [close];
  if (HAS_LAYERS) groups.push(...filtersOfLayers());
  groups.push(...filtersOfRoofs());
  const reset = element("button", { type: "button" }, "Show all again");
  reset.addEventListener("click", () => {
    change({ ...DEFAULTS, view: state.view, variation: state.variation });
  });
  groups.push(reset);
  form.replaceChildren(...groups);
}

function filtersOfLayers() {
  const groups = DATA.views.length > 1 ? [chooser()] : [];
  const layers = layersOf(state.variation);
  const bounds = sums(layers, boundOf, (layer) => layer.seconds).map(([bound]) => bound);
  groups.push(
    group("Precision", view().variations.map(choiceOfPrecision)),
    group("Kind", choicesOfKind(layers)),
    group("Bound by", bounds.map((bound) => hiding("hiddenBounds", bound, bound))),
    slider(),
  );
  return groups;
}

function choiceOfPrecision({ label, seconds }, place) {
  const words = `${label} · ${si(seconds, "s")}`;
  const isShown = place === state.variation;
  return choice("radio", "variation", words, isShown, () => change({ variation: place, picked: "" }));
}

// One for each family among these layers, with how many layers it has.
function choicesOfKind(layers) {
  const numbers = new Map(sums(layers, (layer) => layer.family, () => 1));
  return Object.entries(view().families)
    .filter(([family]) => numbers.has(family))
    .map(([family, colour]) => (
      hiding("hiddenFamilies", family, `${family} · ${numbers.get(family)}`, colour)
    ));
}

function chooser() {
  const select = element("select", {});
  DATA.views.forEach(({ name }, place) => {
    select.append(element("option", { value: place, selected: place === state.view }, name));
  });
  select.addEventListener("change", () => change({ ...DEFAULTS, view: Number(select.value) }));
  return element("label", { class: "block" }, "Network or sweep ", select);
}

function slider() {
  const input = element("input", {
    type: "range", min: 0, max: 10, step: 0.1, value: state.leastPart,
  });
  const value = element("output", {}, `${state.leastPart} %`);
  input.addEventListener("input", () => change({ leastPart: Number(input.value) }));
  return element("label", { class: "block" }, "Share of the time at least ", value, input);
}

function filtersOfRoofs() {
  const groups = [];
  const subjects = [...new Set(flats().map((roof) => roof.subject))];
  if (subjects.length) {
    groups.push(group("Roofs of arithmetic", subjects.map(choiceOfSubject), true));
  }
  if (slopes().length) {
    const choices = slopes().map((roof) => (
      roofChoice("levels", roof.tag, roof.label, shownLevels(), roof)
    ));
    groups.push(group("Roofs of memory", choices, true));
  }
  const more = moreRoofs();
  if (more.length) groups.push(group("Also show", more));
  return groups;
}

function choiceOfSubject(subject) {
  const first = flats().find((roof) => roof.subject === subject);
  return roofChoice("roofs", subject, subject.toUpperCase(), shownSubjects(), first);
}

// What else can be shown of the roofs that are chosen.
function moreRoofs() {
  const chosen = flats().filter((roof) => shownSubjects().includes(roof.subject));
  const hasPaths = chosen.some((roof) => !roof.is_main && (state.sparse || !roof.is_sparse));
  const more = [];
  if (DATA.roofs.some((roof) => roof.peak)) more.push(["theory", "theory (dashed)"]);
  if (chosen.some((roof) => roof.is_sparse)) more.push(["sparse", "sparse (dotted)"]);
  if (hasPaths) more.push(["paths", "every path, libraries too"]);
  return more.map(([name, words]) => (
    choice("checkbox", name, words, state[name], (isOn) => change({ [name]: isOn }))
  ));
}

function group(legend, choices, isShort = false) {
  const list = element("div", { class: isShort ? "twocolumns" : "" }, ...choices);
  return element("fieldset", {}, element("legend", {}, legend), list);
}

function choice(type, name, words, isOn, onChange, colour = "") {
  const input = element("input", { type, name, checked: isOn, "data-key": `${name} ${words}` });
  input.addEventListener("change", () => onChange(input.checked));
  const label = element("label", {}, input);
  if (colour) {
    const style = `background:${onGround(colour)}`;
    label.append(element("span", { class: "swatch", style, "aria-hidden": "true" }));
  }
  label.append(` ${words}`);
  return label;
}

// A choice that hides what is not checked.
function hiding(name, key, words, colour = "") {
  return choice("checkbox", name, words, !state[name].includes(key), (isOn) => {
    const others = state[name].filter((other) => other !== key);
    change({ [name]: isOn ? others : [...others, key] });
  }, colour);
}

// A choice of a roof, which is told of and stands out while it is pointed at.
function roofChoice(name, key, words, shown, roof) {
  const label = choice("checkbox", name, words, shown.includes(key), (isOn) => {
    const others = shown.filter((other) => other !== key);
    const chosen = isOn ? [...others, key] : others;
    // what the layers need anyway follows them to another precision
    const needed = name === "roofs" ? neededSubjects() : neededLevels();
    change({ [name]: isSame(chosen, needed) ? null : chosen });
  }, roof?.colour);
  const point = () => pointAt(roof);
  label.addEventListener("pointerenter", point);
  label.addEventListener("focusin", point);
  label.addEventListener("pointerleave", () => pointAt(null));
  label.addEventListener("focusout", () => pointAt(null));
  return label;
}

function isSame(names, others) {
  return names.length === others.length && names.every((name) => others.includes(name));
}

// Build the filters anew, since other layers have other kinds; the one in use keeps the focus.
function showFilters() {
  const form = find("filters");
  const active = document.activeElement;
  const key = form.contains(active) ? active.dataset.key : null;
  if (active?.type === "range" && form.contains(active)) {
    active.previousElementSibling.textContent = `${state.leastPart} %`;
    return;
  }
  const top = form.scrollTop;
  buildFilters();
  form.scrollTop = top;
  if (key) [...form.querySelectorAll("input")].find((input) => input.dataset.key === key)?.focus();
}
