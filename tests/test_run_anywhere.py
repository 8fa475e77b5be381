"""The program in surroundings of others: encodings, settings of libraries, no home, a pipe."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.runs import ROOT, SMALL, main, only_run, single_picture

PROGRAM = str(ROOT / "run_all.py")
ENDED_BY_SIGPIPE = "141"
"""The exit code that a shell gives for a program whose reader left: 128 and SIGPIPE, 13."""


def run_program(
    *argv: str, at: Path = ROOT, environment: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a folder and an environment; None leaves a variable out."""
    changed = {**os.environ, **(environment or {})}
    variables = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, PROGRAM, *argv]
    return subprocess.run(command, capture_output=True, cwd=at, env=variables)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run to draw again, with a single picture."""
    return single_picture(tmp_path / "run")


@pytest.fixture(scope="module")
def plain_pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The pictures of that run by name, as they are drawn without any settings."""
    folder = single_picture(tmp_path_factory.mktemp("plain") / "run")
    assert main("--replot", str(folder)) == 0
    return {name: (folder / name).read_bytes() for name in ("roofline.png", "roofline.svg")}


def test_without_docstrings_and_asserts_it_says_and_does_the_same(tmp_path: Path) -> None:
    plain = run_program("--list", "--device", "cpu")
    optimized: dict[str, str | None] = {
        "PYTHONOPTIMIZE": "2",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"),  # all of it is compiled once
        "PYTHONDONTWRITEBYTECODE": None,
    }
    listing = run_program("--list", "--device", "cpu", environment=optimized)
    assert (listing.returncode, listing.stderr, listing.stdout) == (0, b"", plain.stdout)
    assert b"How many bytes per second can main memory move?" in listing.stdout
    process = run_program(*SMALL, "--out", str(tmp_path / "out"), environment=optimized)
    assert (process.returncode, process.stderr) == (0, b"")
    assert run_program("--layers", "no-such", environment=optimized).stderr.count(b"\n") == 1


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
    """Without a variable, matplotlib looks for its file in the folder where it is run_program."""
    settings = tmp_path / "settings"
    settings.mkdir()
    (settings / "matplotlibrc").write_text(
        "text.usetex: True\nfont.size: 3\nno.such.key: 1\nfigure.dpi: x\n"
    )
    if "MATPLOTLIBRC" in environment:
        environment = {"MATPLOTLIBRC": str(settings)}
    at = ROOT if environment else settings
    process = run_program("--replot", str(run), at=at, environment=environment)
    assert (process.returncode, process.stderr) == (0, b"")
    pictures = {name: (run / name).read_bytes() for name in plain_pictures}
    assert pictures == plain_pictures


def test_settings_of_matplotlib_that_are_no_text_are_refused_in_one_line(
    run: Path, tmp_path: Path
) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\xff")
    process = run_program("--replot", str(run), at=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith(b"run_all.py: matplotlib does not start: ")
    assert process.stderr.endswith(b"is there a file matplotlibrc here?\n")


def encoded(encoding: str, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program in this process, as if its outputs had this encoding."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as streams:
        streams.setattr(sys, "stdout", io.TextIOWrapper(out, encoding, "strict"))
        streams.setattr(sys, "stderr", io.TextIOWrapper(err, encoding, "backslashreplace"))
        code = main(*argv)
        sys.stdout.flush()
        sys.stderr.flush()
        return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-16"])
def test_letters_that_an_encoding_lacks_are_replaced(encoding: str, run: Path) -> None:
    process = encoded(encoding, "--replot", str(run))
    assert (process.returncode, process.stderr.decode(encoding)) == (0, "")
    text = process.stdout.decode(encoding)
    assert " FP64 " in text
    assert ("±0.0 %" in text) == (encoding != "ascii")
    assert ("~0.0 %" in text) == (encoding == "ascii")
    refused = encoded(encoding, "--replot", "/µ/模")
    assert refused.returncode == 2
    assert refused.stderr.decode(encoding).count("\n") == 1


def test_the_encoding_of_the_environment_is_that_of_the_outputs(run: Path) -> None:
    process = run_program("--replot", str(run), environment={"PYTHONIOENCODING": "ascii"})
    assert (process.returncode, process.stderr) == (0, b"")
    assert "~0.0 %" in process.stdout.decode("ascii")


@pytest.mark.usefixtures("undrawn")
def test_a_table_in_a_pipe_is_as_wide_as_the_environment_says(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main("--replot", str(run)) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Open: ")) <= 80
    table, _, told = said.partition("Memory: ")
    assert len(table.splitlines()) <= 20
    assert len(told.splitlines()) <= 20
    assert "\x1b" not in said


@pytest.mark.parametrize("home", [None, "/proc/none", ""])
def test_no_home_is_needed(home: str | None, run: Path, tmp_path: Path) -> None:
    environment: dict[str, str | None] = {"HOME": home, "TMPDIR": str(tmp_path)}
    for name in os.environ:
        if name.startswith(("XDG", "MPL")):
            environment[name] = None
    process = run_program("--replot", str(run), environment=environment)
    assert (process.returncode, process.stderr) == (0, b"")
    if home != "/proc/none":  # what measuring keeps there is as much in the way of one of them
        return
    measured = run_program(*SMALL, "--out", str(tmp_path / "out"), environment=environment)
    assert (measured.returncode, measured.stderr) == (0, b"")
    assert only_run(tmp_path / "out")


def test_a_reader_of_one_line_leaves_no_folder_and_no_complaint(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = "echo ${PIPESTATUS[0]}"
    listing = f"{sys.executable} -u {PROGRAM} --list --device cpu"
    command = f"{listing} | head -n 1; {code}"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (process.stdout.splitlines()[1:], process.stderr) == ([ENDED_BY_SIGPIPE], "")
    measuring = f"{sys.executable} {PROGRAM} {' '.join(SMALL)} --out {out}"
    command = f"{measuring} | true; {code}"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (process.stdout, process.stderr) == (f"{ENDED_BY_SIGPIPE}\n", "")
    assert not out.exists()


@pytest.mark.usefixtures("undrawn")
def test_a_run_drawn_again_removes_what_a_killed_one_was_writing(run: Path) -> None:
    for name in ("measurements.csv.part", "report.html.999999999.part"):
        (run / name).write_text("half")
    assert main("--replot", str(run)) == 0
    assert not list(run.glob("*.part"))


def test_standard_output_that_is_closed_is_no_error_of_ours(run: Path) -> None:
    command = f"{sys.executable} {PROGRAM} --replot {run} >&-"
    process = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert (process.returncode, process.stderr) == (0, "")
