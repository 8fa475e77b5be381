"""How long do the steps around a network take on the host?

A photograph is decoded, resized and normalised for a classifier; scores become classes, and boxes
are held against each other. A small network of the usual kind stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kernels import around
from kernels.around import host
from kernels.base import no_work
from kernels.device import Device
from kernels.onnx.net import Net
from kernels.runtime import session
from kernels.runtime.kernel import TimedLayer
from probes.harness.case import Case, run_alone
from probes.records.tag import OVERHEAD, RECIPE, STEP, Sweep, Tag

DEFAULT = FULL = False
NETWORK = "mobilenet"
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)
"""Channels and stride of each block of MobileNet 1.0 (Howard et al. 2017, table 1)."""
CLASSES = 1000
TOLERANCE = {"fp32": 1e-2}
"""Of a network of 28 layers, over the largest score."""


def cases(device: Device) -> Iterator[Case]:
    """Each step, on the host whatever the device is."""
    skip = host.missing()
    for place, (step, kernel) in enumerate(around.STEPS.items(), start=1):
        step_tag = Sweep(OVERHEAD, STEP, step)
        yield Case(kernel, "fp32", "host", step_tag, skip=skip, x=float(place))
    for backend in session.providers(device):
        timed = TimedLayer("Conv", mobilenet, by_node=True, tolerance=TOLERANCE)
        tag = Tag(RECIPE, NETWORK, backend)
        params = {"network": NETWORK, "provider": backend}
        reason = session.missing(backend)
        kernel = replace(timed.kernel(backend), work=no_work)
        yield Case(kernel, "fp32", backend, tag, params, reason)


def mobilenet() -> Any:
    """A ModelProto of MobileNet 1.0 at 224 by 224 pixels, batch 1, BatchNorm folded.

    Its weights are random: it is here for its time.
    """
    net = Net()
    x = net.conv(net.input(1, 3, 224, 224), 3, 32, 3, stride=2)
    x = net.add("Relu", x)
    channels = 32
    for width, stride in BLOCKS:
        x = net.conv(x, channels, channels, 3, groups=channels, stride=stride)
        x = net.add("Relu", x)
        x = net.conv(x, channels, width, 1)
        x = net.add("Relu", x)
        channels = width
    x = net.add("GlobalAveragePool", x)
    x = net.add("Flatten", x)
    return net.model(net.gemm(x, channels, CLASSES))


if __name__ == "__main__":
    run_alone(__file__)
