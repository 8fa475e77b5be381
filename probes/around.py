"""How long do the steps around a network take on the host?

A photograph is decoded, resized and normalised for a classifier; scores become classes, and boxes
are held against each other. A small network of the usual kind stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import around
from kernels.around import host
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import OVERHEAD, Tag

DEFAULT = FULL = False
SUBJECT = "host"


def cases(device: Device) -> Iterator[Case]:
    """Each step, on the host whatever the device is."""
    skip = host.missing()
    for step, kernel in around.STEPS.items():
        yield Case(kernel, "fp32", "host", Tag(OVERHEAD, SUBJECT, step), skip=skip)


if __name__ == "__main__":
    run_alone(__file__)
