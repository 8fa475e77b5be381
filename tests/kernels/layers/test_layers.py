"""The layers we time: each is a valid model of known work, and computes what its name says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import ITEMSIZE  # noqa: E402
from kernels.layers import (  # noqa: E402
    FAMILIES,
    Layer,
    image,
    matrix,
    movement,
)
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.onnx.work import work_of  # noqa: E402
from tests.kernels.onnx_networks import open_shapes  # noqa: E402
from tests.kernels.onnx_run import feeds, reference, run  # noqa: E402

KINDS = ("cpu", "cuda")
LARGEST_CHECKED_BYTES = 2**24
"""Of a model: above it, the checker's copy takes longer than what the checker finds is worth."""
FEWEST_LAYERS = 6  # of a picture
MOST_LAYERS = 25
BOX_NUMBERS = 4 + 1 + 80
"""Of a detected box: place and size, whether it holds a thing, a score for each class of COCO."""
GRAY_LEVEL = 114  # of 255: the gray that YOLO's letterbox pads with
# the families whose operations ONNX's definitions in NumPy compute fast enough
RUN_BY_NUMPY = (
    "conv-kernel",
    "conv-size",
    "conv-channels",
    "conv-groups",
    "separable",
    "alignment",
    "fc",
    "matmul",
    "attention",
    "rows",
    "movement",
    "precision",
)


def layers(family: str, kind: str = "cpu") -> list[Layer]:
    """The layers of a family that are timed on a kind of device."""
    return list(FAMILIES[family].layers(kind))


def series(family: str, name: str) -> list[Layer]:
    """The layers of one series of a family, from the smallest to the largest."""
    members = [layer for layer in layers(family) if layer.series == name]
    return sorted(members, key=lambda layer: layer.x)


def intensity(layer: Layer) -> float:
    """FLOPs per byte of inputs, weights and outputs, each node's own."""
    works = [work_of(node) for node in graph_of(layer.make()).nodes]
    operations = sum(work.flops or 0 for work in works)
    return operations / sum(work.compulsory_bytes or 0 for work in works)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_is_a_valid_model_of_known_shapes_and_work(family: str, kind: str) -> None:
    for layer in layers(family, kind):
        model = layer.make()
        if model.ByteSize() < LARGEST_CHECKED_BYTES:
            onnx.checker.check_model(model, full_check=True)
        assert model.ir_version <= 10 and 17 <= model.opset_import[0].version <= 20
        graph = graph_of(model)
        assert layer.op in {node.op for node in graph.nodes}
        assert not open_shapes(graph)
        assert [tensor.name for tensor in graph.inputs] == ["x", "x1", "x2"][: len(graph.inputs)]
        assert [tensor.name for tensor in graph.outputs] == ["y"]
        for node in graph.nodes:
            work = work_of(node)
            is_counted = work.flops is not None and work.compulsory_bytes
            assert is_counted and not work.problem, (layer.name, work.problem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_a_picture(family: str, kind: str) -> None:
    row = FAMILIES[family]
    points = layers(family, kind)
    assert len(points) >= FEWEST_LAYERS
    assert len(points) <= MOST_LAYERS or (family, kind) == ("alignment", "cuda")
    assert len({layer.name for layer in points}) == len(points)
    assert len({(layer.series, layer.x) for layer in points}) == len(points)
    assert {layer.family for layer in points} == {family}
    dtypes = {*row.dtypes[kind]}
    for layer in points:
        dtypes.update(layer.dtypes, {layer.fixed} - {""})
    assert dtypes <= ITEMSIZE.keys()
    assert row.question.endswith("?")
    assert row.over


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_the_same_each_time_it_is_made(kind: str) -> None:
    for family in ("conv-size", "image", "precision"):
        layer = layers(family, kind)[0]
        assert layer.make() == layer.make()


@pytest.mark.parametrize("family", RUN_BY_NUMPY)
def test_the_smallest_of_each_series_computes_what_onnx_says(family: str) -> None:
    for name in {layer.series for layer in layers(family)}:
        model = series(family, name)[0].make()
        arrays = feeds(model)
        for ours, expected in zip(run(model, arrays), reference(model, arrays), strict=True):
            assert np.ptp(expected.astype(np.float64)) > 0
            assert ours.dtype == expected.dtype
            near_zero = 1e-4 * np.abs(expected).max()
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=near_zero)


def test_pools_and_shortcuts_compute_what_onnx_says() -> None:
    for row in movement.LIGHT:
        model = movement.single(row.make, 1, 6)
        arrays = feeds(model)
        expected = reference(model, arrays)[0]
        np.testing.assert_allclose(run(model, arrays)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make", [image.resize, image.letterbox, image.normalise, image.warp, image.decode]
)
def test_image_steps_compute_what_onnx_says(make: Any) -> None:
    model = make(2, 32)
    arrays = feeds(model)
    expected = reference(model, arrays)[0]
    np.testing.assert_allclose(run(model, arrays)[0], expected, rtol=1e-4, atol=1e-4)


def test_normalise_turns_a_camera_image_into_what_torchvision_feeds() -> None:
    model = image.normalise(1, 32)
    pixels = feeds(model)["x"]
    rgb = pixels[0, :, :, ::-1].transpose(2, 0, 1) / 255.0
    # of red, green and blue over ImageNet, as torchvision's models were trained
    mean = np.array((0.485, 0.456, 0.406)).reshape(3, 1, 1)
    deviation = np.array((0.229, 0.224, 0.225)).reshape(3, 1, 1)
    np.testing.assert_allclose(run(model, {"x": pixels})[0][0], (rgb - mean) / deviation, atol=1e-4)


def test_letterbox_keeps_the_shape_of_things_and_pads_with_gray() -> None:
    out = run(image.letterbox(1, 32), {"x": np.full((1, 3, 48, 64), 0.25, np.float32)})[0]
    assert out.shape == (1, 3, 32, 32)
    picture = np.s_[4:28]  # rows: 48 by 64 becomes 24 by 32, in the middle
    bars = np.delete(out, picture, axis=2)
    assert np.all(out[:, :, picture] == 0.25)
    assert np.all(bars == np.float32(GRAY_LEVEL / 255))


def test_warp_by_the_unit_matrix_changes_nothing() -> None:
    model = image.warp(1, 32)
    picture = feeds(model)["x"]
    unit = np.eye(2, 3, dtype=np.float32)[None]
    np.testing.assert_allclose(run(model, {"x": picture, "x1": unit})[0], picture, atol=1e-5)


def test_decoded_boxes_lie_in_their_cells() -> None:
    side = 64
    raw = np.zeros((1, image.boxes(side), BOX_NUMBERS), np.float32)
    out = run(image.decode(1, side), {"x": raw})[0][0]
    finest, next_finest, coarsest = 8 * 8, 4 * 4, 2 * 2  # cells of the three grids
    assert len(out) == finest + next_finest + coarsest
    # second column of the finest grid; the logistic function of 0 is 0.5
    assert out[1].tolist() == [8, 0, 8, 8, *[0.5] * (BOX_NUMBERS - 4)]
    # second row, third column of the next
    assert out[finest + 4 + 2].tolist()[:4] == [32, 16, 16, 16]


@pytest.mark.parametrize("low", [-1, 0])
def test_suppression_leaves_as_many_boxes_as_its_shape_says(low: int) -> None:
    for layer in series("image", "non-maximum suppression"):
        model = layer.make()
        arrays = feeds(model)
        if low == 0:
            arrays = {name: np.abs(values) for name, values in arrays.items()}
        left = run(model, arrays)[0]
        assert left.shape == (image.BOXES_LEFT, 3) == graph_of(model).outputs[0].shape


def test_attention_is_softmax_of_scaled_scores_times_values() -> None:
    model = matrix.attention(1, 32)
    arrays = feeds(model)
    q, k, v = (arrays[name].astype(np.float64) for name in ("x", "x1", "x2"))
    scores = np.exp(q @ k.transpose(0, 1, 3, 2) / np.sqrt(matrix.HEAD_SIZE))
    expected = scores / scores.sum(-1, keepdims=True) @ v
    np.testing.assert_allclose(run(model, arrays)[0], expected, atol=1e-5)


def test_activations_stay_near_one_whatever_the_size_of_a_layer() -> None:
    for layer in (*series("conv-channels", "3x3"), *series("fc", "batch 16")[:5]):
        model = layer.make()
        to_unit_variance = np.float32(np.sqrt(3))  # uniform numbers over ±1 have a variance of 1/3
        arrays = {name: values * to_unit_variance for name, values in feeds(model).items()}
        assert 0.5 < run(model, arrays)[0].std() < 2.5, layer.name


def test_intensity_grows_with_kernel_and_channels_and_falls_with_groups_and_reshapes() -> None:
    dense = series("conv-kernel", "dense")
    depthwise = series("conv-kernel", "depthwise")
    for of_all_channels, of_one in zip(dense, depthwise, strict=True):
        assert intensity(of_one) < intensity(of_all_channels) / 4
    for curve in (dense, depthwise, series("conv-channels", "3x3"), series("conv-size", "3x3")):
        intensities = [intensity(layer) for layer in curve]
        assert intensities == sorted(intensities)
        assert intensities[-1] > 2 * intensities[0]
    for curve in (series("conv-groups", "3x3"), series("reshapes", "6 convs 3x3")):
        intensities = [intensity(layer) for layer in curve]
        assert intensities == sorted(intensities, reverse=True)
        assert intensities[-1] < intensities[0]


def flops(layer: Layer) -> float:
    """Operations of a layer, all of its nodes together."""
    return sum(work_of(node).flops or 0 for node in graph_of(layer.make()).nodes)


def test_a_split_convolution_does_less() -> None:
    dense_layers = series("separable", "dense 3x3")
    split_layers = series("separable", "depthwise + pointwise")
    for dense, split in zip(dense_layers, split_layers, strict=True):
        # Howard et al. 2017, MobileNets, section 3.1.
        assert flops(split) / flops(dense) == pytest.approx(1 / dense.x + 1 / 9)


def test_movement_computes_nothing() -> None:
    for layer in layers("movement"):
        assert intensity(layer) == 0


def test_a_reshape_between_is_one_node_that_moves_bytes_once() -> None:
    plain = graph_of(movement.network(1, 0)).nodes
    with_three = graph_of(movement.network(1, 3)).nodes
    added = [node.op for node in with_three]
    for node in plain:
        added.remove(node.op)
    assert added == ["Transpose"] * 3


def test_a_net_names_its_ends() -> None:
    net = Net(opset=17)
    x = net.input(4, 6)
    sizes = net.constant([2, 4], "int64")
    first, second = net.add_several("Split", x, sizes, outputs=2, axis=1)
    model = net.model(second, first)
    columns = {
        output.name: output.type.tensor_type.shape.dim[1].dim_value for output in model.graph.output
    }
    assert list(columns.items()) == [("y", 4), ("y1", 2)]
    assert model.opset_import[0].version == 17
