"""Noise, angle and classes of answers are those of their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from probes.accuracy.metrics import NO_CLASS, Comparison, Votes, class_axis, classes
from probes.records.precision import MOST_DB

onnx = pytest.importorskip("onnx")


def network(*ops: str, shape: tuple[int, ...] = (1, 10), kind: int = 1) -> Any:
    """A chain of operations; products read weights, Add a bias."""
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    nodes = []
    tensor = "x"
    for place, op in enumerate(ops):
        reads = [tensor, "w"] if op in ("MatMul", "Gemm", "Conv", "Add") else [tensor]
        reads = [tensor, tensor] if op == "Residual" else reads
        name = "Add" if op == "Residual" else op
        nodes.append(helper.make_node(name, reads, [f"t{place}"], f"n{place}"))
        tensor = f"t{place}"
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", 1, None)],
        [helper.make_tensor_value_info(tensor, kind, shape)],
        [weights],
    )
    return helper.make_model(graph)


def test_noise_and_angle_are_summed_over_inputs_and_outputs() -> None:
    random = np.random.default_rng(0)
    true = [random.normal(size=(3, 4)).astype(np.float32) for _ in range(5)]
    other = [array + random.normal(0, 0.1, array.shape).astype(np.float32) for array in true]
    comparison = Comparison()
    for pair in zip(true, other, strict=True):
        comparison.add(*pair)
    a, b = np.concatenate(true).ravel(), np.concatenate(other).ravel()
    ratio = 10 * math.log10((a**2).sum() / ((a - b) ** 2).sum())
    assert comparison.sqnr_db() == pytest.approx(ratio, rel=1e-4)
    angle = (a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert comparison.cosine() == pytest.approx(angle, rel=1e-5)


def test_equal_answers_have_no_noise() -> None:
    comparison = Comparison()
    comparison.add(np.ones(3, np.float32), np.ones(3, np.float32))
    assert comparison.sqnr_db() == MOST_DB
    assert comparison.cosine() == pytest.approx(1)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_overflows_is_all_noise(wrong: float) -> None:
    comparison = Comparison()
    comparison.add(np.ones(3, np.float32), np.array([1, wrong, 1], np.float32))
    assert comparison.sqnr_db() == -MOST_DB
    assert comparison.cosine() is None


def test_a_mask_of_minus_infinity_is_left_out() -> None:
    comparison = Comparison()
    masked = np.array([1, -np.inf], np.float32)
    comparison.add(masked, masked)
    assert comparison.sqnr_db() == MOST_DB


def test_nothing_compared_is_not_known() -> None:
    assert Comparison().sqnr_db() is None
    assert Comparison().cosine() is None


@pytest.mark.parametrize(
    ("ops", "shape", "axis"),
    [
        (("Gemm",), (1, 10), 1),
        (("MatMul", "Add", "Softmax"), (1, 10), 1),
        (("MatMul", "Add"), (1, 10), 1),
        (("Conv", "GlobalAveragePool", "Flatten"), (1, 10), 1),
        (("MatMul", "Softmax"), (1, 40, 300), 2),
        (("Conv", "Softmax"), (1, 2, 8, 8), 1),
        (("Conv", "Resize"), (1, 21, 8, 8), 1),
        (("Conv",), (1, 3, 8, 8), None),  # a picture
        (("Conv", "Sigmoid"), (1, 10), None),  # answers that do not exclude each other
        (("Gemm",), (1, 1), None),  # one number
        (("MatMul", "Residual"), (1, 40, 300), None),  # features
        (("Conv", "Relu", "MaxPool"), (1, 64, 8, 8), None),
        (("Softmax",), (1, 2, 3, 4, 5), None),
    ],
)
def test_the_end_of_a_network_says_whether_it_names_classes(
    ops: tuple[str, ...], shape: tuple[int, ...], axis: int | None
) -> None:
    assert class_axis(network(*ops, shape=shape), [shape]) == axis


def test_integers_and_several_outputs_name_no_class() -> None:
    assert class_axis(network("Gemm", kind=7), [(1, 10)]) is None
    model = network("Gemm")
    model.graph.output.append(onnx.helper.make_tensor_value_info("x", 1, None))
    assert class_axis(model, [(1, 10), (1, 10)]) is None


def test_classes_lie_along_their_axis() -> None:
    scores = np.zeros((2, 3, 1, 2), np.float32)
    scores[0, 2, 0, 0] = scores[1, 1, 0, 1] = 1
    assert classes(scores, 1).tolist() == [2, 0, 0, 1]


def test_scores_that_are_no_numbers_name_no_class() -> None:
    scores = np.array([[0.1, 0.9], [np.nan, 0.2], [np.nan, np.nan]], np.float32)
    assert classes(scores, 1).tolist() == [1, NO_CLASS, NO_CLASS]


def test_votes_count_what_changed() -> None:
    votes = Votes()
    votes.add(np.array([0, 1, 2, 3]), np.array([0, 1, 0, 0]), np.array([0, 2, 2, 0]))
    assert votes.columns() == {
        "answers": 4,
        "same": 2,
        "labelled": 4,
        "right_in_fp32": 2,
        "gained": 1,
        "lost": 1,
    }


def test_an_unknown_label_counts_no_answer_right_or_wrong() -> None:
    votes = Votes()
    votes.add(np.array([0, 1]), np.array([1, 1]), np.array([-1, 1]))
    assert votes.columns()["labelled"] == 1
    assert votes.columns()["answers"] == 2
    assert votes.columns()["lost"] == 0
