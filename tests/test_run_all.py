"""The main job end to end on the real CPU, and every way it can be asked or measure wrongly."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import run_all
from kernels import fma
from kernels.base import Kernel, KernelError, Work
from kernels.device import Device
from kernels.fma import work as fma_work
from kernels.stream import cpu as stream_cpu
from probes import bandwidth, compute
from probes.harness import bench, sustained
from probes.harness.clocks import sampling
from probes.harness.devices import cpu
from probes.harness.task import Task
from tests.runs import ROOT, SMALL, facts, main, only_run, table

REASON_OF_OTHER_LOAD = re.compile(
    "the machine is overloaded|gave no answer within|above the physical limit"
)
"""Why a row of sound kernels may fail on a machine that is busy with other things: a thread or the
worker came too late, or the clock was read too low beside every sample of a row.
"""


def test_a_quick_run_leaves_all_files_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(*SMALL, "--out", str(tmp_path))
    folder = only_run(tmp_path)
    out = capsys.readouterr().out
    assert str(folder) in out
    assert " FP64 " in out
    assert facts(folder)["status"] == "complete"
    rows = table(folder, "measurements.csv")
    failed = [row for row in rows if row["status"] == "failed"]
    assert not [row["reason"] for row in failed if not REASON_OF_OTHER_LOAD.search(row["reason"])]
    assert code == (1 if failed else 0)
    good = [row for row in rows if row["status"] == "ok"]
    tags = {row["ceiling"] for row in (*good, *failed)}
    assert {"compute/fp64", "compute/fp32", "compute/fp64/1core"} <= tags
    assert all(int(row["samples"]) >= 1 and row["instruction"] for row in good)
    trusted = [row for row in good if row["trusted"] == "1"]  # beside other load, there may be none
    assert all(float(row["clock_hz"]) > 1e8 for row in trusted)
    assert all(row["reason"] for row in rows if row["status"] == "skipped")
    assert {row["tag"] for row in table(folder, "ceilings.csv")} == {row["ceiling"] for row in rows}


@pytest.mark.usefixtures("even_clock")
def test_replot_gives_the_same_ceilings_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*SMALL, "--out", str(tmp_path)) == 0
    folder = only_run(tmp_path)
    before = (folder / "ceilings.csv").read_text()
    for name in ("ceilings.csv", "roofline.png", "report.html"):
        (folder / name).unlink()
    assert main("--replot", str(folder)) == 0
    assert (folder / "ceilings.csv").read_text() == before
    assert (folder / "report.html").exists()


def test_a_probe_runs_alone() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "probes.compute", "--list", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "How many multiply-adds" in process.stdout


def test_the_list_gives_each_question_and_whether_it_can_be_answered_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main("--list", "--device", "cpu") == 0
    out = capsys.readouterr().out
    assert "bandwidth    How many bytes per second can main memory move?" in out
    assert "can run here" in out


BAD_INPUT = [
    (["--device", "7"], "no "),
    (["--device", "toaster"], "--device 'toaster' is no device"),
    (
        ["--only", "overhead", "--device", "cpu"],
        "overhead: nothing to ask of this kind of device; --list says",
    ),
    (
        ["--only", "gemm", "transfer", "--device", "cpu"],
        "gemm, transfer: nothing to ask of this kind of device",
    ),
    (["--only", "magic"], "no probe is called 'magic'; there are: arithmetic"),
    (["--nonsense"], "unrecognized arguments: --nonsense"),
    (["--only"], "--only"),
    (["--replot", "/nowhere"], "/nowhere is not a run of Ridgeline"),
    (["--out", "/proc/nowhere"], "cannot write to --out /proc/nowhere"),
    (["--out", "o" * 300], "file name too long"),
]


@pytest.mark.parametrize(
    ("argv", "message"), BAD_INPUT, ids=[" ".join(argv) for argv, _ in BAD_INPUT]
)
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


def test_a_foreign_folder_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text('{"name": "someone else"}')
    assert main("--replot", str(tmp_path)) == 2
    assert "run.json is not a run of Ridgeline" in capsys.readouterr().err


def with_little_memory(spec: str | None) -> tuple[Device, str]:
    """This CPU with hardly any free memory, in place of the device that is asked for."""
    return replace(cpu.detect(), memory_free_bytes=100 << 20), "made to be small"


@pytest.mark.usefixtures("even_clock")
def test_a_machine_with_little_memory_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_all, "choose_device", with_little_memory)
    assert main("--quick", "--only", "bandwidth", "--out", str(tmp_path)) == 0
    rows = table(only_run(tmp_path), "measurements.csv")
    streams = [row for row in rows if row["ceiling"].startswith("bandwidth/dram/")]
    assert {row["status"] for row in streams} == {"skipped"}
    assert all("GB of memory, and 0.10 GB are free" in row["reason"] for row in streams)


@pytest.mark.usefixtures("even_clock")
def test_a_named_probe_that_asks_nothing_here_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*SMALL, "overhead", "--out", str(tmp_path)) == 0
    words = "overhead: nothing to ask of this kind of device"
    assert f"warning: {words}" in capsys.readouterr().out
    assert words in facts(only_run(tmp_path))["warnings"]


def broken(*_: Any) -> Any:
    """Fail as if the device were gone."""
    raise KernelError("the device has fallen off the bus")


@pytest.mark.usefixtures("even_clock")
def test_a_worker_is_told_how_long_one_repetition_of_a_load_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not have timed it: each repetition would be a moment of the curve."""

    def sustain(task: Task, *_: Any) -> Any:
        raise KernelError(f"one takes {task.row.seconds_median}")

    monkeypatch.setattr(sustained, "sustain", sustain)
    assert main(*SMALL, "--sustained", "1", "--out", str(tmp_path)) == 1
    rows = {row["ceiling"]: row for row in table(only_run(tmp_path), "measurements.csv")}
    (tag,) = [tag for tag in rows if tag.endswith("/sustained")]
    usual = rows[tag.removesuffix("/sustained")]
    assert rows[tag]["reason"] == f"one takes {usual['seconds_median']}"


@pytest.mark.usefixtures("even_clock")
def test_a_load_that_breaks_is_a_failed_row_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sustained, "sustain", broken)
    monkeypatch.setattr(sampling.HostClock, "close", broken)
    assert main(*SMALL, "--sustained", "1", "--out", str(tmp_path)) == 1
    folder = only_run(tmp_path)
    assert "could not be sustained: the device has fallen off the bus" in capsys.readouterr().out
    assert facts(folder)["status"] == "complete"
    rows = {row["ceiling"]: row for row in table(folder, "measurements.csv")}
    (tag,) = [tag for tag in rows if tag.endswith("/sustained")]
    assert (rows[tag]["status"], rows[tag]["seconds_median"]) == ("failed", "")
    assert rows[tag]["reason"] == "the device has fallen off the bus"
    assert tag in {row["tag"] for row in table(folder, "ceilings.csv")}
    assert (folder / "report.html").exists()


def test_a_machine_with_no_clock_is_a_warning_and_the_run_is_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "clock_for", broken)
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    folder = only_run(tmp_path)
    assert (
        "warning: nothing could be timed: the device has fallen off the bus"
        in capsys.readouterr().out
    )
    assert facts(folder)["status"] == "partial"
    assert (folder / "ceilings.csv").exists()


@pytest.mark.usefixtures("even_clock")
def test_a_kernel_that_copies_half_fails_by_name_and_draws_no_roof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = stream_cpu.pack

    def pack_half(values: list[Any]) -> list[int]:
        """The arguments of the machine code, which has half of its elements to do."""
        *addresses, count, scale, out = values
        return pack([*addresses, count // 2, scale, out])

    monkeypatch.setattr(stream_cpu, "pack", pack_half)
    monkeypatch.setattr(bandwidth, "PAST_CACHE", {"cpu": 0, "cuda": 0})
    assert main("--quick", "--device", "cpu", "--only", "bandwidth", "--out", str(tmp_path)) == 1
    folder = only_run(tmp_path)
    rows = {row["kernel"]: row for row in table(folder, "measurements.csv")}
    assert rows["copy"]["status"] == "failed"
    assert "copy/cpu fp64: out[" in rows["copy"]["reason"]
    rates = {row["tag"]: row["rate"] for row in table(folder, "ceilings.csv")}
    assert rates["bandwidth/dram"] == ""


@pytest.mark.usefixtures("even_clock")
def test_a_doubled_operation_count_fails_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def doubled(dtype: str, **params: Any) -> Work:
        """Twice the work that the kernel does."""
        return Work(flops=2 * fma_work.work(dtype, **params).flops)

    kernel_of = fma.kernel

    def miscounted_kernel(dtype: str, path: str = "") -> Kernel:
        """The kernel, which says that it does twice its work."""
        return replace(kernel_of(dtype, path), work=doubled)

    monkeypatch.setattr(compute.fma, "kernel", miscounted_kernel)
    assert main(*SMALL, "--out", str(tmp_path)) == 1
    rows = table(only_run(tmp_path), "measurements.csv")
    checked = [row for row in rows if row["status"] != "skipped"]
    assert len(checked) >= 4
    assert {row["status"] for row in checked} == {"failed"}
    assert all("the machine code does" in row["reason"] for row in checked)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_raised:
        main("--version")
    assert exit_raised.value.code == 0
    assert capsys.readouterr().out == f"Ridgeline {run_all.VERSION}\n"
