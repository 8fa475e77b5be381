"""Identical layers become one line; what differs in anything that is known stays apart."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.layers.alike import alike, most_to_gain, title
from analysis.layers.place import placements
from analysis.layers.placement import Placement
from analysis.model.ceilings import ceilings
from tests.analysis.layer_rows import GPU, ROOFS
from tests.devices import measurement

CONV: dict[str, Any] = {"op": "Conv", "in_channels": 512, "out_channels": 512, "window": [3, 3]}


def placed(seconds: float = 1e-4, flops: float | None = 4e9, **params: Any) -> Placement:
    """One layer of a network on the made-up roofs."""
    facts = {"network": "net", "layer": "n1", "provider": "cuda", "precision": "fp16", **params}
    row = measurement(
        "layer/convolution",
        flops=flops,
        bytes=1e6,
        seconds_median=seconds,
        dtype="fp16",
        params=json.dumps(facts),
    )
    return placements([row], ceilings(ROOFS, GPU), GPU)[0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (CONV, "Conv 3×3 512→512"),
        ({**CONV, "groups": 512}, "Conv depthwise 3×3 512"),
        ({**CONV, "groups": 32}, "Conv 3×3 512→512 in 32 groups"),
        ({"op": "BatchNormalization", "shape": [1, 256, 14, 14]}, "BatchNorm 256×14×14"),
        ({"op": "Add", "shape": [8, 256]}, "Add 8×256"),
        ({"op": "MaxPool", "window": [2, 2], "shape": [1, 8, 4, 4]}, "MaxPool 2×2 8×4×4"),
        ({"op": "Conv", "in_channels": 3, "out_channels": 64}, "Conv 3→64"),
        ({"op": "Softmax"}, "Softmax"),
    ],
)
def test_a_layer_is_called_by_what_it_does(params: dict[str, Any], words: str) -> None:
    assert title(placed(**params)) == words


def test_layers_that_do_the_same_are_one_with_their_time_together() -> None:
    layers = [placed(1e-4, **CONV), placed(3e-4, **CONV), placed(1e-4, op="Relu")]
    convs, relu = alike(layers)
    assert convs.name == "2 × Conv 3×3 512→512"
    assert convs.seconds == pytest.approx(4e-4)
    assert convs.headroom_seconds == pytest.approx(
        sum(layer.headroom_seconds or 0.0 for layer in layers[:2])
    )
    assert convs.longest is layers[1]
    assert relu.name == "Relu"


def test_layers_of_one_title_that_differ_are_told_apart() -> None:
    layers = [
        placed(**CONV, shape=[1, 512, 7, 7]),
        placed(**CONV, shape=[1, 512, 14, 14]),
        placed(op="Relu", flops=1e3),
        placed(op="Relu", flops=2e3),
    ]
    assert [group.title for group in alike(layers)] == [
        "Conv 3×3 512→512 at 7×7",
        "Conv 3×3 512→512 at 14×14",
        "Relu (1.00 kFLOP)",
        "Relu (2.00 kFLOP)",
    ]


def test_the_same_layer_at_two_precisions_is_two() -> None:
    layer = placed(**CONV)
    assert len(alike([layer, replace(layer, dtype="fp32")])) == 2


def test_the_most_to_gain_comes_first_and_what_is_unknown_never() -> None:
    fast = placed(1e-4, **CONV)
    slow = placed(9e-4, op="MatMul")
    unknown = placed(9e-3, flops=None, op="Mystery")
    names = [group.name for group in most_to_gain([fast, fast, slow, unknown], most=5)]
    assert names == ["MatMul", "2 × Conv 3×3 512→512"]
    assert len(most_to_gain([fast, slow], most=1)) == 1
