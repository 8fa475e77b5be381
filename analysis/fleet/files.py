"""The files of a fleet: tables, picture and page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.draw.files import write_drawn
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
from probes.records.run import new_folder_at, now, replace_file

FOLDER = "fleet"
"""Where the files of fleets go, below ``--out``."""
PICTURE = "fleet"
"""Name of the picture, without ending."""


def write(fleet: Fleet, out: Path) -> Path:
    """Write them into a new folder below ``out``; returns it. Raises OSError."""
    from analysis.draw.fleet import fleet_figure
    from analysis.tell.page.fleet import html

    folder = new_folder_at(out / FOLDER, now())
    replace_file(folder / NODES_FILE, file_of(NODE_COLUMNS, node_lines(fleet)))
    replace_file(folder / SPREAD_FILE, file_of(SPREAD_COLUMNS, spread_lines(fleet)))
    replace_file(folder / VALUES_FILE, file_of(VALUE_COLUMNS, value_lines(fleet)))
    svgs = write_drawn({PICTURE: partial(fleet_figure, fleet)}, folder)
    replace_file(folder / PAGE, html(fleet, svgs))
    return folder
