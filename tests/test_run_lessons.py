"""The textbook tried by a whole run: verdicts, files, and the same again without measuring."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.lessons.frame.trial import FAILS, UNTRIED
from tests.runs import facts, main, only_run, table

TRIED = ("in-flight", "matrix-units")


@pytest.mark.usefixtures("even_clock")
def test_each_claim_has_a_verdict_and_a_replot_has_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("--device", "cpu", "--lessons", *TRIED, "--out", str(tmp_path)) == 0
    out = capsys.readouterr().out
    # by the even clock one chain is as fast as eight
    assert "0 of 2 claims of the textbook hold here, 1 does not, 1 cannot be tried." in out
    folder = only_run(tmp_path)
    assert facts(folder)["settings"]["lessons"] == list(TRIED)
    verdicts = {row["name"]: row["verdict"] for row in table(folder, "lessons.csv")}
    assert verdicts == {"in-flight": FAILS, "matrix-units": UNTRIED}
    assert (folder / "lesson-in-flight.png").exists()
    page = (folder / "lessons.html").read_text(encoding="utf-8")
    assert "run_all.py --device cpu --lessons in-flight" in page
    assert 'id="lesson-in-flight.' in page

    before = (folder / "lessons.csv").read_bytes()
    (folder / "lessons.csv").unlink()
    assert main("--replot", str(folder)) == 0
    assert (folder / "lessons.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--lessons", "nought"], "no lesson is called 'nought'; there are: "),
        (["--lessons", "--quick"], "--quick has no effect with --lessons"),
        (["--lessons", "--model", "x.onnx"], "--model has no effect with --lessons"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    argv: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(*argv, "--out", str(tmp_path)) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
