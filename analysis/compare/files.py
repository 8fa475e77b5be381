"""The files of a comparison: its table, its pictures and its page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.compare.columns import COMPARED_FILE, LINE_COLUMNS, lines
from analysis.compare.comparison import Comparison
from analysis.compare.exports import as_json
from analysis.compare.words import PAGE
from analysis.draw.files import write_drawn
from analysis.tell.columns import file_of
from probes.records.run import new_folder_at, now, replace_file

FOLDER = "compared"
"""Where comparisons go, below ``--out``."""
ROOFS, CHANGES = "compared", "changes"
"""Names of the pictures, without ending."""


def write(comparison: Comparison, out: Path) -> Path:
    """Write them into a new folder below ``out``; returns it. Raises OSError."""
    from analysis.draw.compared import changes_figure, roofs_figure
    from analysis.tell.page.compared import html

    folder = new_folder_at(out / FOLDER, now())
    replace_file(folder / COMPARED_FILE, file_of(LINE_COLUMNS, lines(comparison)))
    replace_file(folder / "compared.json", as_json(comparison) + "\n")
    figures = {
        ROOFS: partial(roofs_figure, comparison),
        CHANGES: partial(changes_figure, comparison),
    }
    svgs = write_drawn(figures, folder)
    replace_file(folder / PAGE, html(comparison, svgs))
    return folder
