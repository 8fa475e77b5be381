"""The page of an atlas: its devices side by side, and the same as Markdown for its folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from analysis.atlas.check import settled_in_words
from analysis.atlas.devices import AtlasDevice, devices_of
from analysis.atlas.entry import Entry
from analysis.model.ceilings import Ceiling
from analysis.model.headlines import best_by_format, levels_of_memory
from analysis.naming import name_of
from analysis.units import percent, si
from probes.records.measurement import OK
from probes.records.tag import Tag

PAGE_FILE = "atlas.html"
TITLE = "Atlas of measured roofs"
ABOUT = (
    "Rates are medians of a device's runs, at the clock that it kept. A device is settled from "
    "three runs on. (?) marks what cannot be trusted."
)
LONGEST_BAR = 7.0
"""Of the highest rate of all devices, in letters' heights (rem)."""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.bar { display: block; height: 4px; background: #4477aa; margin-left: auto; }
small { color: #666; }
.wide { overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; }
  th, td { border-color: #444; } small { color: #aaa; } }
"""


@dataclass(frozen=True)
class Line:
    """One level of memory or number format, on every device."""

    name: str
    """As people call it."""
    ceilings: tuple[Ceiling | None, ...]
    """Of each device, in their order; None where it was not measured."""

    @property
    def most(self) -> float:
        """The highest rate of all devices."""
        return max((ceiling.rate or 0.0 for ceiling in self.ceilings if ceiling), default=0.0)


def lines(devices: Sequence[AtlasDevice]) -> list[Line]:
    """What is compared: levels of memory, then formats, each by its best path."""
    of_devices = [device.ceilings for device in devices]
    names: dict[str, None] = {}
    for choose in (levels_of_memory, best_by_format):
        for ceilings in of_devices:
            for ceiling in choose(ceilings):
                names.setdefault(str(Tag.parse(ceiling.tag).whole))
    compared = []
    for whole in names:
        found = tuple(_best(ceilings, whole) for ceilings in of_devices)
        compared.append(Line(name_of(Tag.parse(whole)), found))
    return compared


def _best(ceilings: dict[str, Ceiling], whole: str) -> Ceiling | None:
    """The ceiling that speaks for a level or a format; None if none was measured."""
    for choose in (levels_of_memory, best_by_format):
        for ceiling in choose(ceilings):
            if str(Tag.parse(ceiling.tag).whole) == whole and ceiling.status == OK:
                return ceiling
    return None


def _value(ceiling: Ceiling | None) -> str:
    if ceiling is None:
        return "–"
    mark = "" if ceiling.trusted else " (?)"
    return f"{si(ceiling.rate, ceiling.unit)}{mark}"


def _share(ceiling: Ceiling | None) -> str:
    """The share of theory; empty if that is not known."""
    if ceiling is None or ceiling.share is None:
        return ""
    return f"{percent(ceiling.share)} of theory"


Fact = tuple[str, Callable[[AtlasDevice], str]]
FACTS: Sequence[Fact] = (
    ("runs", settled_in_words),
    ("last measured", lambda device: device.entries[-1].day),
    ("architecture", lambda device: device.entries[-1].run.device.arch or "unknown"),
    ("SMs or cores", lambda device: str(device.entries[-1].run.device.units)),
    ("networks", lambda device: str(len({network.name for network in device.networks}) or "–")),
)
"""What the page says of a device before its rates: name, and how to tell it."""


def markdown(entries: Sequence[Entry]) -> str:
    """The devices as a table of Markdown, a row each."""
    devices = devices_of(entries)
    compared = lines(devices)
    head = ["device", *(name for name, _ in FACTS), *(line.name for line in compared)]
    rows = [head, ["---"] * len(head)]
    for place, device in enumerate(devices):
        facts = [tell(device) for _, tell in FACTS]
        rates = [_value(line.ceilings[place]) for line in compared]
        rows.append([device.name.replace("|", "\\|"), *facts, *rates])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"# {TITLE}\n\n{ABOUT}\n\n{table}\n\n"
        "Written by `python -m analysis.atlas page`. To hand in a device: measure it three times\n"
        "(`python run_all.py`, with `--model` for networks), `python -m analysis.atlas add RUN`\n"
        "for each run, `python -m analysis.atlas check`, and open a pull request.\n"
    )


def page(entries: Sequence[Entry]) -> str:
    """The devices side by side as one page that opens offline."""
    devices = devices_of(entries)
    names = "".join(f"<th>{escape(device.name)}</th>" for device in devices)
    rows = []
    for name, tell in FACTS:
        cells = "".join(f"<td>{escape(tell(device))}</td>" for device in devices)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    for line in lines(devices):
        cells = "".join(_cell(ceiling, line.most) for ceiling in line.ceilings)
        rows.append(f"<tr><td>{escape(line.name)}</td>{cells}</tr>")
    body = "\n".join(rows)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f'<body><h1>{TITLE}</h1><p>{ABOUT}</p>\n<div class="wide"><table>\n'
        f"<tr><th>device</th>{names}</tr>\n{body}\n</table></div></body></html>\n"
    )


def _cell(ceiling: Ceiling | None, most: float) -> str:
    """The cell of a rate, with a bar beside the highest of all devices."""
    if ceiling is None:
        return "<td>–</td>"
    width = LONGEST_BAR * (ceiling.rate or 0.0) / most if most else 0.0
    share = _share(ceiling)
    small = f"<br><small>{escape(share)}</small>" if share else ""
    bar = f'<span class="bar" style="width: {width:.2f}rem"></span>'
    title = escape(ceiling.tag)
    return f'<td title="{title}">{escape(_value(ceiling))}{small}{bar}</td>'
