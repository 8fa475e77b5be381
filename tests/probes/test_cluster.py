"""The cluster probe: every size of a cluster is asked, or says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.cluster import cuda as cluster_cuda
from probes import cluster
from probes.harness.case import Probe, choose
from probes.harness.task import tasks
from tests.devices import CPU, GPU


def test_each_question_is_asked_of_every_size() -> None:
    xs_by_tag: dict[str, list[float | None]] = {}
    for case in cluster.cases(GPU):
        assert not case.skip
        xs_by_tag.setdefault(case.ceiling, []).append(case.x)
    assert set(xs_by_tag) == {
        "sweep/bandwidth/cluster/multicast",
        "sweep/bandwidth/cluster/read-of-neighbour",
        "sweep/latency/cluster/chase",
    }
    assert all(xs == list(cluster_cuda.SIZES) for xs in xs_by_tag.values())


@pytest.mark.parametrize("arch", ["7.5", "8.7", "8.9"])
def test_an_older_gpu_has_rows_with_the_reason(arch: str) -> None:
    old = replace(GPU, arch=arch)
    rows = [task.row for task in tasks([Probe("cluster", "?", cluster.cases)], old, "now")]
    assert len(rows) == 3 * len(cluster_cuda.SIZES)
    reason = f"compute capability {arch} has no clusters and bulk copies: from 9.0 on"
    assert {(row.status, row.reason) for row in rows} == {("skipped", reason)}


def test_a_gpu_without_multicast_still_copies_to_one() -> None:
    skips = {case.x: case.skip for case in cluster.cases(replace(GPU, arch="12.0")) if case.skip}
    assert list(skips) == [2, 4, 8, 16]
    assert "no bulk copies into several blocks" in skips[2]


def test_a_cpu_has_none_and_a_plain_run_leaves_it_out() -> None:
    assert not list(cluster.cases(CPU))
    assert "cluster" not in {probe.name for probe in choose(None)}
    assert "cluster" in {probe.name for probe in choose(None, full=True)}
