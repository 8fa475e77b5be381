"""What precision a network is of: that it computes in, not that its packed weights are stored in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from probes.harness.network import Asked
from tests.kernels.onnx_networks import header, model_of


def asked(tmp_path: Path, nodes: list[Any], weights: list[Any], opset: int = 21) -> Asked:
    own = ["com.microsoft"]
    onnx.save(model_of(nodes, {"x": (2, 32)}, ["y"], weights, domains=own, opset=opset), tmp_path / "net.onnx")
    return Asked(tmp_path / "net.onnx", {})


def test_weights_of_four_bits_are_computed_with_in_floats(tmp_path: Path) -> None:
    packed = [header("w", (16, 1, 16), TensorProto.UINT8), header("s", (16,))]
    blocks: dict[str, Any] = {"K": 32, "N": 16, "bits": 4, "block_size": 32}
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", **blocks)
    found = asked(tmp_path, [node], packed)
    assert (found.stored, found.packed) == ("fp32", {"w", "s"})


def test_a_table_of_four_bits_is_packed_too(tmp_path: Path) -> None:
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"]), helper.make_node("MatMul", ["x", "d"], ["y"])]
    found = asked(tmp_path, nodes, [header("w", (32, 16), TensorProto.INT4), header("s", ())])
    assert found.packed == {"w"}


@pytest.mark.parametrize(("kind", "stored"), [(TensorProto.FLOAT, "fp32"), (TensorProto.FLOAT16, "fp16")])
def test_other_networks_are_of_the_type_of_most_of_their_weights(tmp_path: Path, kind: int, stored: str) -> None:
    found = asked(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], [header("w", (32, 16), kind)])
    assert (found.stored, found.packed) == (stored, frozenset())
