"""Networks as ONNX models of shapes only, which the reader and the work table are tested with.

The layer tables are those of torchvision.models, which publishes its counts of multiply-adds (GIPS)
beside each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import onnx
from onnx import TensorProto, helper

from kernels.onnx.graph import Graph

FLOAT = TensorProto.FLOAT


def header(name: str, dims: Sequence[int], kind: int = FLOAT) -> Any:
    """A weight of which only the shape matters."""
    return TensorProto(name=name, data_type=kind, dims=dims)


def open_shapes(graph: Graph) -> list[str]:
    """``Node name: tensor`` of every value of a network whose shape could not be found."""
    values = []
    for node in graph.nodes:
        tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
        names = [tensor.name for tensor in tensors if tensor.shape is None]
        values += [f"{node.op} {node.name}: {name}" for name in names]
    return values


def model_of(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: Sequence[str],
    weights: Sequence[Any] = (),
    kinds: Mapping[str, int] | None = None,
    domains: Sequence[str] = (),
    opset: int = 20,
) -> Any:
    """A model of these nodes; kinds: types other than float of its inputs."""
    ends = []
    for name, dims in inputs.items():
        kind = (kinds or {}).get(name, FLOAT)
        ends.append(helper.make_tensor_value_info(name, kind, dims))
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(list(nodes), "made", ends, results, list(weights))
    opsets = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(domain, 1) for domain in domains),
    ]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


class Net:
    """Adds layers one after another; each method returns the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.channels = {"x": 3}

    def add(self, op: str, inputs: Sequence[str], channels: int, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=f"n{len(self.nodes)}", **attributes)
        )
        self.channels[name] = channels
        return name

    def conv(
        self, x: str, out: int, kernel: int, stride: int = 1, pad: int = 0, groups: int = 1
    ) -> str:
        weight = header(f"w{len(self.nodes)}", (out, self.channels[x] // groups, kernel, kernel))
        self.weights.append(weight)
        return self.add(
            "Conv", [x, weight.name], out, strides=[stride] * 2, pads=[pad] * 4, group=groups
        )

    def pool(self, x: str, kernel: int, stride: int, pad: int = 0, ceil: int = 0) -> str:
        shape = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [pad] * 4,
            "ceil_mode": ceil,
        }
        return self.add("MaxPool", [x], self.channels[x], **shape)

    def classify(self, x: str, sizes: Sequence[int], pooled: bool = True) -> str:
        """Fully connected layers of these widths."""
        if pooled:
            x = self.add("GlobalAveragePool", [x], self.channels[x])
        x = self.add("Flatten", [x], 0)
        for width, out in pairwise(sizes):
            weight = header(f"w{len(self.nodes)}", (out, width))
            self.weights.append(weight)
            x = self.add("Gemm", [x, weight.name], out, transB=1)
        return x

    def model(self, last: str, size: int = 224) -> Any:
        return model_of(self.nodes, {"x": (1, 3, size, size)}, [last], self.weights)


def resnet50() -> Any:
    net = Net()
    x = net.pool(net.conv("x", 64, 7, 2, 3), 3, 2, 1)
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for step in (stride, *[1] * (blocks - 1)):
            y = net.conv(net.conv(net.conv(x, width, 1), width, 3, step, 1), 4 * width, 1)
            short = x
            if net.channels[x] != 4 * width or step > 1:
                short = net.conv(x, 4 * width, 1, step)
            x = net.add("Add", [y, short], 4 * width)
    return net.model(net.classify(x, (2048, 1000)))


def vgg19() -> Any:
    net = Net()
    x = "x"
    for width, depth in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(depth):
            x = net.conv(x, width, 3, 1, 1)
        x = net.pool(x, 2, 2)
    return net.model(net.classify(x, (25088, 4096, 4096, 1000), pooled=False))


def mobilenet_v2() -> Any:
    net = Net()
    x = net.conv("x", 32, 3, 2, 1)
    for expand, width, blocks, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for step in (stride, *[1] * (blocks - 1)):
            inner = net.channels[x] * expand
            y = net.conv(x, inner, 1) if expand > 1 else x
            y = net.conv(y, inner, 3, step, 1, groups=inner)
            y = net.conv(y, width, 1)
            has_shortcut = step == 1 and net.channels[x] == width
            x = net.add("Add", [x, y], width) if has_shortcut else y
    return net.model(net.classify(net.conv(x, 1280, 1), (1280, 1000)))


def squeezenet10() -> Any:
    net = Net()
    x = net.pool(net.conv("x", 96, 7, 2), 3, 2, ceil=1)
    for squeeze, expand, pooled in (
        (16, 64, False),
        (16, 64, False),
        (32, 128, True),
        (32, 128, False),
        (48, 192, False),
        (48, 192, False),
        (64, 256, True),
        (64, 256, False),
    ):
        s = net.conv(x, squeeze, 1)
        parts = [net.conv(s, expand, 1), net.conv(s, expand, 3, 1, 1)]
        x = net.add("Concat", parts, 2 * expand, axis=1)
        if pooled:
            x = net.pool(x, 3, 2, ceil=1)
    return net.model(net.conv(x, 1000, 1))


def alexnet() -> Any:
    net = Net()
    x = net.pool(net.conv("x", 64, 11, 4, 2), 3, 2)
    x = net.pool(net.conv(x, 192, 5, 1, 2), 3, 2)
    for width in (384, 256, 256):
        x = net.conv(x, width, 3, 1, 1)
    return net.model(net.classify(net.pool(x, 3, 2), (9216, 4096, 4096, 1000), pooled=False))


NETWORKS: dict[str, tuple[Callable[[], Any], float]] = {
    "resnet50": (resnet50, 4.09),
    "vgg19": (vgg19, 19.63),
    "mobilenet_v2": (mobilenet_v2, 0.301),
    "squeezenet1_0": (squeezenet10, 0.819),
    "alexnet": (alexnet, 0.714),
}
"""Of each, the model at 224 by 224, and the multiply-adds (10⁹) of its convolutions and fully
connected layers."""
