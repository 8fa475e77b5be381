"""What to prune, from the command line, on the real CPU: trained digits with zeros in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import run_all
from probes.command import planning
from tests import trained

pytestmark = pytest.mark.skipif(bool(trained.missing()), reason=trained.missing())
for package in ("onnxslim", "scipy"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network of digits, and digits that it has not seen."""
    import onnx

    folder = tmp_path_factory.mktemp("digits")
    onnx.save(trained.digits_network(), folder / "digits.onnx")
    inputs, labels = trained.digits_data()
    unseen = slice(trained.TRAINED_ON, trained.TRAINED_ON + 200)
    np.savez(folder / "digits.npz", x=inputs[unseen], labels=labels[unseen])
    return folder


@pytest.fixture(scope="module")
def run(digits: Path) -> Path:
    """The folder of a run that prunes; each recipe has one session, which is enough for a test."""
    command = ["--device", "cpu", "--quick", "--only", "overhead", "--out", str(digits / "runs")]
    command += ["--model", str(digits / "digits.onnx"), "--plan", "prune"]
    command += ["--data", str(digits / "digits.npz"), "--loss", "0.1%"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "SESSIONS", 1)
        patch.setattr(planning, "SESSIONS_IF_ALIKE", 1)
        assert run_all.main(command) in (run_all.DONE, run_all.SOME_FAILED)
    (folder,) = (digits / "runs").glob("*/*")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_step_leaves_its_file(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"patterns.csv", "channels.csv", "prune-errors.csv", "prune.json", "sparse.csv"} <= names
    assert "prune-patterns.png" in names
    assert "stages.csv" not in names, "no plan of precisions was asked for"


def test_every_pattern_was_run_and_those_worth_it_timed(run: Path) -> None:
    plan = json.loads((run / "prune.json").read_text(encoding="utf-8"))
    named = {recipe["name"] for recipe in plan["recipes"]}
    ranked = {row["recipe"] for row in rows(run / "prune-errors.csv")}
    assert {"fp32", "2:4", "unstructured 90 %"} <= named == ranked
    timed = {
        json.loads(row["params"])["recipe"]
        for row in rows(run / "measurements.csv")
        if row["ceiling"].startswith("recipe/") and row["status"] == "ok"
    }
    assert {"fp32", "2:4", "unstructured 90 %"} <= timed <= named


def test_errors_are_those_of_masked_weights(run: Path) -> None:
    found = {row["recipe"]: row for row in rows(run / "prune-errors.csv") if row["lost"]}
    ratio = {name: float(row["sqnr_db"]) for name, row in found.items()}
    assert ratio["unstructured 50 %"] > ratio["2:4"] > ratio["unstructured 90 %"]


def test_zeros_that_are_no_faster_are_not_chosen_or_the_network_is_written(run: Path) -> None:
    plan = json.loads((run / "prune.json").read_text(encoding="utf-8"))
    is_pruned = plan["chosen"] != "fp32"
    assert (run / "digits.pruned.onnx").exists() == is_pruned


def test_replot_tells_it_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all.main(["--replot", str(run)]) in (run_all.DONE, run_all.SOME_FAILED)
    text = capsys.readouterr().out
    assert "What to prune" in text and "What to quantize" not in text
    assert "no unit of this CPU skips zeros" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--plan", "prun"], "'prun' is nothing that is planned"),
        (["--plan", "prune,"], "'' is nothing that is planned"),
        (["--plan", "prune"], "--plan needs real inputs"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], why: str, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--device", "cpu", "--model", str(digits / "digits.onnx"), *words]
    try:
        code = run_all.main(command)
    except SystemExit as exit_of_parser:
        code = int(exit_of_parser.code or 0)
    assert code == run_all.BAD_INPUT
    assert why in capsys.readouterr().err
