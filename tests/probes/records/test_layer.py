"""A layer's facts are those of its params, each with a type, or else of its row's columns."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from probes.records.layer import LayerFacts, read_params
from tests.devices import measurement

ROW = measurement("layer/convolution", kernel="Conv", backend="cuda", dtype="fp16")


def facts(**params: Any) -> LayerFacts:
    """The facts of a convolution with these params."""
    return replace(ROW, params=json.dumps(params)).facts


def test_a_row_that_says_nothing_is_known_by_its_columns() -> None:
    of_columns = LayerFacts(op="Conv", family="convolution", provider="cuda", precision="fp16")
    assert facts() == of_columns
    without_params = replace(ROW, params="")
    assert without_params.facts == of_columns


def test_what_params_say_comes_before_the_columns() -> None:
    of_params = facts(op="QLinearConv", family="other", provider="tensorrt", precision="int8")
    assert (of_params.op, of_params.family) == ("QLinearConv", "other")
    assert (of_params.provider, of_params.precision) == ("tensorrt", "int8")


def test_what_is_null_is_unknown() -> None:
    names = (
        "network",
        "layer",
        "op",
        "over",
        "warm",
        "working_set",
        "launches",
        "nodes",
        "ran",
        "explained",
    )
    assert facts(**dict.fromkeys(names)) == facts()


@pytest.mark.parametrize(
    ("params", "name", "value"),
    [
        ({"network": "net", "layer": "conv1"}, "layer", "conv1"),
        ({"sweep": "precision", "over": "layer", "x": 0}, "listed", True),
        ({"over": "kernel size"}, "listed", False),
        ({"run": "captured in a CUDA graph"}, "captured", True),
        ({"run": "plain runs"}, "captured", False),
        ({"nodes": ["a", "b"]}, "nodes", ("a", "b")),
        ({"nodes": 7}, "nodes", ()),
        ({"ran": {"FusedConv": 2}}, "ran", {"FusedConv": 2}),
        ({"explained": {"fused nodes": 5}}, "explained", (("fused nodes", 5),)),
        ({"explained": "fused"}, "explained", (("", "fused"),)),
        ({"saturated": {"values": 3, "of": 8, "error": 0.07}}, "saturated", 0.07),
        ({"saturated": {"values": 3, "of": 8, "error": None}}, "saturated", None),
        ({"groups": 32}, "groups", 32),
        ({"groups": "all"}, "groups", 1),
        ({"window": [3, 3]}, "window", (3, 3)),
        ({"window": "3x3"}, "window", ()),
        ({"shape": [1, 64, "n"]}, "shape", ()),
        ({"in_channels": 63, "groups": 1, "channels": None}, "channels", {"in_channels": 63}),
    ],
)
def test_a_fact_has_a_type_whatever_params_hold(
    params: dict[str, Any], name: str, value: object
) -> None:
    assert getattr(facts(**params), name) == value


def test_params_are_read_once() -> None:
    text = json.dumps({"layer": "only once"})
    assert read_params(text) is read_params(text)
