"""The program as its user starts it, and what a run leaves: for tests of the whole program."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import run_all
from analysis.draw import files
from kernels.base import Launch
from probes.harness.clocks.sampling import HostClock, Sample

ROOT = Path(__file__).parent.parent
SMALL = ["--quick", "--device", "cpu", "--only", "compute"]
"""Arguments for a run of few cases that take a short time."""


class EvenClock(HostClock):
    """A clock by which every repetition takes the same time, as if nothing else ran on the CPU.

    Launches do run. For tests of what a run does beside timing.
    """

    SECONDS = 1e-3
    """Of one repetition: far longer than it takes, so that no peak is exceeded."""
    CLOCK_HZ = 2e9

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """Run ``repeat`` repetitions, and return the time that never varies."""
        launch.run(repeat)
        return Sample(self.SECONDS, self.CLOCK_HZ)


def main(*argv: str) -> int:
    """Run the program; returns its exit code."""
    return run_all.main(argv)


def draw_nothing(changed: pytest.MonkeyPatch) -> None:
    """Put an empty picture in the place of each: for runs of which only tables and words count."""
    empty = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'
    changed.setattr(files, "svg_and_png", lambda figure: (empty, b""))


def only_run(out: Path) -> Path:
    """The one run directory below ``out``."""
    (file,) = out.glob("*/*/run.json")
    return file.parent


def single_picture(folder: Path) -> Path:
    """A run of an H100 in ``folder`` to draw again, with a single picture."""
    kept = ROOT / "results/reference/nvidia-h100"
    folder.mkdir()
    shutil.copy(kept / "run.json", folder)
    rows = (kept / "measurements.csv").read_text().splitlines(keepends=True)
    (folder / "measurements.csv").write_text("".join(row for row in rows if ",sweep/" not in row))
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of a run."""
    with open(folder / name, encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def facts(folder: Path) -> dict[str, Any]:
    """The content of a run's run.json."""
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content
