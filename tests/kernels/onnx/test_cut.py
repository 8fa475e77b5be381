"""Networks in parts: each node is a model of its own, and equal ones are known as equal.

The whole network has weights to run on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import onnx
import pytest

from kernels.base import Unavailable
from kernels.onnx import cut
from kernels.onnx.graph import Graph, Node, graph_of, read_graph
from kernels.onnx.work import work_of
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import reference as layer_reference
from kernels.runtime.reference import Size
from tests.kernels.onnx_networks import model_of

LARGE = Size(1e12, 1e12)
"""Too large for definitions in NumPy."""
FAST_ELEMENTS = 1e6  # of a layer's inputs: larger ones are no different, only slow to write down
FULL_ELEMENTS = 1e5  # of a layer's inputs that are compared with and without their data
UNKNOWN_IR_VERSION = 999  # of a file's format, that no runtime reads
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
NETWORKS = sorted(path.stem for path in LIGHT.glob("*.onnx"))


def graph_of_wheel(name: str) -> Graph:
    """A network that comes with onnx."""
    return read_graph(LIGHT / f"{name}.onnx")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_node_of_a_network_is_a_model_alone(name: str) -> None:
    graph = graph_of_wheel(name)
    distinct = {cut.key_of(graph, node): node for node in graph.nodes}
    assert 1 < len(distinct) < len(graph.nodes)
    for node in distinct.values():
        inputs = [tensor for tensor in node.inputs if tensor]
        if sum(tensor.size or 0 for tensor in inputs) > FAST_ELEMENTS:
            continue
        model = cut.layer_model(graph, node)
        onnx.checker.check_model(model)
        assert [proto.op_type for proto in model.graph.node] == [node.op]
        fed = {tensor.name for tensor in inputs if not tensor.weight}
        assert {value.name for value in model.graph.input} == fed


@pytest.mark.parametrize("name", ["light_vgg19", "light_shufflenet"])
def test_a_hollow_layer_is_the_same_work_without_the_data_of_its_weights(name: str) -> None:
    graph = graph_of_wheel(name)
    for node in graph.nodes:
        hollow = cut.layer_model(graph, node, hollow=True)
        assert hollow.ByteSize() < 1 << 16
        (hollow_node,) = graph_of(hollow).nodes
        assert work_of(hollow_node) == work_of(node)
        if sum(tensor.size or 0 for tensor in node.inputs if tensor) < FULL_ELEMENTS:
            full = graph_of(cut.layer_model(graph, node))
            assert full == replace(graph_of(hollow), model=ANY)


def shapes_of(node: Node) -> tuple[tuple[int, ...] | None, ...]:
    """Shapes of a node's inputs and outputs."""
    return tuple(tensor.shape for tensor in (*node.inputs, *node.outputs) if tensor)


def test_twins_are_the_same_work_and_others_are_not() -> None:
    graph = graph_of_wheel("light_resnet50")
    groups: dict[str, list[Node]] = {}
    for node in graph.nodes:
        groups.setdefault(cut.key_of(graph, node), []).append(node)
    for nodes in groups.values():
        assert len({shapes_of(node) for node in nodes}) == 1
        assert len({node.op for node in nodes}) == 1
    relus = [shapes_of(nodes[0]) for nodes in groups.values() if nodes[0].op == "Relu"]
    assert len(relus) == len(set(relus))


def test_the_whole_runs_with_random_weights_at_another_batch() -> None:
    model = cut.network_model(LIGHT / "light_squeezenet.onnx", None, 2)
    kernels = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 4]
    weights = [onnx.numpy_helper.to_array(kernel) for kernel in kernels]
    # a constant weight would let wrong channels pass
    assert all(weight.std() > 0 for weight in weights)
    feeds = layer_inputs.feeds(model)
    assert [array.shape[0] for array in feeds.values()] == [2]
    (out,) = layer_reference.expected(model, feeds, LARGE)
    assert np.isfinite(out).all()
    assert out.shape[0] == 2
    assert not np.allclose(out[0], out[1])


def test_two_nodes_of_one_name_are_two_layers(tmp_path: Path) -> None:
    nodes = [
        onnx.helper.make_node("Relu", ["x"], ["h"], name="twin"),
        onnx.helper.make_node("Neg", ["h"], ["y"], name="twin"),
    ]
    onnx.save(model_of(nodes, {"x": (4,)}, ["y"]), tmp_path / "net.onnx")
    graph = read_graph(tmp_path / "net.onnx")
    layers = [cut.layer_model(graph, node) for node in graph.nodes]
    assert [layer.graph.node[0].op_type for layer in layers] == ["Relu", "Neg"]
    model = cut.network_model(tmp_path / "net.onnx", None, None)
    assert len({node.name for node in model.graph.node}) == 2, "the runtime refuses one name twice"


def test_integers_that_nodes_make_keep_their_values(tmp_path: Path) -> None:
    ones = onnx.helper.make_tensor("ones", onnx.TensorProto.INT64, [1], [1])
    nodes = [
        onnx.helper.make_node("ConstantOfShape", ["rank"], ["to"], value=ones),
        onnx.helper.make_node("Expand", ["x", "to"], ["y"]),
    ]
    weights = [onnx.numpy_helper.from_array(np.array([2]), "rank")]
    onnx.save(model_of(nodes, {"x": (3, 4)}, ["y"], weights), tmp_path / "net.onnx")
    model = cut.network_model(tmp_path / "net.onnx", None, None)
    (out,) = layer_reference.expected(model, layer_inputs.feeds(model), LARGE)
    assert out.shape == (3, 4)


def test_floats_that_nodes_make_keep_their_values_where_answers_count(tmp_path: Path) -> None:
    filling = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], [2.5])
    nodes = [
        onnx.helper.make_node("ConstantOfShape", ["shape"], ["bias"], value=filling),
        onnx.helper.make_node("Add", ["x", "bias"], ["y"]),
    ]
    weights = [onnx.numpy_helper.from_array(np.array([3, 4]), "shape")]
    onnx.save(model_of(nodes, {"x": (3, 4)}, ["y"], weights), tmp_path / "net.onnx")
    model = cut.network_model(tmp_path / "net.onnx", None, None, may_invent=False)
    feeds = layer_inputs.feeds(model)
    (out,) = layer_reference.expected(model, feeds, LARGE)
    assert np.array_equal(out, feeds["x"] + np.float32(2.5))


@pytest.mark.parametrize("is_there", [True, False])
def test_weights_beside_the_file_are_read_and_lost_ones_are_random(
    tmp_path: Path, is_there: bool
) -> None:
    weights = [onnx.numpy_helper.from_array(np.full((4, 5), 0.5, np.float32), "w")]
    product = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    model = model_of([product], {"x": (2, 4)}, ["y"], weights)
    path = tmp_path / "n.onnx"
    onnx.save(model, path, save_as_external_data=True, location="data", size_threshold=0)
    if not is_there:
        (tmp_path / "data").unlink()
    if not is_there:
        with pytest.raises(Unavailable, match="the data of its weights w cannot be read"):
            cut.network_model(path, None, None, may_invent=False)
    filled = cut.network_model(path, None, None)
    assert (onnx.numpy_helper.to_array(filled.graph.initializer[0]) == 0.5).all() == is_there
    (out,) = layer_reference.expected(filled, layer_inputs.feeds(filled), LARGE)
    assert np.isfinite(out).all()


@pytest.mark.parametrize("external", [False, True])
def test_integers_of_a_network_are_its_own_and_floats_random(
    tmp_path: Path, external: bool
) -> None:
    integers = np.random.default_rng(1).integers(-90, 90, (64, 48)).astype(np.int8)
    decoded = 48 * 48  # elements, each with a scale of its own
    scales = np.linspace(0.01, 0.02, decoded, dtype=np.float32)
    weights = {
        "w": integers,
        "s": np.float32(0.1),
        "z": np.zeros(decoded, np.int8),
        "scales": scales,
        "f": integers.astype("f4"),
    }
    make = onnx.helper.make_node
    nodes = [
        make("MatMulInteger", ["x", "w"], ["i"], name="product"),
        make("DequantizeLinear", ["q", "scales", "z"], ["d"], name="decode", axis=0),
        make("MatMul", ["a", "f"], ["b"], name="floats"),
    ]
    stored = []
    for name, value in weights.items():
        stored.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    inputs = {"x": (4, 64), "q": (decoded,), "a": (4, 64)}
    kinds = {"x": onnx.TensorProto.UINT8, "q": onnx.TensorProto.INT8}
    model = model_of(nodes, inputs, ["i", "d", "b"], stored, kinds=kinds)
    path = tmp_path / "n.onnx"
    onnx.save(model, path, save_as_external_data=external, location="data", size_threshold=0)
    graph = read_graph(path)
    weights_of_layers = {}
    for node in graph.nodes:
        for tensor in cut.layer_model(graph, node).graph.initializer:
            weights_of_layers[tensor.name] = onnx.numpy_helper.to_array(tensor)
    assert (weights_of_layers["w"] == integers).all()
    assert (weights_of_layers["scales"] == scales).all()
    assert not np.array_equal(weights_of_layers["f"], integers)


def test_a_file_stamped_by_a_newer_exporter_runs_all_the_same(tmp_path: Path) -> None:
    model = model_of([onnx.helper.make_node("Relu", ["x"], ["y"], name="r")], {"x": (4,)}, ["y"])
    model.ir_version = UNKNOWN_IR_VERSION
    onnx.save(model, tmp_path / "net.onnx")
    graph = read_graph(tmp_path / "net.onnx")
    layer = cut.layer_model(graph, graph.nodes[0])
    network = cut.network_model(tmp_path / "net.onnx", None, None)
    for part in (layer, network):
        assert part.ir_version == 9
        assert layer_reference.expected(part, layer_inputs.feeds(part), LARGE)


def test_what_depends_on_its_data_is_not_cut() -> None:
    graph = graph_of_wheel("light_squeezenet")
    node = Node("If", "branch", (), (), subgraphs={"then_branch": ("Add",)})
    with pytest.raises(Unavailable, match="runs a network of its own"):
        cut.layer_model(graph, node)
