"""Many kernels read at once give each its own code; who asks meanwhile waits for one start of the
disassembler.
"""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
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
REFUSED = "70"


def compiled(folder: Path, steps: int, arch: str = "90") -> nvrtc.Cubin:
    source = folder / "planted.cu"
    source.write_text(SOURCE)
    return nvrtc.compile_cubin(source, arch, {"STEPS": steps})


def multiply_adds(code: disassembly.Code) -> int:
    return sum(i.opcode == "FFMA" for loop in sass.loops(code) for i in loop)


@pytest.mark.parametrize("arch", ["75", "86", "90", "90a", "100", "120"])
def test_each_of_many_has_its_own_loop(tmp_path: Path, arch: str) -> None:
    steps = [3, 40, 7, 200]
    codes = disassembly.read(arch, [compiled(tmp_path, n, arch).path for n in steps])
    assert [multiply_adds(code) for code in codes] == steps
    assert all(code[0].at == 0 and "EXIT" in [i.opcode for i in code] for code in codes)
    assert codes[2] == disassembly.disassemble(compiled(tmp_path, 7, arch)), (
        "as if it were read alone"
    )


def test_those_who_ask_while_another_is_read_share_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, waiting, batches = disassembly.read, threading.Barrier(2), list[int]()

    def slow(arch: str, paths: Any) -> Any:
        if not batches:
            waiting.wait(60)  # until all others have asked
        batches.append(len(paths))
        return real(arch, paths)

    monkeypatch.setattr(disassembly, "read", slow)
    some = [compiled(tmp_path, steps) for steps in range(2, 9)]
    with ThreadPoolExecutor(len(some)) as pool:
        asked = [pool.submit(disassembly.disassemble, cubin) for cubin in some]
        while len(disassembly._ASKED) < len(some) - 1:
            threading.Event().wait(0.001)
        waiting.wait(60)
    assert batches == [1, len(some) - 1]
    assert [multiply_adds(answer.result()) for answer in asked] == list(range(2, 9))


def test_one_architecture_refused_spares_the_others(tmp_path: Path) -> None:
    some = [compiled(tmp_path, 2, REFUSED), compiled(tmp_path, 2), compiled(tmp_path, 3, REFUSED)]
    with ThreadPoolExecutor(len(some)) as pool:
        asked = [pool.submit(disassembly.disassemble, cubin) for cubin in some]
    assert [type(answer.exception()) for answer in asked[::2]] == [
        subprocess.CalledProcessError
    ] * 2
    assert multiply_adds(asked[1].result()) == 2


@pytest.mark.parametrize("left", [0, 30, 200])
def test_one_damaged_cubin_spares_the_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    some = [compiled(tmp_path, steps) for steps in (2, 3, 4)]
    some[1].path.write_bytes(some[1].path.read_bytes()[:left])
    with disassembly._TURN:  # until all have asked
        with_all = ThreadPoolExecutor(len(some))
        asked = [with_all.submit(disassembly.disassemble, cubin) for cubin in some]
        while len(disassembly._ASKED) < len(some):
            threading.Event().wait(0.001)
    with_all.shutdown()
    assert [multiply_adds(asked[at].result()) for at in (0, 2)] == [2, 4]
    assert str(asked[1].exception()) == "the cubin is damaged"
    assert sass.wide_access(some[1], 1, 1).note == "not audited: the cubin is damaged"


def test_a_disassembler_that_hangs_is_told_in_words(tmp_path: Path) -> None:
    error = subprocess.TimeoutExpired(["nvdisasm", "--binary"], 61)
    assert (
        sass.why_not(compiled(tmp_path, 2), error) == "not audited: nvdisasm took longer than 61 s"
    )


def test_no_disassembler_is_said_to_everyone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match="nvdisasm"):
            disassembly.disassemble(compiled(tmp_path, 2))


def test_a_branch_back_is_a_loop_and_its_target_is_counted_from_the_beginning() -> None:
    listing = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
        /*0010*/              @!P0 BRA 0x40 ;
        /*0020*/                   FFMA R0, R0, R2, R2 ;
        /*0030*/               @P1 BRA 0x20 ;
        /*0040*/                   EXIT ;
    """
    code = list(disassembly.parse(listing.splitlines()))
    assert [(i.opcode, i.predicated, i.at, i.target) for i in code[1:4]] == [
        ("BRA", True, 16, 64),
        ("FFMA", False, 32, None),
        ("BRA", True, 48, 32),
    ]
    assert [[i.opcode for i in loop] for loop in sass.loops(code)] == [["FFMA", "BRA"]]
