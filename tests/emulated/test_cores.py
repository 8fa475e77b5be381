"""The list of emulated tests names tests that exist, and made-up cores are what they are named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kernels.cpu import target
from probes.harness.devices import cpuinfo
from probes.harness.devices.cores import core_numbers
from tests.emulated.cores import ARM, CORES, RUN, TESTS, X86, Core
from tests.emulated.emulate import TOP

SETS = {"Haswell": {"sse2", "sse4_1", "avx", "avx2", "fma"}, "Nehalem": {"sse2", "sse4_1"}}


@pytest.mark.parametrize("name", TESTS)
def test_every_listed_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TOP / file).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function in functions or (
        not function and any(each.startswith("test_") for each in functions)
    )


def test_the_whole_program_is_run_too() -> None:
    assert (TOP / RUN[0]).is_file()


@pytest.mark.parametrize(
    "core", [core for core in CORES if core.machine == X86], ids=lambda core: core.name
)
def test_a_made_up_cpuinfo_tells_the_core(tmp_path: Path, core: Core) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(core.cpuinfo(3))
    blocks = cpuinfo.blocks(tmp_path, range(3))
    assert {core_numbers(block) for block in blocks.values()} == {core.numbers}
    assert set(cpuinfo.features(blocks.values())) & target.CONCERNED == SETS[core.name]


def test_both_kinds_of_machine_are_emulated() -> None:
    assert {core.machine for core in CORES} == {X86, ARM}
