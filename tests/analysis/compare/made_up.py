"""Made-up runs: copies of a kept one whose rows are slower or faster by given factors."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parents[2] / "kept_runs"
CPU_RUN = KEPT / "schema-2-2026-11-28-power"
"""A short run of a CPU with compute, bandwidth and overhead."""
GPU_RUN = KEPT / "schema-2-2026-11-28"
"""A run of a GPU with layers of a network."""
TIMES = ("seconds_median", "seconds_best", "seconds_low", "seconds_high")

Slowness = Callable[[str], float]
"""By how much a row takes longer, by its tag."""


def even(tag: str) -> float:
    """As it was."""
    return 1.0


def run_like(
    source: Path,
    folder: Path,
    slowness: Slowness = even,
    started: str = "2026-11-28T12:00:00Z",
    load: float | None = 0.0,
    untrusted: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """A copy of a run whose rows take longer; returns its folder.

    load: share of the processors that others had; None: not recorded. untrusted: tags of rows that
    are not. facts: of its device, that replace those there.
    """
    folder.mkdir(parents=True)
    run = json.loads((source / "run.json").read_text(encoding="utf-8"))
    run["started"] = started
    run["load"] = {}
    if load is not None:
        during = {"seconds": 9, "cores": 2, "others": 2 * load, "steal": 0.0, "stopped": 0.0}
        run["load"] = {"during": during}
    run["device"]["facts"].update(facts or {})
    (folder / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with open(source / "measurements.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["started"] = started
        factor = slowness(row["ceiling"])
        for name in TIMES:
            if row[name]:
                row[name] = repr(float(row[name]) * factor)
        row["trusted"] = "0" if row["ceiling"] in untrusted else "1"
        row["doubt"] = "made so" if row["ceiling"] in untrusted else ""
    with open(folder / "measurements.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return folder


def noisy(seed: int, sd: float = 0.01, planted: Mapping[str, float] | None = None) -> Slowness:
    """Noise of this spread, the same for a tag each time.

    planted: factors by beginnings of tags.
    """

    def slowness(tag: str) -> float:
        noise = random.Random(f"{seed} {tag}").gauss(0, sd)
        factor = 1.0
        for beginning, added in (planted or {}).items():
            if tag.startswith(beginning):
                factor = added
        return factor * float(2.718281828**noise)

    return slowness


def set_of(
    source: Path, folder: Path, seed: int, planted: Mapping[str, float] | None = None, **how: Any
) -> Path:
    """Three runs with noise of their own; returns their folder."""
    for number in range(3):
        run_like(
            source,
            folder / f"run{number}",
            noisy(10 * seed + number, planted=planted),
            started=f"2026-11-28T{10 + seed:02d}:0{number}:00Z",
            **how,
        )
    return folder
