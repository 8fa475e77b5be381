"""Runs cases on CUDA device 0, some of which take its context down; prints each status as JSON.

A program of its own: a process that has opened a GPU, as that of the tests has, cannot be forked
any more.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analysis.model.judge import judged
from kernels.base import Audit, Kernel, Work
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.launch import CudaBackend
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from probes import compute
from probes.harness import bench
from probes.harness.bench import GuardedBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule
from probes.harness.devices.choose import choose
from probes.harness.rounds import take_turns
from probes.harness.task import Task, tasks
from probes.records.tag import parse_tag


class PlantedKernel(CudaKernel):
    """A kernel that takes the context down in the way that ``entry`` names."""

    source = Path(__file__).with_name("planted.cu")

    def __init__(self, entry: str, device: Device, dtype: str, params: Any) -> None:
        super().__init__(device, dtype, params)
        self.entry = entry

    def defines(self) -> dict[str, object]:
        return {}

    def work(self) -> Work:
        return Work(flops=1.0)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        return Audit(self.entry)

    def allocate(self) -> None:
        self.place = self.new(64, np.int32)

    def run(self, repeat: int) -> None:
        self.launch(1, 1, self.place.pointer)

    def fetch(self) -> np.ndarray:
        return np.zeros(1)


def planted(name: str) -> Case:
    """A case whose kernel takes the context down as its name says."""

    def work(dtype: str, **params: Any) -> Work:
        return Work(flops=1.0)

    def reference(dtype: str, repeat: int, **params: Any) -> np.ndarray:
        return np.zeros(1)

    kernel = Kernel(name, work, reference, {"raw": CudaBackend(partial(PlantedKernel, name))})
    return Case(kernel, "int32", "raw", parse_tag(f"compute/int32/{name}"))


def plan(device: Device) -> list[Task]:
    """A sound case before each planted one."""
    tags = ("compute/fp32", "compute/fp64")
    raw_cases = [case for case in compute.cases(device) if case.backend == "raw"]
    sound = [case for case in raw_cases if case.ceiling in tags]
    cases = [sound[0], planted("illegal"), sound[1], planted("hang")]
    return tasks([Probe("planted", "?", lambda _: cases)], device, "2030-01-02T03:04:05Z")


def main() -> None:
    """Give each case two turns, and print what became of its row."""
    bench.LEAST_PATIENCE_SECONDS = 15.0
    bench.PATIENCE = 0
    guarded_bench = GuardedBench(choose, plan)
    device, _ = guarded_bench.find("0")
    todo = plan(device)
    guarded_bench.take(device, todo)
    guarded_bench.prepare()
    rule = Rule(0.002, 0.0)
    list(take_turns(todo, guarded_bench, lambda _: rule, 2, lambda rows: judged(rows, device)))
    guarded_bench.close()
    rows = [task.row for task in todo]
    print(json.dumps({row.ceiling: [row.status, row.reason] for row in rows}))


if __name__ == "__main__":
    main()
