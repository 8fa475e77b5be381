"""A plan from the command line, on the real CPU: trained digits, measured, planned and written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run_all
from kernels.runtime.answers import PLAIN, answers
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
    unseen = slice(trained.TRAINED_ON, trained.TRAINED_ON + 300)
    np.savez(folder / "digits.npz", x=inputs[unseen], labels=labels[unseen])
    return folder


@pytest.fixture(scope="module")
def run(digits: Path) -> Path:
    """The folder of a run with a plan."""
    command = ["--device", "cpu", "--quick", "--only", "overhead", "--out", str(digits / "runs")]
    command += ["--model", str(digits / "digits.onnx"), "--plan"]
    command += ["--data", str(digits / "digits.npz"), "--loss", "5%"]
    assert run_all.main(command) in (run_all.DONE, run_all.SOME_FAILED)
    (folder,) = (digits / "runs").glob("*/*")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_step_leaves_its_file(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"stages.csv", "ranges.csv", "errors.csv", "plan.json", "plan.csv"} <= names
    assert {"plan-front.png", "plan-stages.png", "digits.plan.onnx"} <= names


def test_every_recipe_was_run_and_judged(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    timed = {
        json.loads(row["params"])["recipe"]
        for row in rows(run / "measurements.csv")
        if row["ceiling"].startswith("recipe/") and row["status"] == "ok"
    }
    judged = {row["recipe"] for row in rows(run / "errors.csv") if row["inputs_of"] == "test"}
    named = {recipe["name"] for recipe in plan["recipes"]}
    assert {"fp32", "int8"} <= named
    assert named == timed == judged


def test_the_chosen_recipe_is_within_the_loss_on_the_test(run: Path) -> None:
    plan = json.loads((run / "plan.json").read_text())
    (row,) = (
        row
        for row in rows(run / "errors.csv")
        if row["inputs_of"] == "test" and row["recipe"] == plan["chosen"]
    )
    loss = (int(row["lost"]) - int(row["gained"])) / int(row["labelled"])
    assert loss <= plan["loss_asked"] == 0.05


def test_the_network_that_is_written_runs_and_keeps_its_accuracy(run: Path, digits: Path) -> None:
    import onnx

    model = onnx.load(run / "digits.plan.onnx")
    onnx.checker.check_model(model, full_check=True)
    (entry,) = (entry for entry in model.metadata_props if entry.key == "ridgeline.plan")
    assert json.loads(entry.value)["network"] == "digits"
    data: Any = np.load(digits / "digits.npz")
    right = 0
    for values, label in zip(data["x"], data["labels"], strict=True):
        feeds = {model.graph.input[0].name: values.reshape(1, *values.shape)}
        right += int(answers(model, feeds, PLAIN)[0].argmax() == label)
    assert right >= 0.85 * len(data["labels"])


def test_replot_tells_the_plan_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all.main(["--replot", str(run)]) in (run_all.DONE, run_all.SOME_FAILED)
    assert "What to quantize" in capsys.readouterr().out


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of digits that takes images, and images of several forms in a folder of each."""
    import onnx
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    model = trained.digits_network()
    # the same weights behind a Flatten: the network now takes 1 x 1 x 8 x 8
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("image", 1, [1, 1, 8, 8]))
    model.graph.node.insert(0, onnx.helper.make_node("Flatten", ["image"], ["x"], "flatten"))
    model.graph.ClearField("value_info")
    onnx.save(model, folder / "digits.onnx")
    inputs, labels = trained.digits_data()
    forms = [("L", "png"), ("RGB", "png"), ("RGBA", "png"), ("L", "bmp"), ("RGB", "jpg")]
    for index in range(60):
        mode, ending = forms[index % len(forms)]
        unseen = trained.TRAINED_ON + index
        pixels = np.rint(inputs[unseen] * 255).astype(np.uint8).reshape(8, 8)
        # of another size, so that it has to be brought to that of the network
        image = Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).convert(mode)
        place = folder / "images" / str(labels[unseen])
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{index:02d}, {mode}.{ending}")
    return folder


def of_pictures(folder: Path, *words: str) -> list[str]:
    """The command of a plan for that network."""
    command = ["--device", "cpu", "--quick", "--only", "overhead", "--out", str(folder / "runs")]
    command += ["--model", str(folder / "digits.onnx"), "--plan", "--loss", "100%"]
    return [*command, "--data", str(folder / "images"), *words]


def test_images_become_what_the_network_was_trained_on(pictures: Path) -> None:
    code = run_all.main(of_pictures(pictures, "--preprocess", "scale=0.00392157"))
    assert code in (run_all.DONE, run_all.SOME_FAILED)
    (folder,) = (pictures / "runs").glob("*/*")
    (row,) = (
        row
        for row in rows(folder / "errors.csv")
        if row["inputs_of"] == "test" and row["recipe"] == "fp32"
    )
    assert int(row["right_in_fp32"]) >= 0.85 * int(row["labelled"]) > 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--preprocess", "mean=1:2:3"], "mean has 3 numbers for 1 channel"),
        (["--preprocess", "size=9x8"], "one input of image is 1x9x8"),
        (["--preprocess", "layout=nhwc"], "has no 1 or 3 channels in nhwc"),
        (["--labels", "LABELS"], "has no label of"),
    ],
)
def test_images_that_do_not_fit_are_one_line(
    words: list[str], why: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = pictures / "labels.csv"
    labels.write_text("elsewhere.png,1\n", encoding="utf-8")
    places = {"LABELS": str(labels)}
    command = of_pictures(pictures, *(places.get(word, word) for word in words))
    assert run_all.main(command) == run_all.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


def test_a_broken_image_is_found_before_anything_is_measured(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = pictures / "images" / "3" / "broken.png"
    whole = next((pictures / "images" / "3").glob("*.png")).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    before = list((pictures / "runs").glob("*/*"))
    try:
        assert run_all.main(of_pictures(pictures)) == run_all.BAD_INPUT
    finally:
        broken.unlink()
    (line,) = capsys.readouterr().err.splitlines()
    assert "broken.png is no image that can be read" in line
    assert list((pictures / "runs").glob("*/*")) == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--plan"], "--plan is of a network"),
        (["--model", "NET", "--plan"], "--plan needs real inputs"),
        (["--model", "NET", "--loss", "1%"], "--loss is of a plan"),
        (["--model", "NET", "--plan", "--data", "nowhere.npz"], "nowhere.npz"),
        (["--model", "NET", "--plan", "--data", "DATA", "--loss", "much"], "'much'"),
        (["--model", "NET", "--plan", "--data", "DATA", "--calibration", "299"], "are needed"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], why: str, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"NET": str(digits / "digits.onnx"), "DATA": str(digits / "digits.npz")}
    command = ["--device", "cpu", *(places.get(word, word) for word in words)]
    assert run_all.main(command) == run_all.BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


def test_roofs_of_a_run_with_a_plan_bring_none_of_its_times(
    run: Path, digits: Path, tmp_path: Path
) -> None:
    command = ["--roofs", str(run), "--import", str(tmp_path / "layers.csv")]
    (tmp_path / "layers.csv").write_text(
        "name,flops,bytes,seconds,dtype\nfc,4.1e6,4.1e6,7e-6,fp32\n", encoding="utf-8"
    )
    assert run_all.main([*command, "--out", str(tmp_path / "runs")]) == run_all.DONE
    (folder,) = (tmp_path / "runs").glob("*/*")
    tags = [row["ceiling"] for row in rows(folder / "measurements.csv")]
    assert not [tag for tag in tags if tag.startswith("recipe/")]
    assert [tag for tag in tags if tag.startswith("overhead/")]
