"""The files of a comparison of power modes: its table and its picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.draw.files import png
from analysis.modes import Comparison
from analysis.tell.columns import file_of
from analysis.tell.modes import MODE_COLUMNS, MODES_FILE, PICTURE, rows
from probes.records.run import new_folder_at, now, replace_file


def write(comparison: Comparison, out: Path) -> Path:
    """Write them into a new folder below ``out``; returns it. Raises OSError."""
    from analysis.draw.modes import figure

    folder = new_folder_at(out / PICTURE, now())
    replace_file(folder / MODES_FILE, file_of(MODE_COLUMNS, rows(comparison)))
    replace_file(folder / f"{PICTURE}.png", png(partial(figure, comparison)))
    return folder
