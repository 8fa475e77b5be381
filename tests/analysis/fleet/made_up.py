"""Made-up fleets: runs of an H100 whose times vary a little by node, with faults as a test asks."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from probes.records.measurement import Measurement
from probes.records.run import Run, read_run

REFERENCE = Path(__file__).parents[3] / "results" / "reference" / "nvidia-h100"
PROBES = ("bandwidth", "compute", "tensor_core")
FEW_ROWS = (
    "bandwidth/dram/copy",
    "compute/fp32",
    "compute/fp64",
    "compute/fp16/wgmma-fp32",
    "compute/fp8/wgmma-fp32",
)
NOISE = 0.004
"""Standard deviation by which healthy nodes differ, and rows of a node again."""


@dataclass
class MadeUpNode:
    """What a fault may change before the node is written."""

    host: str
    rack: str
    device: dict[str, Any]
    rows: list[Measurement]
    load: dict[str, Any] = field(default_factory=dict)
    status: str = "complete"

    def slow_down(self, tag: str, factor: float, clock: float = 1.0) -> None:
        """Let rows whose tag begins so take ``factor`` times as long, at ``clock`` of the clock."""
        self.rows = [
            slower(row, factor, clock) if row.ceiling.startswith(tag) else row for row in self.rows
        ]


Fault = Callable[[MadeUpNode], None]


def slower(row: Measurement, factor: float, clock: float = 1.0) -> Measurement:
    """The row as if it took ``factor`` times as long."""
    changed: dict[str, Any] = {}
    for name in ("seconds_median", "seconds_best", "seconds_low", "seconds_high"):
        value = getattr(row, name)
        changed[name] = None if value is None else value * factor
    if row.clock_hz:
        changed["clock_hz"] = row.clock_hz * clock
    return replace(row, **changed)


@cache
def reference() -> Run:
    """The run that all are made of."""
    return read_run(REFERENCE)


def host_of(number: int, racks: int = 25) -> tuple[str, str]:
    """(rack, host): so many nodes in each rack as there are of 1,000 in 40."""
    rack = f"r{number // racks + 1:02d}"
    return rack, f"{rack}-n{number % racks + 1:02d}"


def write_fleet(
    top: Path,
    nodes: int,
    faults: Mapping[int, Fault] | None = None,
    seed: int = 1,
    probes: Sequence[str] = PROBES,
    noise: float = NOISE,
    few_rows: bool = False,
    sweeps: bool = False,
) -> list[Path]:
    """Write so many runs below ``top``; return their folders.

    faults: by number of the node. few_rows: only those of a few roofs, which are read fast.
    sweeps: also the points of sweeps.
    """
    source = reference()
    rows = [
        row
        for row in source.measurements
        if row.probe.rpartition("/")[2] in probes and (sweeps or row.sweep is None)
    ]
    if few_rows:
        rows = [row for row in rows if row.ceiling in FEW_ROWS]
    chance = random.Random(seed)
    folders = []
    for number in range(nodes):
        rack, host = host_of(number)
        of_node = chance.gauss(0, noise)
        varied = [
            slower(row, math.exp(of_node / 2 + chance.gauss(0, noise)) * 1.03) for row in rows
        ]
        device = copy.deepcopy(json.loads((REFERENCE / "run.json").read_text())["device"])
        node = MadeUpNode(host, rack, device, varied)
        if faults and number in faults:
            faults[number](node)
        folder = top / host / "nvidia-h100-80gb-hbm3" / "20261128T120000Z"
        folder.mkdir(parents=True)
        write_node(folder, node)
        folders.append(folder)
    return folders


def write_node(folder: Path, node: MadeUpNode) -> None:
    """Write one run."""
    source = reference()
    run = Run(
        device=source.device,
        started="2026-11-28T12:00:00Z",
        ended="2026-11-28T12:02:00Z",
        settings={
            "quick": False,
            "probes": list(PROBES),
            "fleet": {"host": node.host, "rack": node.rack},
        },
        versions=dict(source.versions),
        status=node.status,
        load=node.load,
        measurements=node.rows,
    )
    run.save(folder)
    path = folder / "run.json"
    facts = json.loads(path.read_text())
    facts["device"] = node.device
    path.write_text(json.dumps(facts))


def slow_memory(node: MadeUpNode) -> None:
    """Main memory that is 12 % slower."""
    node.slow_down("bandwidth/dram", 1 / 0.88)


def hot(node: MadeUpNode) -> None:
    """A clock that heat holds down by 9 %."""
    node.slow_down("compute", 1 / 0.91, clock=0.91)
    node.device["facts"]["at_start"]["throttle"] = ["software thermal slowdown"]
    node.device["facts"]["at_start"]["temperature_c"] = 88


def slow_fp16(node: MadeUpNode) -> None:
    """Only FP16 is slower, by 8 %, at the same clock."""
    node.slow_down("compute/fp16", 1 / 0.92)


def slower_bin(node: MadeUpNode) -> None:
    """A bin of chips whose clock is 5 % lower."""
    node.slow_down("compute", 1 / 0.95, clock=0.95)


def capped(node: MadeUpNode) -> None:
    """A power limit of 500 W, and a clock that is 12 % lower for it."""
    node.slow_down("compute", 1 / 0.88, clock=0.88)
    node.device["facts"]["power_limit_w"] = 500.0
    node.device["facts"]["at_start"]["throttle"] = ["software power cap"]


def other_driver(node: MadeUpNode) -> None:
    """Another driver, with which FP8 is 6 % slower."""
    node.device["facts"]["driver"] = "570.12.01"
    node.slow_down("compute/fp8", 1 / 0.94)


def only_other_driver(node: MadeUpNode) -> None:
    """Another driver, with which nothing is slower."""
    node.device["facts"]["driver"] = "570.12.01"


def loaded(node: MadeUpNode) -> None:
    """Another process on the GPU takes a fifth of everything."""
    node.device["facts"]["other_processes"] = 1
    node.slow_down("", 1.25)


def busy_host(node: MadeUpNode) -> None:
    """Other processes have most of the host's processors, and all is slower."""
    node.load = {"during": {"others": 9.0, "cores": 16, "steal": 0.0}}
    node.slow_down("", 1.1)


def other_gpu(node: MadeUpNode) -> None:
    """Another kind of GPU."""
    node.device["name"] = "NVIDIA A100-SXM4-80GB"
    node.device["arch"] = "8.0"
    node.slow_down("", 1.6)
