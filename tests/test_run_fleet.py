"""``--fleet local`` with real runs, ``--device all``, and how both end early."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes.harness.devices.cuda import count_devices
from probes.records.fleet import CANCELLED, TOO_LONG, read_jobs
from probes.records.measurement import RidgelineError
from tests.runs import ROOT, SMALL, main

pytest.importorskip("submitit")


def fleet_of(out: Path) -> Path:
    """The one fleet below ``out``."""
    (folder,) = (out / "fleets").iterdir()
    return folder


def test_a_local_fleet_measures_and_tells(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main("--fleet", "local", "--nodes", "2", *SMALL, "--out", str(tmp_path)) == 0
    folder = fleet_of(tmp_path)
    runs = list(folder.glob("*/*/*/run.json"))
    assert len(runs) == 2
    assert json.loads(runs[0].read_text())["settings"]["fleet"]["host"]
    printed = capfd.readouterr().out
    assert "2 of 2 done" in printed
    assert "too few of a kind" in printed
    assert list(tmp_path.glob("fleet/*/fleet.html"))


def test_a_node_that_takes_too_long_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--fleet", "local", "--node-minutes", "0.02", "--device", "cpu"]
    assert main(*words, "--out", str(tmp_path)) == 1
    (job,) = read_jobs(fleet_of(tmp_path))
    assert job.state == TOO_LONG
    assert f"{job.host}: " in capfd.readouterr().out


def test_interrupt_ends_the_jobs_and_keeps_what_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "run_all.py", "--fleet", "local", "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not list(tmp_path.glob("fleets/*/*/*/*/measurements.csv")):
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: jobs are cancelled" in out
    assert "Traceback" not in err
    (job,) = read_jobs(fleet_of(tmp_path))
    assert job.state == CANCELLED
    assert "its run ended before anything was measured" in out or "its run is partial" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--nodes", "2"], "--nodes has no effect without --fleet"),
        (["--together"], "--together has no effect without --device all"),
        (["--fleet", "local", "--partition", "x"], "--partition is for --fleet slurm"),
        (["--fleet", "local", "--only", "nothing"], "nothing"),
        (["--fleet", "slurm"], "there is no sbatch here"),
        (["--sbatch", "gres"], "'gres' is not like gres=gpu:8"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert main(*words, "--out", str(tmp_path / "out")) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert line in error
    assert not (tmp_path / "out").exists()


@pytest.mark.gpu
def test_every_gpu_of_this_machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        count_devices()
    except RidgelineError as error:
        pytest.skip(str(error))
    words = ["--device", "all", "--together", "--quick", "--only", "compute"]
    assert main(*words, "--out", str(tmp_path)) == 0
    alone = list(tmp_path.glob("gpus/*/alone/gpu-*/*/*/run.json"))
    together = list(tmp_path.glob("gpus/*/together/gpu-*/*/*/run.json"))
    assert len(alone) == len(together) >= 1
    assert "all at once against alone" in capfd.readouterr().out
