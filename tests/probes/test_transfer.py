"""What is asked of the bus and of launches: sizes that fit, tags, and which device is asked
what.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernels.device import Device
from probes import overhead, transfer
from probes.harness.case import Case
from probes.records.tag import Tag
from tests.devices import CPU, GPU

MIB, GIB = 1 << 20, 1 << 30
JETSON = replace(GPU, arch="8.7", features=("integrated", "jetson"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(free: int | None = 64 * GIB) -> None:
        monkeypatch.setattr(transfer, "host_free", lambda: free)

    made()
    return made


def by_tag(device: Device, full: bool = False) -> dict[str, Case]:
    return {c.ceiling: c for c in transfer.cases(device) if c.full == full}


def test_a_discrete_gpu_is_asked_about_the_bus(machine: Any) -> None:
    found = by_tag(GPU)
    assert {tag: c.params["size_bytes"] // MIB for tag, c in found.items()} == {
        "transfer/h2d": 128,
        "transfer/d2h": 128,
        "transfer/both": 128,
        "transfer/h2d/pageable": 64,
        "transfer/d2h/pageable": 64,
    }
    assert {tag for tag, c in found.items() if c.params["host"] == "pageable"} == {
        "transfer/h2d/pageable",
        "transfer/d2h/pageable",
    }
    for case in found.values():
        assert case.kernel.name == Tag.parse(case.ceiling).subject


def test_a_sweep_goes_from_latency_to_bandwidth(machine: Any) -> None:
    points = [c for c in transfer.cases(GPU) if c.full]
    assert {c.ceiling for c in points} == {
        f"sweep/transfer/size/{way}-{host}"
        for way in ("h2d", "d2h")
        for host in ("pinned", "pageable")
    }
    for tag in {c.ceiling for c in points}:
        mine = [c for c in points if c.ceiling == tag]
        assert [c.x for c in mine] == [256 * 4**k for k in range(10)]
        for case in mine:
            assert case.kernel.work("fp64", **case.params).bytes == case.x
            assert tag == f"sweep/transfer/size/{case.kernel.name}-{case.params['host']}"


@pytest.mark.parametrize(
    ("host", "device", "one", "both"),
    [
        (1 * GIB, 60 * GIB, 128, 64),
        (512 * MIB, 60 * GIB, 64, 32),
        (64 * GIB, 512 * MIB, 64, 32),
        (None, None, 128, 128),
    ],
    ids=["1 GB host", "512 MB cgroup", "512 MB free on the gpu", "nothing known"],
)
def test_buffers_take_an_eighth_of_free_memory_at_most(
    machine: Any, host: int | None, device: int | None, one: int, both: int
) -> None:
    machine(host)
    gpu = replace(GPU, memory_free_bytes=device)
    found = by_tag(gpu)
    assert found["transfer/h2d"].params["size_bytes"] == one * MIB
    assert found["transfer/both"].params["size_bytes"] == both * MIB
    assert max(c.x or 0 for c in transfer.cases(gpu) if c.full) <= one * MIB


def test_hardly_any_memory_still_gives_a_whole_page(machine: Any) -> None:
    machine(1000)
    assert by_tag(GPU)["transfer/h2d"].params["size_bytes"] == 4096


def test_an_integrated_gpu_is_asked_which_memory_to_use(machine: Any) -> None:
    found = by_tag(JETSON)
    assert list(found) == [
        "transfer/device-gpu",
        "transfer/zero-copy-gpu",
        "transfer/managed-gpu",
        "transfer/zero-copy-cpu",
        "transfer/managed-cpu",
    ]
    for tag, case in found.items():
        assert case.params["size_bytes"] <= 256 * MIB
        assert (
            tag == f"transfer/{case.params['memory']}-{'gpu' if case.backend == 'raw' else 'cpu'}"
        )
        assert case.backend in case.kernel.backends
    assert not by_tag(JETSON, full=True)


def test_every_other_gpu_is_asked_in_both_directions(machine: Any) -> None:
    found = by_tag(replace(GPU, index=1, facts={"gpus": 3}))
    ends = {
        t: (c.params["source"], c.params["target"])
        for t, c in found.items()
        if t.startswith("transfer/peer")
    }
    assert ends == {
        "transfer/peer-1-0": (1, 0),
        "transfer/peer-0-1": (0, 1),
        "transfer/peer-1-2": (1, 2),
        "transfer/peer-2-1": (2, 1),
    }


def test_a_cpu_has_no_bus_to_a_gpu_and_no_launches() -> None:
    assert not list(transfer.cases(CPU))
    assert not list(overhead.cases(CPU))


def test_each_way_to_launch_is_asked() -> None:
    assert [c.ceiling for c in overhead.cases(GPU)] == [
        "overhead/launch",
        "overhead/launch-and-sync",
        "overhead/graph-launch",
    ]
