"""The product that leaves out zeros: its numbers, and its work."""

from __future__ import annotations

import pytest

from kernels import csr
from kernels.csr.work import reference, work
from kernels.device import Device
from probes.harness.check import difference
from tests.devices import CPU

SIZE = {"rows": 4, "width": 64, "zeros": 90}


def launch_on(device: Device) -> csr.cpu.ScipyLaunch:
    """A small launch."""
    return csr.cpu.build(device, "fp32", SIZE, None)


def test_it_computes_what_the_dense_product_does() -> None:
    pytest.importorskip("scipy")
    launch = launch_on(CPU)
    launch.run(2)
    assert not difference(launch.result(), reference("fp32", 1, **SIZE), 2e-5)
    launch.close()


def test_only_what_is_not_zero_is_work() -> None:
    dense = work("fp32", 4, 64, 0)
    sparse = work("fp32", 4, 64, 90)
    assert dense.flops == 2 * 4 * 64 * 64
    assert sparse.flops == pytest.approx(dense.flops / 10, rel=0.2)
    assert sparse.bytes < dense.bytes


def test_without_scipy_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse", None)
    assert "pip install" in csr.missing()
