"""The program as its user starts it, and what a run leaves: for tests of the whole program."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import run_all

ROOT = Path(__file__).parent.parent
SMALL = ["--quick", "--device", "cpu", "--only", "compute"]


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
    """What a run says of itself in run.json."""
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content
