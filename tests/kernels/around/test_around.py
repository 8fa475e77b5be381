"""Steps around a network: each is what its reference says, and a wrong one is found."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kernels import around
from kernels.around import host, work
from probes.harness.check import difference
from tests.devices import CPU


@pytest.mark.parametrize("step", around.STEPS)
def test_a_step_computes_what_its_reference_says(step: str) -> None:
    pytest.importorskip("PIL")
    kernel = around.STEPS[step]
    launch = kernel.backends["host"](CPU, "fp32", {}, None)
    launch.run(1)
    expected = kernel.reference("fp32", 1)
    assert not difference(launch.result(), expected, kernel.tolerance["fp32"])
    assert difference(launch.result() + 0.3 * np.abs(expected).max(), expected, 0.2)
    launch.close()


def test_boxes_that_overlap_a_better_one_go() -> None:
    boxes, scores = work.detections()
    kept = np.flatnonzero(work.kept_boxes())
    assert 0 < len(kept) < work.CANDIDATES
    assert scores.max(1).argmax() in kept
    overlaps = work.overlaps_of(boxes[kept])
    np.fill_diagonal(overlaps, 0)
    assert overlaps.max() < work.OVERLAP


def test_a_resize_keeps_what_has_one_colour() -> None:
    weights = work.halves(1920, 224)
    assert weights.sum(1) == pytest.approx(np.ones(224))
    assert (weights > 0).sum(1).max() > 8  # no pixel is left out


def test_without_pillow_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "pip install" in host.missing()
