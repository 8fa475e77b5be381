"use strict";

// Numbers as people read them: what analysis/units.py says, said again for the browser.

const PREFIXES = [
  [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"],
  [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"],
];
const UNKNOWN = "–";

function isKnown(value) {
  return value !== null && value !== undefined;
}

// [number, prefix] of a value that is rounded to three digits before a prefix is chosen.
function scaled(value) {
  const rounded = Number(value.toPrecision(3));
  if (rounded === 0) return [0, ""];
  for (const [factor, prefix] of PREFIXES) {
    if (Math.abs(rounded) >= factor) return [rounded / factor, prefix];
  }
  const [smallest, prefix] = PREFIXES.at(-1);
  return [rounded / smallest, prefix];
}

// "4.24 TB/s"; a dash for what is unknown.
function si(value, unit) {
  if (!isKnown(value)) return UNKNOWN;
  const [number, prefix] = scaled(value);
  const digitsBeforePoint = String(Math.trunc(Math.abs(number))).length;
  return `${number.toFixed(Math.max(0, 3 - digitsBeforePoint))} ${prefix}${unit}`;
}

// Three significant digits: "1060", "0.5".
function short(value) {
  return String(Number(value.toPrecision(3)));
}

function percent(share) {
  return isKnown(share) ? `${(100 * share).toFixed(1)} %` : UNKNOWN;
}

function plusMinus(spread) {
  if (!isKnown(spread)) return "";
  return spread > 1 ? "> ±100 %" : `±${(100 * spread).toFixed(1)} %`;
}

// A difference of two times with its sign: "+259 µs".
function signed(seconds) {
  return `${seconds < 0 ? "−" : "+"}${si(Math.abs(seconds), "s")}`;
}
