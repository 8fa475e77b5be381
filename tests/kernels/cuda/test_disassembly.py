"""Many kernels read at once give each its own code; who asks meanwhile waits for one start of the
disassembler.
"""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from kernels.cuda import cubins, disassembly, nvrtc, sass

SOURCE = """
extern "C" __global__ void f(float *out, int trips, float m) {
  float x = m;
  #pragma unroll 1
  for (int t = 0; t < trips; t++) {
    #pragma unroll
    for (int s = 0; s < STEPS; s++) x = x * m + m;
  }
  out[threadIdx.x] = x;
}
"""
REFUSED = "70"  # an architecture that nvdisasm no longer knows
PAUSE_S = 0.001  # between two looks at what others do
PATIENCE_S = 60  # seconds that no test needs


def compiled(folder: Path, steps: int, arch: str = "90") -> nvrtc.Cubin:
    """The source above, compiled with so many steps in its loop."""
    source = folder / "planted.cu"
    source.write_text(SOURCE)
    return nvrtc.compile_cubin(source, arch, {"STEPS": steps})


def multiply_adds(code: disassembly.Code) -> int:
    """Multiply-adds in all loops of the code."""
    instructions = chain.from_iterable(sass.loops(code))
    return sum(instruction.opcode == "FFMA" for instruction in instructions)


def wait_for_askers(count: int) -> None:
    """Wait until so many cubins are asked for and not yet read."""
    while len(disassembly._ASKED) < count:
        threading.Event().wait(PAUSE_S)


@pytest.mark.parametrize("arch", ["75", "86", "90", "90a", "100", "120"])
def test_each_of_many_has_its_own_loop(tmp_path: Path, arch: str) -> None:
    steps = [3, 40, 7, 200]
    codes = disassembly.read(arch, [compiled(tmp_path, count, arch).path for count in steps])
    assert [multiply_adds(code) for code in codes] == steps
    for code in codes:
        assert code[0].at == 0
        assert "EXIT" in [instruction.opcode for instruction in code]
    read_alone = disassembly.disassemble(compiled(tmp_path, steps[2], arch))
    assert codes[2] == read_alone


def test_those_who_ask_while_another_is_read_share_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = disassembly.read
    all_have_asked = threading.Barrier(2)
    batches: list[int] = []

    def slow(arch: str, paths: Any) -> Any:
        if not batches:
            all_have_asked.wait(PATIENCE_S)
        batches.append(len(paths))
        return real(arch, paths)

    monkeypatch.setattr(disassembly, "read", slow)
    steps = range(2, 9)
    cubins_to_read = [compiled(tmp_path, count) for count in steps]
    others = len(cubins_to_read) - 1
    with ThreadPoolExecutor(len(cubins_to_read)) as pool:
        answers = [pool.submit(disassembly.disassemble, cubin) for cubin in cubins_to_read]
        wait_for_askers(others)
        all_have_asked.wait(PATIENCE_S)
    assert batches == [1, others]
    assert [multiply_adds(answer.result()) for answer in answers] == list(steps)


def test_one_architecture_refused_spares_the_others(tmp_path: Path) -> None:
    first_refused = compiled(tmp_path, 2, REFUSED)
    good = compiled(tmp_path, 2)
    second_refused = compiled(tmp_path, 3, REFUSED)
    cubins_to_read = [first_refused, good, second_refused]
    with ThreadPoolExecutor(len(cubins_to_read)) as pool:
        answers = [pool.submit(disassembly.disassemble, cubin) for cubin in cubins_to_read]
    for refused in (answers[0], answers[2]):
        assert type(refused.exception()) is subprocess.CalledProcessError
    assert multiply_adds(answers[1].result()) == 2


@pytest.mark.parametrize("bytes_left", [0, 30, 200])
def test_one_damaged_cubin_spares_the_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_left: int
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    cubins_to_read = [compiled(tmp_path, steps) for steps in (2, 3, 4)]
    damaged = cubins_to_read[1]
    damaged.path.write_bytes(damaged.path.read_bytes()[:bytes_left])
    with disassembly._TURN:  # until all have asked
        pool = ThreadPoolExecutor(len(cubins_to_read))
        answers = [pool.submit(disassembly.disassemble, cubin) for cubin in cubins_to_read]
        wait_for_askers(len(cubins_to_read))
    pool.shutdown()
    assert multiply_adds(answers[0].result()) == 2
    assert multiply_adds(answers[2].result()) == 4
    assert str(answers[1].exception()) == "the cubin is damaged"
    assert sass.wide_access(damaged, 1, 1).note == "not audited: the cubin is damaged"


def test_a_disassembler_that_hangs_is_told_in_words(tmp_path: Path) -> None:
    error = subprocess.TimeoutExpired(["nvdisasm", "--binary"], 61)
    reason = sass.why_not(compiled(tmp_path, 2), error)
    assert reason == "not audited: nvdisasm took longer than 61 s"


def test_no_disassembler_is_said_to_everyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="nvdisasm"):
            disassembly.disassemble(compiled(tmp_path, 2))


def fields_of(instruction: disassembly.Instruction) -> tuple[str, bool, int, int | None]:
    """Opcode, whether a predicate guards it, address and target of a branch."""
    return (
        instruction.opcode,
        instruction.predicated,
        instruction.at,
        instruction.target,
    )


def test_a_branch_back_is_a_loop_and_its_target_is_counted_from_the_beginning() -> None:
    listing = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
        /*0010*/              @!P0 BRA 0x40 ;
        /*0020*/                   FFMA R0, R0, R2, R2 ;
        /*0030*/               @P1 BRA 0x20 ;
        /*0040*/                   EXIT ;
    """
    code = list(disassembly.parse(listing.splitlines()))
    branch_away, multiply_add, branch_back = code[1:4]
    assert fields_of(branch_away) == ("BRA", True, 0x10, 0x40)
    assert fields_of(multiply_add) == ("FFMA", False, 0x20, None)
    assert fields_of(branch_back) == ("BRA", True, 0x30, 0x20)
    assert list(sass.loops(code)) == [[multiply_add, branch_back]]
