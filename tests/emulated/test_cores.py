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

# the instruction sets of each core, as far as they matter to compiled code
SETS = {"Haswell": {"sse2", "sse4_1", "avx", "avx2", "fma"}, "Nehalem": {"sse2", "sse4_1"}}


@pytest.mark.parametrize("name", TESTS)
def test_every_listed_test_exists(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TOP / file).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if function:
        assert function in functions
    else:
        assert any(member.startswith("test_") for member in functions)


def test_the_whole_program_is_run_too() -> None:
    assert (TOP / RUN[0]).is_file()


X86_CORES = [core for core in CORES if core.machine == X86]


@pytest.mark.parametrize("core", X86_CORES, ids=lambda core: core.name)
def test_a_made_up_cpuinfo_tells_the_core(tmp_path: Path, core: Core) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(core.cpuinfo(3))
    blocks = cpuinfo.blocks(tmp_path, range(3))  # of CPUs 0 to 2
    assert {core_numbers(block) for block in blocks.values()} == {core.numbers}
    assert set(cpuinfo.features(blocks.values())) & target.CONCERNED == SETS[core.name]


def test_both_kinds_of_machine_are_emulated() -> None:
    assert {core.machine for core in CORES} == {X86, ARM}
