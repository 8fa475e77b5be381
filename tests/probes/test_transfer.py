"""Each device is asked for the transfers and launches that it has, in sizes that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kernels.device import Device
from probes import overhead, transfer
from probes.harness.case import Case
from probes.records.tag import Tag
from tests.devices import CPU, GPU

MIB, GIB = 1 << 20, 1 << 30
SetFree = Callable[[int | None], None]
JETSON = replace(GPU, arch="8.7", features=("integrated", "jetson"))


@pytest.fixture
def host_with_free(monkeypatch: pytest.MonkeyPatch) -> SetFree:
    """Sets the free bytes of the host: 64 GiB unless a test says otherwise."""

    def set_free(free: int | None) -> None:
        monkeypatch.setattr(transfer, "host_free", lambda: free)

    set_free(64 * GIB)
    return set_free


def by_tag(device: Device, full: bool = False) -> dict[str, Case]:
    """The cases of a plain run, or those that only a full run adds, by tag."""
    return {case.ceiling: case for case in transfer.cases(device) if case.full == full}


def test_a_discrete_gpu_is_asked_about_the_bus(host_with_free: SetFree) -> None:
    cases = by_tag(GPU)
    assert {tag: case.params["size_bytes"] // MIB for tag, case in cases.items()} == {
        "transfer/h2d": 128,
        "transfer/d2h": 128,
        "transfer/both": 128,
        "transfer/h2d/pageable": 64,
        "transfer/d2h/pageable": 64,
    }
    assert {tag for tag, case in cases.items() if case.params["host"] == "pageable"} == {
        "transfer/h2d/pageable",
        "transfer/d2h/pageable",
    }
    for case in cases.values():
        assert case.kernel.name == Tag.parse(case.ceiling).subject


def test_a_sweep_goes_from_latency_to_bandwidth(host_with_free: SetFree) -> None:
    points = [case for case in transfer.cases(GPU) if case.full]
    tags = {case.ceiling for case in points}
    assert tags == {
        "sweep/transfer/size/h2d-pinned",
        "sweep/transfer/size/h2d-pageable",
        "sweep/transfer/size/d2h-pinned",
        "sweep/transfer/size/d2h-pageable",
    }
    for tag in tags:
        series = [case for case in points if case.ceiling == tag]
        assert [case.x for case in series] == [256 * 4**step for step in range(10)]
        for case in series:
            assert case.kernel.work("fp64", **case.params).bytes == case.x
            assert tag == f"sweep/transfer/size/{case.kernel.name}-{case.params['host']}"


@pytest.mark.parametrize(
    ("host_free", "gpu_free", "one_way_mib", "both_ways_mib"),
    [
        (1 * GIB, 60 * GIB, 128, 64),
        (512 * MIB, 60 * GIB, 64, 32),
        (64 * GIB, 512 * MIB, 64, 32),
        (None, None, 128, 128),
    ],
    ids=["1 GB host", "512 MB cgroup", "512 MB free on the gpu", "nothing known"],
)
def test_buffers_take_an_eighth_of_free_memory_at_most(
    host_with_free: SetFree,
    host_free: int | None,
    gpu_free: int | None,
    one_way_mib: int,
    both_ways_mib: int,
) -> None:
    host_with_free(host_free)
    gpu = replace(GPU, memory_free_bytes=gpu_free)
    cases = by_tag(gpu)
    assert cases["transfer/h2d"].params["size_bytes"] == one_way_mib * MIB
    assert cases["transfer/both"].params["size_bytes"] == both_ways_mib * MIB
    points = [case for case in transfer.cases(gpu) if case.full]
    assert max(case.x or 0 for case in points) <= one_way_mib * MIB


def test_hardly_any_memory_still_gives_a_whole_page(host_with_free: SetFree) -> None:
    host_with_free(1000)
    assert by_tag(GPU)["transfer/h2d"].params["size_bytes"] == 4096


def test_an_integrated_gpu_is_asked_which_memory_to_use(host_with_free: SetFree) -> None:
    cases = by_tag(JETSON)
    assert list(cases) == [
        "transfer/device-gpu",
        "transfer/zero-copy-gpu",
        "transfer/managed-gpu",
        "transfer/zero-copy-cpu",
        "transfer/managed-cpu",
    ]
    for tag, case in cases.items():
        assert case.params["size_bytes"] <= 256 * MIB
        reader = "gpu" if case.backend == "raw" else "cpu"
        assert tag == f"transfer/{case.params['memory']}-{reader}"
        assert case.backend in case.kernel.backends
    assert not by_tag(JETSON, full=True)


def test_every_other_gpu_is_asked_in_each_direction_and_in_both_at_once(
    host_with_free: SetFree,
) -> None:
    cases = by_tag(replace(GPU, index=1, facts={"gpus": 3}))
    ends = {
        tag: (case.params["source"], case.params["target"])
        for tag, case in cases.items()
        if tag.startswith("transfer/peer")
    }
    assert ends == {
        "transfer/peer-1-0": (1, 0),
        "transfer/peer-0-1": (0, 1),
        "transfer/peer-1-0/both": (1, 0),
        "transfer/peer-1-2": (1, 2),
        "transfer/peer-2-1": (2, 1),
        "transfer/peer-1-2/both": (1, 2),
    }


def test_a_cpu_has_no_bus_to_a_gpu_and_no_launches() -> None:
    assert not list(transfer.cases(CPU))
    assert not list(overhead.cases(CPU))


def test_each_way_to_launch_is_asked() -> None:
    assert [case.ceiling for case in overhead.cases(GPU)] == [
        "overhead/launch",
        "overhead/launch-and-sync",
        "overhead/graph-launch",
    ]
