"""The program as its user starts it, and what a run leaves: for tests of the whole program."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import run_all
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


def only_run(out: Path) -> Path:
    """The one run directory below ``out``."""
    (file,) = out.glob("*/*/run.json")
    return file.parent


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of a run."""
    with open(folder / name, encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def facts(folder: Path) -> dict[str, Any]:
    """The content of a run's run.json."""
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content
