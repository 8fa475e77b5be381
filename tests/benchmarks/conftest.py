"""The device that benchmarks run on."""

from __future__ import annotations

import pytest

from kernels.device import Device


@pytest.fixture(scope="session")
def host() -> Device:
    """This machine's CPU."""
    from probes.harness.devices import cpu

    return cpu.detect()
