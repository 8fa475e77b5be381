// Tables sort by a click on a head and are filtered by words; rows of layers and roofs are picked.

const FEW_ROWS = 8; // without a box to filter them
const ROWS_AT_ONCE = 60;

function mainTable() {
  return find("layers-table") ?? find("ceilings-table");
}

function prepareTable(table) {
  for (const head of table.tHead.rows[0].cells) {
    const button = element("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => sortBy(table, head));
    head.replaceChildren(button);
  }
  if (table.tBodies[0].rows.length > FEW_ROWS) addFilterBox(table);
}

// Numbers by the exact value behind them, largest first; unknown ones stay last.
function sortBy(table, head) {
  const isNumber = head.classList.contains("number");
  const sorted = head.getAttribute("aria-sort");
  const down = sorted ? sorted === "ascending" : isNumber;
  const keyed = rowsOf(table).map((row) => [keyOf(row.cells[head.cellIndex], isNumber), row]);
  const known = keyed.filter(([key]) => !Number.isNaN(key));
  const unknown = keyed.filter(([key]) => Number.isNaN(key));
  const compare = isNumber ? (first, second) => first - second : collator.compare;
  known.sort(([first], [second]) => compare(first, second) * (down ? -1 : 1));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  putRows(table, [...known, ...unknown].map(([, row]) => row));
}

const collator = new Intl.Collator(undefined, { numeric: true });
const allRows = new Map(); // of each table, in the order in which they are shown

function rowsOf(table) {
  if (!allRows.has(table)) allRows.set(table, [...table.tBodies[0].rows]);
  return allRows.get(table);
}

// Put the rows into their order. A browser takes long to lay out hundreds, so those that are seen first come
// at once, and the others with the next pictures of the screen.
function putRows(table, rows) {
  allRows.set(table, rows);
  const body = table.tBodies[0];
  const rest = [...rows];
  body.replaceChildren(...nextRows(rest));
  body.closest(".wide").scrollTop = 0;
  function more() {
    if (allRows.get(table) !== rows || !rest.length) return;
    body.append(...nextRows(rest));
    requestAnimationFrame(more);
  }
  requestAnimationFrame(more);
}

// Take the next rows, so many of them as are laid out at once; hidden ones cost nothing.
function nextRows(rest) {
  let seen = 0, place = 0;
  for (; place < rest.length && seen < ROWS_AT_ONCE; place += 1) {
    if (!rest[place].hidden) seen += 1;
  }
  return rest.splice(0, place);
}

function keyOf(cell, isNumber) {
  return isNumber ? parseFloat(cell.title) : cell.textContent;
}

function addFilterBox(table) {
  const box = table.closest(".wide");
  const label = box.getAttribute("aria-label").replace("Table: ", "");
  const input = element("input", {
    type: "search", placeholder: "Filter rows", "aria-label": `Filter ${label}`,
  });
  const rows = element("span", { class: "soft", role: "status" });
  box.before(element("div", { class: "filter scripted" }, input, rows));
  if (table.id === "layers-table") {
    input.id = "words";
    input.addEventListener("input", () => change({ words: input.value }));
    rows.id = "rows-shown";
    return;
  }
  input.addEventListener("input", () => filterRows(table, input.value.toLowerCase(), rows));
}

function filterRows(table, words, status) {
  let shown = 0;
  const rows = rowsOf(table);
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(words);
    if (!row.hidden) shown += 1;
  }
  status.textContent = words ? `${shown} of ${rows.length} rows` : "";
}

// The names of rows that can be picked become buttons; one of them is in the order of Tab.
function makePickable(table, isPickable) {
  for (const row of table.tBodies[0].rows) {
    if (!isPickable(row.id)) continue;
    const head = row.cells[0];
    const attributes = { type: "button", class: "pick", tabindex: "-1" };
    head.replaceChildren(element("button", attributes, head.textContent));
    row.classList.add("pickable");
  }
  table.tBodies[0].addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row?.classList.contains("pickable")) pick(row.id === state.picked ? "" : row.id);
  });
  table.tBodies[0].addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !event.target.classList.contains("pick")) return;
    event.preventDefault();
    const buttons = pickButtons(table);
    const next = buttons[buttons.indexOf(event.target) + step];
    if (next) moveTab(table, next, true);
  });
}

function pickButtons(table) {
  return [...table.querySelectorAll("tr.pickable:not([hidden]) .pick")];
}

// Tab comes to this button and to no other of the table.
function moveTab(table, button, withFocus) {
  for (const other of table.querySelectorAll(".pick[tabindex='0']")) other.tabIndex = -1;
  if (!button) return;
  button.tabIndex = 0;
  if (withFocus) button.focus();
}

function pick(row) {
  change({ picked: row });
}

// Show the rows of the layers that are on the roofline, and mark the one that is picked.
function showTable(before) {
  const table = mainTable();
  if (HAS_LAYERS) hideRows(table);
  for (const row of document.querySelectorAll("tr.picked")) {
    row.classList.remove("picked");
    row.querySelector(".pick")?.removeAttribute("aria-pressed");
  }
  const row = state.picked ? find(state.picked) : null;
  if (row) {
    row.classList.add("picked");
    row.querySelector(".pick")?.setAttribute("aria-pressed", "true");
    if (state.picked !== before?.picked) scrollIntoBox(row);
  }
  const buttons = pickButtons(table);
  moveTab(table, row?.querySelector(".pick") ?? buttons[0], false);
}

function hideRows(table) {
  const shown = new Set(shownLayers().map((layer) => layer.row));
  for (const row of rowsOf(table)) row.hidden = !shown.has(row.id);
  const all = layersOf(state.variation).length;
  const status = find("rows-shown");
  if (status) {
    const name = `${view().name}, ${variation().label}`;
    status.textContent = `${shown.size} of ${count(all, "layer")} of ${name}`;
    find("words").value = state.words;
  }
}

// Move the table's box so that a row is seen; the page itself stays where it is.
function scrollIntoBox(row) {
  const box = row.closest(".wide");
  const [around, inside] = [box.getBoundingClientRect(), row.getBoundingClientRect()];
  const head = row.closest("table").tHead.offsetHeight;
  if (inside.top < around.top + head || inside.bottom > around.bottom) {
    box.scrollTop += inside.top - around.top - head - 8;
  }
}
