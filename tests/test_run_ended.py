"""Every way a run can end early: a full disk, an interrupt, no memory, a reader that leaves."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import analyse
from analysis.tell.console import Console
from analysis.tell.output import ReaderLeft
from kernels import fma
from probes import compute
from probes.harness import bench
from tests.runs import ROOT, SMALL, facts, main, only_run, single_picture, table

pytestmark = pytest.mark.usefixtures("even_clock", "undrawn")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of the write at which the disk is full: its one element counts down to it."""
    writes_left = [4]
    write = Path.write_bytes

    def filling(path: Path, data: bytes) -> int:
        writes_left[0] -= 1
        if writes_left[0] <= 0:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", filling)
    yield writes_left


def test_a_full_disk_ends_the_run_and_keeps_what_was_measured(
    tmp_path: Path,
    full_disk: list[int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full_disk[0] = 4  # both files before the first case, the first row, and no more
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "no space left on device" in out
    assert " FP64 " in out, "what was measured is at least printed"
    monkeypatch.undo()
    assert main("--replot", str(only_run(tmp_path))) == 0
    assert "partial" in capsys.readouterr().out


def test_a_disk_full_from_the_start_is_bad_input(
    tmp_path: Path, full_disk: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    full_disk[0] = 1
    assert main(*SMALL, "--out", str(tmp_path)) == 2
    assert "no space left on device" in capsys.readouterr().out


@pytest.mark.parametrize("end_signal", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_a_run_ended_early_is_readable_and_says_it_is_partial(
    tmp_path: Path, end_signal: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--device", "cpu", "--only", "compute", "--out", str(tmp_path)]
    command = [sys.executable, "-u", str(ROOT / "run_all.py"), *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " FP64 " in line:
                break
        os.kill(process.pid, end_signal)
        rest = process.stdout.read()
    assert process.returncode == (130 if end_signal == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in rest
    folder = only_run(tmp_path)
    rows = {row["ceiling"]: row for row in table(folder, "measurements.csv")}
    assert rows["compute/fp64"]["status"] == "ok"
    assert main("--replot", str(folder)) == 0
    assert "partial" in capsys.readouterr().out
    assert facts(folder)["status"] == "partial"


@pytest.mark.parametrize(
    "module", ["analysis.tell.output", "numpy.exceptions", "probes.harness.devices.cpu"]
)
def test_ctrl_c_while_a_module_is_loaded_prints_no_traceback(module: str) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "run_all.py"), "--list"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.split()[-1] == module)
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in rest


@pytest.fixture
def nothing_to_measure(tmp_path: Path) -> list[str]:
    """Arguments for a run that measures nothing: its ceilings and its one layer come from files."""
    (tmp_path / "layers.csv").write_text("name,flops,bytes,seconds\nfc,1e9,1e6,1e-3\n")
    roofs = ROOT / "results/reference/nvidia-h200"
    return ["--roofs", str(roofs), "--import", str(tmp_path / "layers.csv"), "--out", str(tmp_path)]


def stopped(error: type[BaseException]) -> Any:
    """A function that is stopped by ``error``."""

    def stop(*_: Any) -> Any:
        raise error

    return stop


ENDINGS = [
    (KeyboardInterrupt, 130, "interrupted", analyse, "drawn"),
    (MemoryError, 1, "out of memory", Console, "result"),
]
"""(error, exit code, its words, where it is raised: an object and the name of its function)"""


@pytest.mark.parametrize(
    ("error", "code", "words", "owner", "function"), ENDINGS, ids=["ctrl-c", "memory"]
)
def test_an_error_while_drawing_is_one_line_and_keeps_the_rows(
    error: type[BaseException],
    code: int,
    words: str,
    owner: Any,
    function: str,
    nothing_to_measure: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(owner, function, stopped(error))
        assert main(*nothing_to_measure) == code
        folder = only_run(tmp_path)
        assert main("--replot", str(folder)) == code
    err = capsys.readouterr().err.splitlines()
    assert err == [
        f"run_all.py: {words}; the rows so far are in {folder}, --replot draws them",
        f"run_all.py: {words}",
    ]
    assert main("--replot", str(folder)) == 0


def _segfault() -> None:
    """Read memory that is not ours."""
    ctypes.string_at(0)


def _abort() -> None:
    """End as LLVM does when it cannot compile something."""
    os.write(2, b"LLVM ERROR: Cannot select: 0x1\n")
    os.abort()


def _hang() -> None:
    """Give no answer for far longer than anyone waits here."""
    time.sleep(600)


def _killed() -> None:
    """End as Linux ends a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS = [
    (_segfault, "ended by SIGSEGV (invalid memory access)"),
    (_abort, "ended by SIGABRT (a library aborted): LLVM ERROR: Cannot select: 0x1"),
    (_killed, "ended by SIGKILL (killed, most likely for lack of memory)"),
    (_hang, "it gave no answer within"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=["segfault", "abort", "killed", "hang"])
def test_a_case_that_takes_its_process_down_is_one_failed_row(
    fault: Any,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kernel_of = fma.kernel

    def faulty_kernel(dtype: str, path: str = "") -> Any:
        """The kernel, whose check of FP64 on one core ends in the fault."""
        kernel = kernel_of(dtype, path)

        def reference(dtype: str, repeat: int, **params: Any) -> Any:
            if params["threads"] == 1 and dtype == "fp64":
                fault()
            return kernel.reference(dtype, repeat, **params)

        return replace(kernel, reference=reference)

    monkeypatch.setattr(compute.fma, "kernel", faulty_kernel)
    monkeypatch.setattr(bench, "LEAST_PATIENCE_SECONDS", 10.0)
    monkeypatch.setattr(bench, "PATIENCE", 0)
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    rows = {row["ceiling"]: row for row in table(only_run(tmp_path), "measurements.csv")}
    faulty = rows.pop("compute/fp64/1core")
    assert faulty["status"] == "failed"
    assert reason in faulty["reason"]
    assert {row["status"] for row in rows.values()} <= {"ok", "skipped"}
    assert rows["compute/fp32/1core"]["status"] == "ok", "a fresh process went on"
    assert "Traceback" not in capsys.readouterr().err


PRINTING_ARGUMENTS = [
    ["--list", "--device", "cpu"],
    ["--replot"],
    SMALL,
]


@pytest.mark.parametrize("argv", PRINTING_ARGUMENTS, ids=lambda argv: argv[0])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_standard_output_ends_the_run_with_one_line(argv: list[str], tmp_path: Path) -> None:
    if argv[0] == "--replot":
        argv = ["--replot", str(single_picture(tmp_path / "run"))]
    out = ["--out", str(tmp_path / "out")] if argv == SMALL else []
    command = [sys.executable, str(ROOT / "run_all.py"), *argv, *out]
    with open("/dev/full", "w") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    line = "run_all.py: cannot write to standard output: no space left on device\n"
    assert (process.returncode, process.stderr) == (1, line)
    assert not (tmp_path / "out").exists(), "a run that measured nothing leaves no folder"


@pytest.mark.parametrize(
    "argv", [["--list", "--device", "cpu"], ["--help"], SMALL], ids=lambda argv: argv[0]
)
def test_a_reader_that_left_ends_the_program_by_sigpipe_without_a_word(
    argv: list[str], tmp_path: Path
) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    out = ["--out", str(tmp_path / "out")] if argv == SMALL else []
    command = [sys.executable, str(ROOT / "run_all.py"), *argv, *out]
    process = subprocess.run(
        command, stdout=writing_end, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    os.close(writing_end)
    assert (process.returncode, process.stderr) == (128 + signal.SIGPIPE, "")
    assert not (tmp_path / "out").exists(), "no empty folder is left"


def test_an_output_folder_that_was_there_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(Console, "device", stopped(ReaderLeft))
    assert main(*SMALL, "--out", str(out)) == 128 + signal.SIGPIPE
    assert list(out.iterdir()) == []


def test_a_reader_that_leaves_later_is_told_where_the_rows_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "result", stopped(ReaderLeft))
    assert main(*SMALL, "--out", str(tmp_path)) == 128 + signal.SIGPIPE
    sentence = (
        f"no one reads what is printed; the rows so far are in {only_run(tmp_path)}, "
        "--replot draws them"
    )
    assert capsys.readouterr().err == f"run_all.py: {sentence}\n"
