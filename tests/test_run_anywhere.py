"""The program in surroundings of others: encodings, settings of libraries, no home, a pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.runs import ROOT, SMALL, main, only_run

RUN = ROOT / "results/reference/nvidia-h100"
PROGRAM = str(ROOT / "run_all.py")


def started(
    *argv: str, at: Path = ROOT, environment: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The program run in a folder and an environment; None leaves a variable out."""
    changed = {**os.environ, **(environment or {})}
    variables = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, PROGRAM, *argv]
    return subprocess.run(command, capture_output=True, cwd=at, env=variables)


def single_picture(folder: Path) -> Path:
    """A run in ``folder`` to draw again, with a single picture."""
    folder.mkdir()
    shutil.copy(RUN / "run.json", folder)
    rows = (RUN / "measurements.csv").read_text().splitlines(keepends=True)
    (folder / "measurements.csv").write_text("".join(row for row in rows if ",sweep/" not in row))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return single_picture(tmp_path / "run")


@pytest.fixture(scope="module")
def plain_pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The pictures of that run by name, as they are drawn without any settings."""
    folder = single_picture(tmp_path_factory.mktemp("plain") / "run")
    assert main("--replot", str(folder)) == 0
    return {name: (folder / name).read_bytes() for name in ("roofline.png", "roofline.svg")}


def test_without_docstrings_and_asserts_it_says_and_does_the_same(tmp_path: Path) -> None:
    plain = started("--list", "--device", "cpu")
    optimized = {"PYTHONOPTIMIZE": "2"}
    bare = started("--list", "--device", "cpu", environment=optimized)
    assert (bare.returncode, bare.stderr, bare.stdout) == (0, b"", plain.stdout)
    assert b"How many bytes per second can main memory move?" in bare.stdout
    done = started(*SMALL, "--out", str(tmp_path), environment=optimized)
    assert (done.returncode, done.stderr) == (0, b"")
    assert started("--layers", "no-such", environment=optimized).stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"MPLBACKEND": "no-such-backend"},
        {"MPLBACKEND": "module://nothing"},
        {"MATPLOTLIBRC": "settings"},
        {},
    ],
    ids=str,
)
def test_settings_of_matplotlib_change_no_picture(
    environment: dict[str, str], run: Path, plain_pictures: dict[str, bytes], tmp_path: Path
) -> None:
    """Without a variable, matplotlib looks for its file in the folder where it is started."""
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 3\nno.such.key: 1\nfigure.dpi: x\n"
    )
    if "MATPLOTLIBRC" in environment:
        environment = {"MATPLOTLIBRC": str(settings)}
    at = ROOT if environment else settings
    done = started("--replot", str(run), at=at, environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    drawn = {name: (run / name).read_bytes() for name in plain_pictures}
    assert drawn == plain_pictures


def test_settings_that_are_no_text_are_one_line(run: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\xff")
    done = started("--replot", str(run), at=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"run_all.py: matplotlib does not start: ")
    assert done.stderr.endswith(b"is there a file matplotlibrc here?\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-16"])
def test_what_an_encoding_lacks_is_replaced(encoding: str, run: Path) -> None:
    done = started("--replot", str(run), environment={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr.decode(encoding)) == (0, "")
    text = done.stdout.decode(encoding)
    assert "compute/fp64" in text
    assert ("±0.0 %" in text) == (encoding != "ascii")
    refused = started("--replot", "/µ/模", environment={"PYTHONIOENCODING": encoding})
    assert refused.returncode == 2
    assert refused.stderr.decode(encoding).count("\n") == 1


def test_a_table_in_a_pipe_is_as_wide_as_the_environment_says(run: Path) -> None:
    done = started("--replot", str(run), environment={"COLUMNS": "80"})
    table = done.stdout.decode().partition("DRAM gives")[0].splitlines()
    assert len(table) > 20
    assert max(map(len, table)) <= 80
    assert "No room here for" in done.stdout.decode()


@pytest.mark.parametrize("home", [None, "/proc/none", ""])
def test_no_home_is_needed(home: str | None, run: Path, tmp_path: Path) -> None:
    environment: dict[str, str | None] = {"HOME": home, "TMPDIR": str(tmp_path)}
    for name in os.environ:
        if name.startswith(("XDG", "MPL")):
            environment[name] = None
    done = started("--replot", str(run), environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    measured = started(*SMALL, "--out", str(tmp_path / "out"), environment=environment)
    assert (measured.returncode, measured.stderr) == (0, b"")
    assert only_run(tmp_path / "out")


def test_a_reader_of_one_line_leaves_no_folder_and_no_complaint(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = (
        f"{sys.executable} -u {PROGRAM} --list --device cpu | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.splitlines()[1:], done.stderr) == (["141"], "")
    command = (
        f"{sys.executable} {PROGRAM} {' '.join(SMALL)} --out {out} | true; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("141\n", "")
    assert not out.exists()


def test_a_run_drawn_again_removes_what_a_killed_one_was_writing(run: Path) -> None:
    for name in ("measurements.csv.part", "report.html.999999999.part"):
        (run / name).write_text("half")
    assert started("--replot", str(run)).returncode == 0
    assert not list(run.glob("*.part"))


def test_standard_output_that_is_closed_is_no_error_of_ours(run: Path) -> None:
    command = f"{sys.executable} {PROGRAM} --replot {run} >&-"
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
