"""An importer is one folder, and is found by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import probes.importers
from probes.importers.any_file import read_all
from probes.importers.importer import all_importers
from probes.records.measurement import RidgelineError

FOLDER = Path(probes.importers.__file__).parent
NEW = """
from probes.importers.importer import Importer
from probes.importers.layer_row import layer_row


def _rows(source, destination, beside):
    more = {"device": destination.device, "started": destination.started}
    return [layer_row("a", "Conv", "fp32", [1e-3], 2e9, 1e6, tool="stopwatch", **more)]


IMPORTER = Importer(
    reads="a stopwatch", read=_rows, recognises_start=lambda start: start.startswith(b"TICK")
)
"""


def test_every_folder_with_an_importer_is_found() -> None:
    folders = list(FOLDER.glob("*/importer.py"))
    importers = all_importers()
    assert len(importers) == len(folders) >= 6
    assert len({importer.reads for importer in importers}) == len(importers)
    assert [importer.is_fallback for importer in importers].count(True) == 1
    assert importers[-1].is_fallback


def test_a_new_tool_is_a_new_folder_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stopwatch").mkdir()
    (tmp_path / "stopwatch" / "__init__.py").touch()
    (tmp_path / "stopwatch" / "importer.py").write_text(NEW)
    monkeypatch.setattr(probes.importers, "__path__", [*probes.importers.__path__, str(tmp_path)])
    all_importers.cache_clear()
    try:
        (tmp_path / "times").write_bytes(b"TICK TOCK")
        (row,) = read_all([tmp_path / "times"], "device", "now", "", {})
        assert (row.probe, row.flops) == ("importers/stopwatch", 2e9)
        (tmp_path / "what.json").write_text("{}")
        with pytest.raises(RidgelineError, match="a stopwatch"):
            read_all([tmp_path / "what.json"], "device", "now", "", {})
    finally:
        all_importers.cache_clear()
        for name in [name for name in sys.modules if name.startswith("probes.importers.stopwatch")]:
            del sys.modules[name]
