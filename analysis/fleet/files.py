"""The files of a fleet: tables, picture and page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.draw.files import drawn
from analysis.fleet.columns import (
    NODE_COLUMNS,
    NODES_FILE,
    SPREAD_COLUMNS,
    SPREAD_FILE,
    VALUE_COLUMNS,
    VALUES_FILE,
    node_lines,
    spread_lines,
    value_lines,
)
from analysis.fleet.fleet import Fleet
from analysis.fleet.words import PAGE
from analysis.tell.columns import file_of
from probes.records.run import now, replace_file

FOLDER = "fleet"
"""Where the files of fleets go, below ``--out``."""
PICTURE = "fleet"
"""Name of the picture, without ending."""


def write(fleet: Fleet, out: Path) -> Path:
    """Write them into a new folder below ``out``; returns it. Raises OSError."""
    from analysis.draw.fleet import fleet_figure
    from analysis.tell.page.fleet import html

    folder = _new_folder(out)
    replace_file(folder / NODES_FILE, file_of(NODE_COLUMNS, node_lines(fleet)))
    replace_file(folder / SPREAD_FILE, file_of(SPREAD_COLUMNS, spread_lines(fleet)))
    replace_file(folder / VALUES_FILE, file_of(VALUE_COLUMNS, value_lines(fleet)))
    svgs = {}
    for name, (svg, png) in drawn({PICTURE: partial(fleet_figure, fleet)}).items():
        replace_file(folder / f"{name}.png", png)
        replace_file(folder / f"{name}.svg", svg)
        svgs[name] = svg
    replace_file(folder / PAGE, html(fleet, svgs))
    return folder


def _new_folder(out: Path) -> Path:
    """A folder of its own; a second one in the same second gets another number."""
    parent = out / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    time = now().replace(":", "").replace("-", "")
    number = 1
    while True:
        folder = parent / (time if number == 1 else f"{time}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
