"""Networks as they deploy: fewer nodes, the same answers."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.base import Unavailable
from kernels.onnx.net import Net
from kernels.precision.clean import cleaned
from kernels.runtime.answers import PLAIN, answers
from tests import trained

pytest.importorskip("onnxslim")

NEEDS_TRAINED = pytest.mark.skipif(bool(trained.missing()), reason=trained.missing())


def normalised_convolution() -> Any:
    """A convolution, then a normalisation that a runtime folds into it."""
    net = Net()
    x = net.conv(net.input(1, 3, 8, 8), 3, 4, 3)
    parameters = [net.constant(np.full(4, value)) for value in (1.5, 0.5, 0.1, 2.0)]
    return net.model(net.add("BatchNormalization", x, *parameters))


def agree(model: Any, clean: Any, *shape: int) -> bool:
    """True if both give the same answer to the same random input."""
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    feeds = {model.graph.input[0].name: values}
    before, after = answers(model, feeds, PLAIN), answers(clean, feeds, PLAIN)
    return all(np.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True))


def test_a_normalisation_is_folded_and_the_answer_stays(capfd: pytest.CaptureFixture[str]) -> None:
    model = normalised_convolution()
    clean = cleaned(model)
    assert [node.op_type for node in clean.graph.node] == ["Conv"]
    assert [node.op_type for node in model.graph.node] == ["Conv", "BatchNormalization"]
    assert agree(model, clean, 1, 3, 8, 8)
    assert capfd.readouterr() == ("", "")


def test_every_node_gets_a_name_of_its_own() -> None:
    net = Net()
    x = net.conv(net.conv(net.input(1, 3, 8, 8), 3, 3, 3), 3, 3, 3)
    model = net.model(x)
    for node in model.graph.node:
        node.name = ""
    names = [node.name for node in cleaned(model).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)


def detector_path() -> Path:
    """The network of the same package that finds text in an image."""
    return trained.direction_path().parent / "PP-OCRv6_det_small.onnx"


@NEEDS_TRAINED
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (trained.direction_path, (1, 3, 48, 192)),
        (detector_path, (1, 3, 96, 128)),
        (trained.recogniser_path, (1, 3, 48, 320)),
    ],
)
def test_trained_networks_answer_the_same(path: Any, shape: tuple[int, ...]) -> None:
    model = trained.bound(path(), *shape)
    clean = cleaned(model)
    operations = Counter(node.op_type for node in clean.graph.node)
    assert "BatchNormalization" not in operations
    assert "Constant" not in operations
    assert len(clean.graph.node) < len(model.graph.node)
    stored = [tensor.name for tensor in clean.graph.initializer]
    assert len(set(stored)) == len(stored)
    assert agree(model, clean, *shape)


def test_an_open_batch_stays_open() -> None:
    model = normalised_convolution()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    clean = cleaned(model)
    for value in (clean.graph.input[0], clean.graph.output[0]):
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"
    assert agree(model, clean, 5, 3, 8, 8)


def test_the_runtime_is_kept_from_the_network() -> None:
    """onnxslim imports onnxruntime, too."""
    program = (
        "import os; from kernels.onnx.net import Net; from kernels.precision.clean import cleaned; "
        "net = Net(); cleaned(net.model(net.add('Relu', net.input(1, 2)))); "
        "print(os.environ.get('ORT_DISABLE_TELEMETRY'))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    root = Path(__file__).parents[3]
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, env=environment
    )
    assert answer.stdout.strip() == "1", answer.stderr


def test_without_onnxslim_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def lacking(name: str, *more: Any, **others: Any) -> Any:
        if name == "onnxslim":
            raise ImportError(name)
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(Unavailable, match="pip install"):
        cleaned(normalised_convolution())


def test_what_onnxslim_cannot_take_the_runtime_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxslim

    def broken(model: Any) -> Any:
        raise RuntimeError("no pass for that")

    monkeypatch.setattr(onnxslim, "slim", broken)
    model = normalised_convolution()
    clean = cleaned(model)
    assert len(clean.graph.node) == 1
    assert agree(model, clean, 1, 3, 8, 8)
