"""Inputs of every form that a user gives become what the network takes, or one clear line."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from probes.accuracy.images import Preprocessing, preprocessing
from probes.accuracy.inputs import Inputs, Slot
from probes.accuracy.split import split
from probes.records.measurement import RidgelineError

pytest.importorskip("onnx")
Image = pytest.importorskip("PIL.Image")
FLOAT, INT64, FLOAT16 = 1, 7, 10
"""As TensorProto numbers them."""
X = [Slot("x", ("n", 4), FLOAT)]
PICTURE = [Slot("x", (1, 3, 8, 6), FLOAT)]


def saved(folder: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    path = folder / "data.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, **arrays)  # type: ignore[arg-type]
    return path


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("compressed", [False, True])
def test_rows_of_an_npz_come_one_by_one(tmp_path: Path, compressed: bool) -> None:
    x = numbers(5, 4)
    inputs = Inputs(saved(tmp_path, compressed, other=x, y=np.arange(5)), X)
    assert len(inputs) == 5
    for index in (3, 0, 4):
        assert np.array_equal(inputs.feeds(index)["x"], x[index : index + 1])
        assert inputs.label(index) == [index]


def test_large_compressed_rows_are_read_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.accuracy.rows.KEPT_BYTES", 0)
    x = numbers(50, 4)
    inputs = Inputs(saved(tmp_path, True, x=x), X)
    for index in (0, 3, 4, 49, 2, 10):
        assert np.array_equal(inputs.feeds(index)["x"][0], x[index])


def test_columns_first_arrays_are_read_too(tmp_path: Path) -> None:
    x = np.asfortranarray(numbers(5, 4))
    inputs = Inputs(saved(tmp_path, x=x), X)
    assert np.array_equal(inputs.feeds(2)["x"][0], x[2])


def test_an_npy_is_the_only_input(tmp_path: Path) -> None:
    x = numbers(5, 4)
    np.save(tmp_path / "x.npy", x)
    inputs = Inputs(tmp_path / "x.npy", X)
    assert np.array_equal(inputs.feeds(2)["x"][0], x[2])
    assert not inputs.has_labels


def test_a_fixed_batch_takes_as_many_rows(tmp_path: Path) -> None:
    x = numbers(11, 4)
    path = saved(tmp_path, x=x, labels=np.arange(11))
    inputs = Inputs(path, [Slot("x", (4, 4), FLOAT)])
    assert len(inputs) == 2
    assert np.array_equal(inputs.feeds(1)["x"], x[4:8])
    label = inputs.label(1)
    assert label is not None and label.tolist() == [4, 5, 6, 7]
    assert "the last 3 of 11 are not used" in inputs.facts()[0]


def test_rows_of_the_whole_shape_need_no_batch(tmp_path: Path) -> None:
    x = numbers(5, 1, 4)
    inputs = Inputs(saved(tmp_path, x=x), [Slot("x", (1, 4), FLOAT)])
    assert np.array_equal(inputs.feeds(3)["x"], x[3])


def test_numbers_fill_other_inputs(tmp_path: Path) -> None:
    slots = [*X, Slot("mask", (1, 3), INT64)]
    inputs = Inputs(saved(tmp_path, x=numbers(5, 4)), slots, fixed={"mask": 1})
    mask = inputs.feeds(0)["mask"]
    assert mask.dtype == np.int64 and mask.tolist() == [[1, 1, 1]]


def test_arrays_of_inputs_that_no_answer_depends_on_are_not_fed(tmp_path: Path) -> None:
    path = saved(tmp_path, x=numbers(5, 4), mask=numbers(5, 2), y=np.arange(5))
    inputs = Inputs(path, X, idle={"mask"})
    assert list(inputs.feeds(0)) == ["x"]
    assert inputs.has_labels
    with pytest.raises(RidgelineError, match="no input mask to be fed"):
        Inputs(path, X)


def test_types_are_those_of_the_network(tmp_path: Path) -> None:
    path = saved(tmp_path, x=numbers(5, 4).astype(np.float64))
    feeds = Inputs(path, [Slot("x", (1, 4), FLOAT16)]).feeds(0)
    assert feeds["x"].dtype == np.float16


def with_nan() -> np.ndarray:
    x = numbers(5, 4)
    x[3, 1] = np.nan
    return x


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": numbers(5, 3)}, "x is 3, and the network takes nx4"),
        ({"x": numbers(5, 4).astype(complex)}, "holds complex128, no numbers"),
        ({"x": np.array(["a"])}, "holds <U1, no numbers"),
        ({"x": np.float32(1)}, "its first dimension must count inputs"),
        ({"x": numbers(5, 4), "z": numbers(5, 4)}, "no input z to be fed: it has x nx4"),
        ({"x": numbers(5, 4), "y": np.arange(4)}, "holds 4 labels for 5 inputs"),
        ({"x": numbers(5, 4), "y": numbers(5)}, "labels are float32"),
        ({"x": numbers(0, 4)}, "holds no inputs"),
        ({}, "has no array x"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(RidgelineError) as refusal:
        Inputs(saved(tmp_path, False, **arrays), X)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_nan_is_named_with_its_input(tmp_path: Path) -> None:
    inputs = Inputs(saved(tmp_path, x=with_nan()), X)
    inputs.feeds(2)
    with pytest.raises(RidgelineError, match="input 3 of x holds NaN"):
        inputs.feeds(3)


def test_floats_are_no_indices(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="x is float32, and the network takes int64"):
        Inputs(saved(tmp_path, x=numbers(5, 4)), [Slot("x", (1, 4), INT64)])


def test_integers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path, x=np.full((3, 4), 300))
    with pytest.raises(RidgelineError, match="holds a number that uint8 has not"):
        Inputs(path, [Slot("x", (1, 4), 2)]).feeds(0)


def test_all_arrays_count_the_same_inputs(tmp_path: Path) -> None:
    slots = [*X, Slot("z", (1, 4), FLOAT)]
    with pytest.raises(RidgelineError, match="count inputs differently: x 5, z 6"):
        Inputs(saved(tmp_path, x=numbers(5, 4), z=numbers(6, 4)), slots)
    with pytest.raises(RidgelineError, match="has no array z"):
        Inputs(saved(tmp_path, x=numbers(5, 4)), slots)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "data.txt"
    text.write_text("1")
    with pytest.raises(RidgelineError, match="is no data: give an"):
        Inputs(text, X)
    broken = tmp_path / "data.npz"
    broken.write_bytes(b"PK\3\4 and nothing else")
    with pytest.raises(RidgelineError, match=r"is no \.npz that can be read"):
        Inputs(broken, X)
    with pytest.raises(RidgelineError, match="cannot be read"):
        Inputs(tmp_path / "none.npz", X)


def test_a_cut_off_npz_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.accuracy.rows.KEPT_BYTES", 0)
    path = saved(tmp_path, True, x=numbers(500, 4))
    data = bytearray(path.read_bytes())
    data[3000:3100] = bytes(100)
    path.write_bytes(data)
    inputs = Inputs(path, X)
    with pytest.raises(RidgelineError, match=r"x\.npy cannot be read"):
        inputs.feeds(499)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for name, color in (("cat/b.png", (0, 0, 255)), ("ant/a.bmp", (255, 0, 0))):
        path = folder / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (12, 16), color).save(path)
    return folder


def test_images_are_stretched_normalised_and_labelled(pictures: Path) -> None:
    how = Preprocessing(mean=(10, 20, 30), scale=(0.5,))
    inputs = Inputs(pictures, PICTURE, how)
    x = inputs.feeds(0)["x"]
    assert x.shape == (1, 3, 8, 6) and x.dtype == np.float32
    assert x[0, :, 4, 3].tolist() == [(255 - 10) / 2, -10, -15]
    assert [inputs.label(index) for index in range(2)] == [[0], [1]]


def test_order_and_layout_of_images_are_as_asked(pictures: Path) -> None:
    how = Preprocessing(order="bgr")
    x = Inputs(pictures, [Slot("x", ("n", 8, 6, 3), 2)], how).feeds(0)["x"]
    assert x.shape == (1, 8, 6, 3) and x.dtype == np.uint8
    assert x[0, 4, 3].tolist() == [0, 0, 255]


def test_folders_that_are_numbers_name_classes(tmp_path: Path) -> None:
    for name in ("10", "9"):
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4)).save(tmp_path / name / "a.png")
    inputs = Inputs(tmp_path, PICTURE)
    assert [inputs.label(index) for index in range(2)] == [[10], [9]]


def test_images_that_cannot_be_fed_are_refused(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(RidgelineError, match="give one, size=HEIGHTxWIDTH"):
        Inputs(pictures, [Slot("x", (1, 3, "h", "w"), FLOAT)])
    with pytest.raises(RidgelineError, match="network's input is no image"):
        Inputs(pictures, X)
    with pytest.raises(RidgelineError, match="x is 3x4x4, and the network takes 1x3x8x6"):
        Inputs(pictures, PICTURE, Preprocessing(size=(4, 4)))
    with pytest.raises(RidgelineError, match="do not fit uint8"):
        Inputs(pictures, [Slot("x", (1, 3, 8, 6), 2)], Preprocessing(mean=(9.0,))).feeds(0)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RidgelineError, match="holds no images"):
        Inputs(empty, PICTURE)
    (empty / "broken.png").write_bytes(b"no image")
    with pytest.raises(RidgelineError, match=r"broken.png is no image that can be read"):
        Inputs(empty, PICTURE).feeds(0)


def test_preprocessing_is_of_images(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="preprocessing is of images"):
        Inputs(saved(tmp_path, x=numbers(5, 4)), X, Preprocessing())


@pytest.mark.parametrize(
    "text",
    ["1\n0\n", "label\n1\n0\n", "b.png,1\na.bmp,0\n", "file,label\ncat/b.png,1\nant/a.bmp,0"],
)
def test_labels_are_read_from_text(pictures: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    inputs = Inputs(pictures, PICTURE, labels=path)
    expected = [0, 1] if "," in text else [1, 0]
    assert [inputs.label(index) for index in range(2)] == [[label] for label in expected]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1\n", "holds 1 labels for 2 inputs"),
        ("1\ncat\n", "line 2: 'cat' is no label"),
        ("b.png,1\nc.png,0\n", "has no label of ant/a.bmp"),
        ("b.png,1\na.bmp,0\nb.png,2\n", "gives b.png the labels 1 and 2"),
        ("1\n99999999999999999999\n", "line 2: '99999999999999999999' is no label"),
        (f"1\n{'9' * 5000}\n", "line 2: '999"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    pictures: Path, tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(RidgelineError) as refusal:
        Inputs(pictures, PICTURE, labels=path)
    assert says in str(refusal.value)


def test_labels_are_read_from_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.array([[2], [1], [0]]))
    inputs = Inputs(saved(tmp_path, x=numbers(3, 4)), X, labels=tmp_path / "labels.npy")
    assert [inputs.label(index) for index in range(3)] == [[2], [1], [0]]


@pytest.mark.parametrize("label", [2**63, 2**31, 1e15])
def test_labels_of_no_class_are_refused(tmp_path: Path, label: float) -> None:
    labels = np.array([0, 1, label], np.uint64 if isinstance(label, int) else np.float64)
    with pytest.raises(RidgelineError, match="a label is"):
        Inputs(saved(tmp_path, x=numbers(3, 4), labels=labels), X)


def test_the_command_line_writes_preprocessing() -> None:
    text = "size=224x192,mean=123.7:116.3:103.5,scale=0.017,layout=nhwc,order=bgr"
    expected = Preprocessing((224, 192), (123.7, 116.3, 103.5), (0.017,), "nhwc", "bgr")
    assert preprocessing(text) == expected
    assert preprocessing("") == Preprocessing()


@pytest.mark.parametrize(
    "text",
    [
        "size=224",
        "size=0x1",
        "mean=1:2",
        "mean=nan",
        "order=gbr",
        "colour=rgb",
        "mean",
        "mean=1,mean=2",
    ],
)
def test_wrong_preprocessing_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refusal:
        preprocessing(text)
    assert text.split("=")[0] in str(refusal.value)


def test_no_input_has_two_uses_and_each_use_has_all_classes(tmp_path: Path) -> None:
    labels = np.arange(100) % 4
    inputs = Inputs(saved(tmp_path, x=numbers(100, 4), y=labels), X)
    shares = split(inputs)
    uses = (shares.calibration, shares.ranking, shares.test)
    assert [len(use) for use in uses] == [16, 21, 63]
    assert len(set().union(*uses)) == 100
    for use in uses:
        counts = np.bincount(labels[list(use)])
        assert counts.max() - counts.min() <= 2
        assert list(use) == sorted(use)
    assert split(inputs) == shares
    assert split(inputs, seed=1) != shares
    assert not shares.facts
    assert len(shares.stages) == 16
    assert set(shares.stages) <= set(shares.ranking)


def test_a_large_network_is_tested_on_fewer_inputs(tmp_path: Path) -> None:
    inputs = Inputs(saved(tmp_path, x=numbers(400, 4)), X)
    shares = split(inputs, most_tests=64)
    assert [len(shares.of(use)) for use in ("calibration", "ranking", "test")] == [16, 16, 64]
    assert "--test 368 takes 304 more" in shares.facts[0]


def test_few_inputs_are_shared_in_thirds_and_said_to_be_few(tmp_path: Path) -> None:
    inputs = Inputs(saved(tmp_path, x=numbers(7, 4)), X)
    shares = split(inputs)
    assert [len(use) for use in (shares.calibration, shares.ranking, shares.test)] == [2, 2, 3]
    assert "7 inputs are few" in shares.facts[0]


def test_counts_can_be_given_and_must_be_there(tmp_path: Path) -> None:
    inputs = Inputs(saved(tmp_path, x=numbers(50, 4)), X)
    shares = split(inputs, 20, 10, 5)
    assert [len(use) for use in (shares.calibration, shares.ranking, shares.test)] == [20, 10, 5]
    with pytest.raises(RidgelineError, match="holds 50 inputs, and 51 are needed"):
        split(inputs, 25, 25)
    with pytest.raises(RidgelineError, match="need one each"):
        split(Inputs(saved(tmp_path, x=numbers(2, 4)), X))
