"""Recorded ranges: by kind of machine and row, and wide enough for the runs of reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.compare.comparison import compare
from analysis.compare.facts import Circumstances, Reading
from analysis.compare.recorded import (
    BOARD,
    CPU,
    GPU,
    VIRTUAL_CPU,
    machine_of,
    range_of,
    record_of,
    records,
)
from analysis.compare.verdict import FASTER, SLOWER

REFERENCE = Path(__file__).parents[3] / "results" / "reference"


def test_every_record_names_its_source_and_is_possible() -> None:
    for machine, of_machine in records().items():
        assert machine in (VIRTUAL_CPU, CPU, GPU, BOARD)
        for record in of_machine:
            assert record.source
            assert record.runs >= 2
            assert record.range > 0
            assert 0 < record.drift < 1


@pytest.mark.parametrize(
    ("tag", "machine", "pattern"),
    [
        ("compute/fp32", GPU, "compute/*"),
        ("compute/fp16/wgmma-fp32", GPU, "compute/*/*"),
        ("compute/fp16/wgmma-fp32/zeros", GPU, "compute/*/zeros"),
        ("compute/fp16/gemm/zeros", GPU, "compute/*/gemm*"),
        ("compute/fp64/1core", VIRTUAL_CPU, "compute/fp64/1core"),
        ("bandwidth/dram/copy", VIRTUAL_CPU, "bandwidth/dram*"),
    ],
)
def test_the_first_pattern_that_fits_counts(tag: str, machine: str, pattern: str) -> None:
    record = record_of(tag, machine)
    assert record is not None
    assert record.tag == pattern


def test_what_was_not_recorded_is_unknown() -> None:
    assert record_of("compute/fp32", CPU) is None
    assert record_of("layer/convolution", GPU) is None


def test_kinds_of_machines() -> None:
    cpu = Circumstances(kind="cpu")
    gpu = Circumstances(kind="cuda")
    assert machine_of(cpu) == CPU
    assert machine_of(replace(cpu, virtual=True)) == VIRTUAL_CPU
    assert machine_of(gpu) == GPU
    assert machine_of(replace(gpu, board=True)) == BOARD


def test_a_range_is_of_what_can_be_trusted() -> None:
    readings = [Reading(value=value, unit="s") for value in (1.0, 1.1)]
    wild = Reading(value=9.0, unit="s", trusted=False)
    assert range_of([*readings, wild]) == pytest.approx(0.1)
    assert range_of(readings[:1]) is None


def test_two_runs_of_one_card_raise_no_alarm() -> None:
    runs = [REFERENCE / "nvidia-h200", REFERENCE / "nvidia-h200-resnet50"]
    counts = compare(runs).counts
    assert counts[SLOWER] == counts[FASTER] == 0
