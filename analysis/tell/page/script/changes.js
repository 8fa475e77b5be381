// What changed most when another precision was chosen.

const MOST_CHANGES = 5;
const NOISE = 0.02; // of the largest change: less is not told

function showChanges(before) {
  const box = find("changes");
  const isSame = !before || before.view !== state.view || before.variation === state.variation;
  if (isSame) {
    if (before && before.view !== state.view) box.replaceChildren();
    return;
  }
  const [from, to] = [view().variations[before.variation], variation()];
  const [then, now] = [layersOf(before.variation), layersOf(state.variation)];
  const times = `${si(from.seconds, "s")} → ${si(to.seconds, "s")}`;
  const total = `${from.label} → ${to.label}: ${times} (${signed(to.seconds - from.seconds)}).`;
  box.replaceChildren(
    element("h3", {}, "What changed most"),
    element("p", {}, total),
    element("div", { class: "twolists" },
      listOfChanges("By kind", then, now, (layer) => layer.family),
      listOfChanges("By layer", then, now, (layer) => layer.title)),
  );
}

function listOfChanges(heading, then, now, keyOf) {
  const secondsOf = (layers) => new Map(sums(layers, keyOf, (layer) => layer.seconds));
  const [before, after] = [secondsOf(then), secondsOf(now)];
  const changed = [...new Set([...before.keys(), ...after.keys()])].map((key) => {
    const [old, fresh] = [before.get(key) ?? 0, after.get(key) ?? 0];
    return { key, old, fresh, difference: fresh - old };
  });
  changed.sort((first, second) => Math.abs(second.difference) - Math.abs(first.difference));
  const largest = Math.abs(changed[0]?.difference ?? 0);
  const clear = changed.filter(({ difference }) => Math.abs(difference) > NOISE * largest);
  const list = element("ol");
  for (const { key, old, fresh, difference } of clear.slice(0, MOST_CHANGES)) {
    const times = `${key}: ${si(old, "s")} → ${si(fresh, "s")} (`;
    list.append(element("li", {}, times, element("b", {}, signed(difference)), ")"));
  }
  return element("div", {}, element("h4", {}, heading), list);
}
