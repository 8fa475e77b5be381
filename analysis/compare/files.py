"""The files of a comparison: its table, its pictures and its page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.compare.columns import COMPARED_FILE, LINE_COLUMNS, lines
from analysis.compare.comparison import Comparison
from analysis.compare.exports import as_json
from analysis.compare.words import PAGE
from analysis.draw.files import drawn
from analysis.tell.columns import file_of
from probes.records.run import now, replace_file

FOLDER = "compared"
"""Where comparisons go, below ``--out``."""
ROOFS, CHANGES = "compared", "changes"
"""Names of the pictures, without ending."""


def write(comparison: Comparison, out: Path) -> Path:
    """Write them into a new folder below ``out``; returns it. Raises OSError."""
    from analysis.draw.compared import changes_figure, roofs_figure
    from analysis.tell.page.compared import html

    folder = _new_folder(out)
    replace_file(folder / COMPARED_FILE, file_of(LINE_COLUMNS, lines(comparison)))
    replace_file(folder / "compared.json", as_json(comparison) + "\n")
    pictures = drawn(
        {
            ROOFS: partial(roofs_figure, comparison),
            CHANGES: partial(changes_figure, comparison),
        }
    )
    svgs = {}
    for name, (svg, png) in pictures.items():
        replace_file(folder / f"{name}.png", png)
        replace_file(folder / f"{name}.svg", svg)
        svgs[name] = svg
    replace_file(folder / PAGE, html(comparison, svgs))
    return folder


def _new_folder(out: Path) -> Path:
    """A folder of its own; a second comparison in the same second gets another number."""
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
