"""``run_all.py --repeat`` and ``--compare``: a set of runs, held against earlier ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis.compare.made_up import CPU_RUN, GPU_RUN, run_like
from tests.runs import ROOT, SMALL, draw_nothing, main


@pytest.fixture(scope="module")
def set_of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a set that the program itself has made."""
    out = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as changed:
        draw_nothing(changed)
        assert main(*SMALL, "--repeat", "2", "--out", str(out)) == 0
    (folder,) = (out / "sets").iterdir()
    return folder


def test_a_set_is_a_folder_of_its_runs(set_of_two: Path) -> None:
    runs = sorted(file.parent for file in set_of_two.rglob("run.json"))
    assert len(runs) == 2
    assert all((run / "report.html").exists() for run in runs)


def test_new_runs_are_compared_at_their_end(
    set_of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(*SMALL, "--compare", str(set_of_two), "--gate", "50%", "--out", str(tmp_path))
    out, _ = capsys.readouterr()
    assert code == 3  # two runs and one tell no spread
    assert "1 against 2 runs." in out
    assert "Gate 50.0 %: cannot tell" in out
    (folder,) = (tmp_path / "compared").iterdir()
    assert (folder / "compared.html").exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--gate", "3%"], "--gate has no effect without --compare"),
        (["--compare", "{tmp}/nothing"], "is not a run of Ridgeline"),
        (["--compare", "{tmp}/run", "--gate", "0"], "not above 0"),
        (["--repeat", "0"], "not a whole number"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_measured(
    tmp_path: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_like(CPU_RUN, tmp_path / "run")
    code = main(*SMALL, "--out", str(tmp_path / "out"), *(w.format(tmp=tmp_path) for w in argv))
    _, err = capsys.readouterr()
    assert code == 2
    assert said in err
    assert not (tmp_path / "out").exists()


@pytest.mark.gpu
def test_a_gpu_measured_twice_is_told_by_its_clocks(tmp_path: Path) -> None:
    listed = run_in_process("--list", "--device", "0")
    if listed.returncode:
        pytest.skip(listed.stderr.strip())
    first = tmp_path / "first"
    quick = ["--quick", "--device", "0", "--only", "compute", "--repeat", "3"]
    measured = run_in_process(*quick, "--out", str(first))
    assert measured.returncode == 0, measured.stderr
    (earlier,) = (first / "sets").iterdir()
    gate = ["--compare", str(earlier), "--gate", "10%"]
    again = run_in_process(*quick, *gate, "--out", str(tmp_path / "b"))
    assert again.returncode == 0, again.stderr
    assert "passed, nothing is slower" in again.stdout


def run_in_process(*words: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own.

    A run forks its worker, and CUDA, which other tests have opened in this process, does not
    outlive a fork.
    """
    command = [sys.executable, "run_all.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.usefixtures("undrawn")
def test_runs_of_another_machine_are_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_like(GPU_RUN, tmp_path / "gpu")
    code = main(*SMALL, "--compare", str(tmp_path / "gpu"), "--out", str(tmp_path / "out"))
    out, _ = capsys.readouterr()
    assert code == 0
    assert "NVIDIA" in next((tmp_path / "out/compared").iterdir()).joinpath(
        "compared.html"
    ).read_text(encoding="utf-8")
    assert "1 against 1 run." in out
