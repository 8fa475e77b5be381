// Where the page begins: with scripts the interactive roofline takes the place of the picture.

function showAll(before) {
  showFilters();
  if (before && before.view !== state.view) zoomed = null;
  draw();
  moveDots(before);
  showTable(before);
  showChanges(before);
  pointAt(null);
  const shown = find("shown");
  if (HAS_LAYERS) {
    const layers = count(shownLayers().length, "layer");
    shown.textContent = `${view().name}, ${variation().label}: ${layers}`;
  }
}

// On a phone, filters and details are drawers; the focus goes into an open one and comes back.
function closeDrawers() {
  for (const button of document.querySelectorAll(".drawers button[aria-expanded=true]")) {
    button.setAttribute("aria-expanded", "false");
    find(button.getAttribute("aria-controls")).classList.remove("open");
    button.focus();
  }
}

function prepareDrawers() {
  for (const button of document.querySelectorAll(".drawers button")) {
    button.addEventListener("click", () => {
      const isOpen = button.getAttribute("aria-expanded") === "true";
      closeDrawers();
      if (isOpen) return;
      button.setAttribute("aria-expanded", "true");
      const drawer = find(button.getAttribute("aria-controls"));
      drawer.classList.add("open");
      drawer.querySelector(".close").focus();
    });
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") closeDrawers(); });
}

// A file of the run, which the page holds packed.
async function fileOf(name) {
  const bytes = Uint8Array.from(atob(FILES[name]), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).blob();
}

async function download(name) {
  const url = URL.createObjectURL(new Blob([await fileOf(name)], { type: "text/csv" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function prepareDownloads() {
  for (const name of Object.keys(FILES)) {
    const button = element("button", { type: "button" }, `CSV: ${name.replace(".csv", "")}`);
    button.addEventListener("click", () => download(name));
    find("downloads").append(button, " ");
  }
}

// Paper has no folds: what is folded away is opened before printing and closed after it.
function preparePrinting() {
  let opened = [];
  find("print").addEventListener("click", () => print());
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const fold of opened) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of opened) fold.open = false;
  });
}

// Links within the page leave the hash alone, which holds the view.
function prepareLinks() {
  for (const link of document.querySelectorAll("a[href^='#']")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const target = find(link.hash.slice(1));
      target.tabIndex = -1;
      target.scrollIntoView();
      target.focus({ preventScroll: true });
    });
  }
}

function prepareZoom() {
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(button.dataset.zoom));
  }
  find("drawing").on("plotly_relayout", (event) => {
    if (!("xaxis.range[0]" in event)) return;
    const { xaxis, yaxis } = find("drawing").layout;
    zoomed = { x: [...xaxis.range], y: [...yaxis.range] };
    draw();
    showMarks();
  });
  find("drawing").on("plotly_doubleclick", () => zoom("all"));
}

function start() {
  document.documentElement.classList.remove("plain");
  document.querySelectorAll("table").forEach(prepareTable);
  for (const table of [find("layers-table"), find("ceilings-table")]) {
    if (table) makePickable(table, (row) => layerByRow.has(row) || roofByRow.has(row));
  }
  state = stateOf(location.hash.slice(1));
  prepareDrawers();
  prepareDownloads();
  preparePrinting();
  prepareLinks();
  showAll(null);
  prepareZoom();
  watchPointer();
  addEventListener("hashchange", () => {
    const before = state;
    state = stateOf(location.hash.slice(1));
    if (hashOf(before) !== hashOf(state)) showAll(before);
  });
  new ResizeObserver(() => { draw(); showMarks(); }).observe(find("plot"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showAll(null));
}

start();
