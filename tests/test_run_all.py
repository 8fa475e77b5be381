"""The main job end to end on the real CPU, and every way it can be asked wrongly or ended early."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import run_all
from analysis import analyse
from analysis.console import Console
from kernels import fma, stream_cpu
from kernels.base import KernelError, Work
from probes import bandwidth, compute
from probes.harness import measuring, sustained, timing
from probes.harness.records import Device

ROOT = Path(__file__).parent.parent
SMALL = ["--quick", "--device", "cpu", "--only", "compute"]


def main(*argv: str) -> int:
    return run_all.main(argv)


def only_run(out: Path) -> Path:
    """The one run directory below ``out``."""
    (folder,) = [p.parent for p in out.glob("*/*/run.json")]
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / name, encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def facts(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return read


def test_a_quick_run_leaves_all_files_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*SMALL, "--out", str(tmp_path)) == 0
    folder = only_run(tmp_path)
    out = capsys.readouterr().out
    assert str(folder) in out
    assert "compute/fp64" in out
    assert facts(folder)["status"] == "complete"
    rows = table(folder, "measurements.csv")
    good = [row for row in rows if row["status"] == "ok"]
    assert {"compute/fp64", "compute/fp32", "compute/fp64/1core"} <= {row["ceiling"] for row in good}
    assert all(int(row["samples"]) >= 1 and float(row["clock_hz"]) > 1e8 and row["instruction"] for row in good)
    assert all(row["reason"] for row in rows if row["status"] == "skipped")
    assert {row["tag"] for row in table(folder, "ceilings.csv")} == {row["ceiling"] for row in rows}


def test_replot_gives_the_same_ceilings_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*SMALL, "--out", str(tmp_path)) == 0
    folder = only_run(tmp_path)
    before = (folder / "ceilings.csv").read_text()
    for name in ("ceilings.csv", "roofline.png", "report.html"):
        (folder / name).unlink()
    assert main("--replot", str(folder)) == 0
    assert (folder / "ceilings.csv").read_text() == before
    assert (folder / "report.html").exists()


def test_a_probe_runs_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "probes.compute", "--list", "--device", "cpu"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "How many multiply-adds" in done.stdout


def test_the_list_tells_questions_and_whether_they_can_be_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--list", "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "bandwidth    How many bytes per second can main memory move?" in out
    assert "can run here" in out


BAD = [
    (["--device", "7"], "no "),
    (["--device", "toaster"], "--device 'toaster' is no device"),
    (["--only", "overhead", "--device", "cpu"], "overhead: nothing to ask of this kind of device; --list says"),
    (["--only", "gemm", "transfer", "--device", "cpu"], "gemm, transfer: nothing to ask of this kind of device"),
    (["--only", "magic"], "no probe is called 'magic'; there are: bandwidth"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
    (["--only"], "--only"),
    (["--replot", "/nowhere"], "/nowhere is not a run of Ridgeline"),
    (["--out", "/proc/nowhere"], "cannot write to --out /proc/nowhere"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_bad_input_is_one_line_and_exit_code_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if argv[0] == "--out":
        argv = [*argv, *SMALL]
    assert main(*argv) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_foreign_folder_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text('{"name": "someone else"}')
    assert main("--replot", str(tmp_path)) == 2
    assert "run.json is not a run of Ridgeline" in capsys.readouterr().err


def with_little_memory(spec: str | None) -> tuple[Device, str]:
    from probes.harness.devices import cpu

    return replace(cpu.detect(), memory_free_bytes=100 << 20), "made to be small"


def test_a_machine_with_little_memory_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_all, "choose_device", with_little_memory)
    assert main("--quick", "--only", "bandwidth", "--out", str(tmp_path)) == 0
    rows = table(only_run(tmp_path), "measurements.csv")
    streams = [row for row in rows if row["ceiling"].startswith("bandwidth/dram/")]
    assert {row["status"] for row in streams} == {"skipped"}
    assert all("GB of memory, and 0.10 GB are free" in row["reason"] for row in streams)


def test_a_named_probe_that_asks_nothing_here_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(*SMALL, "overhead", "--out", str(tmp_path)) == 0
    told = "overhead: nothing to ask of this kind of device"
    assert f"warning: {told}" in capsys.readouterr().out
    assert told in facts(only_run(tmp_path))["warnings"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The disk fills up at this write."""
    left, write = [4], Path.write_bytes

    def filling(path: Path, data: bytes) -> int:
        left[0] -= 1
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", filling)
    yield left


def test_a_full_disk_ends_the_run_and_keeps_what_was_measured(
    tmp_path: Path, full_disk: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk[0] = 4  # both files before the first case, the first row, and no more
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "no space left on device" in out
    assert "compute/fp64" in out, "what was measured is at least printed"
    monkeypatch.undo()
    assert main("--replot", str(only_run(tmp_path))) == 0
    assert "partial" in capsys.readouterr().out


def test_a_disk_full_from_the_start_is_bad_input(
    tmp_path: Path, full_disk: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    full_disk[0] = 1
    assert main(*SMALL, "--out", str(tmp_path)) == 2
    assert "no space left on device" in capsys.readouterr().out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_a_run_ended_early_is_readable_and_says_it_is_partial(
    tmp_path: Path, sent: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-u", str(ROOT / "run_all.py"), "--device", "cpu", "--out", str(tmp_path)]
    with subprocess.Popen([*command, "--only", "compute"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "compute/fp64" in line:
                break
        os.kill(process.pid, sent)
        rest = process.stdout.read()
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in rest
    folder = only_run(tmp_path)
    rows = {row["ceiling"]: row for row in table(folder, "measurements.csv")}
    assert rows["compute/fp64"]["status"] == "ok"
    assert main("--replot", str(folder)) == 0
    assert "partial" in capsys.readouterr().out
    assert facts(folder)["status"] == "partial"


@pytest.fixture
def imported(tmp_path: Path) -> list[str]:
    """A run that has nothing to measure: its ceilings and its one layer are there."""
    (tmp_path / "layers.csv").write_text("name,flops,bytes,seconds\nfc,1e9,1e6,1e-3\n")
    roofs = ROOT / "results/reference/nvidia-h200"
    return ["--roofs", str(roofs), "--import", str(tmp_path / "layers.csv"), "--out", str(tmp_path)]


def stopped(error: type[BaseException]) -> Any:
    """A function that is stopped by ``error``."""

    def stop(*_: Any) -> Any:
        raise error

    return stop


ENDED = [
    (KeyboardInterrupt, 130, "interrupted", analyse, "drawn"),
    (MemoryError, 1, "out of memory", Console, "result"),
]


@pytest.mark.parametrize(("error", "code", "told", "place", "name"), ENDED, ids=["ctrl-c", "memory"])
def test_what_ends_the_drawing_is_one_line_and_keeps_the_rows(
    error: type[BaseException], code: int, told: str, place: Any, name: str, imported: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(place, name, stopped(error))
        assert main(*imported) == code
        folder = only_run(tmp_path)
        assert main("--replot", str(folder)) == code
    err = capsys.readouterr().err.splitlines()
    assert err == [f"run_all.py: {told}; the rows so far are in {folder}, --replot draws them", f"run_all.py: {told}"]
    assert main("--replot", str(folder)) == 0


def test_an_interrupt_that_a_callback_swallowed_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))
    right = fma.kernel

    def kernel(dtype: str) -> Any:
        made = right(dtype)
        return replace(made, reference=lambda *a, **k: (lost(), made.reference(*a, **k))[1])

    monkeypatch.setattr(compute.fma, "kernel", kernel)
    assert main(*SMALL, "--out", str(tmp_path)) == 130
    assert "interrupted: this run is partial" in capsys.readouterr().out
    assert facts(only_run(tmp_path))["status"] == "partial"


DEAF = [["--list"], ["--replot", "results/reference/nvidia-h200"], SMALL]


@pytest.mark.parametrize("argv", DEAF, ids=lambda argv: argv[0])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_standard_output_is_one_line(argv: list[str], tmp_path: Path) -> None:
    if argv[0] == "--replot":
        argv = ["--replot", str(shutil.copytree(ROOT / argv[1], tmp_path / "run"))]
    command = [sys.executable, str(ROOT / "run_all.py"), *argv, "--device", "cpu", "--out", str(tmp_path / "out")]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    told = "run_all.py: cannot write to standard output: no space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert not list(tmp_path.glob("out/*/*")), "a run that measured nothing leaves no folder"


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    end, start = os.pipe()
    os.close(end)
    command = [sys.executable, str(ROOT / "run_all.py"), "--list", "--device", "cpu"]
    done = subprocess.run(command, stdout=start, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(start)
    assert (done.returncode, done.stderr) == (1, "run_all.py: cannot write to standard output: broken pipe\n")


def broken(*_: Any) -> Any:
    raise KernelError("the device has fallen off the bus")


def test_a_load_that_breaks_is_a_failed_row_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sustained, "sustain", broken)
    monkeypatch.setattr(timing.HostClock, "close", broken)
    assert main(*SMALL, "--sustained", "1", "--out", str(tmp_path)) == 1
    folder = only_run(tmp_path)
    assert "could not be sustained: the device has fallen off the bus" in capsys.readouterr().out
    assert facts(folder)["status"] == "complete"
    rows = {row["ceiling"]: row for row in table(folder, "measurements.csv")}
    (path,) = [name for name in rows if name.endswith("/sustained")]
    assert (rows[path]["status"], rows[path]["seconds_median"]) == ("failed", "")
    assert rows[path]["reason"] == "the device has fallen off the bus"
    assert path in {row["tag"] for row in table(folder, "ceilings.csv")}
    assert (folder / "report.html").exists()


def test_a_machine_with_no_clock_is_a_warning_and_the_run_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "clock_for", broken)
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    folder = only_run(tmp_path)
    assert "warning: nothing could be timed: the device has fallen off the bus" in capsys.readouterr().out
    assert facts(folder)["status"] == "partial"
    assert (folder / "ceilings.csv").exists()


def test_a_kernel_that_copies_half_fails_by_name_and_draws_no_roof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = stream_cpu.pack

    def half(values: list[Any]) -> list[int]:
        return whole([*values[:3], values[3] // 2, *values[4:]])

    monkeypatch.setattr(stream_cpu, "pack", half)
    monkeypatch.setattr(bandwidth, "PAST_CACHE", {"cpu": 0, "cuda": 0})
    assert main("--quick", "--device", "cpu", "--only", "bandwidth", "--out", str(tmp_path)) == 1
    rows = {row["kernel"]: row for row in table(only_run(tmp_path), "measurements.csv")}
    assert rows["copy"]["status"] == "failed"
    assert "copy/cpu fp64: out[" in rows["copy"]["reason"]
    assert {row["tag"]: row["rate"] for row in table(only_run(tmp_path), "ceilings.csv")}["bandwidth/dram"] == ""


def test_a_doubled_operation_count_fails_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def doubled(dtype: str, **params: Any) -> Work:
        return Work(flops=2 * fma.work(dtype, **params).flops)

    right = fma.kernel
    monkeypatch.setattr(compute.fma, "kernel", lambda dtype: replace(right(dtype), work=doubled))
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    rows = table(only_run(tmp_path), "measurements.csv")
    failed = [row for row in rows if row["status"] != "skipped"]
    assert len(failed) >= 4
    assert all(row["status"] == "failed" and "the machine code does" in row["reason"] for row in failed)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"Ridgeline {run_all.VERSION}\n"
