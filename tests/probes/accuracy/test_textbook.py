"""Studies of the trained network: what they find of a few layers can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests import trained as of_tests

if of_tests.missing():
    pytest.skip(f"{of_tests.missing()} is not installed", allow_module_level=True)

from kernels.precision.calibrate import Histogram
from probes.accuracy import textbook, trained


def test_a_tail_is_the_largest_number_over_what_nearly_all_stay_below() -> None:
    histogram = Histogram()
    numbers = np.linspace(0, 1, 100_000, dtype=np.float32)
    histogram.add(numbers)
    assert textbook.tail_of(histogram) == pytest.approx(1.0, abs=0.02)
    histogram.add(np.array([5.0], np.float32))
    assert textbook.tail_of(histogram) == pytest.approx(5.0, rel=0.02)


def test_rounded_weights_lose_less_with_a_scale_a_channel() -> None:
    weights = np.array([[[[100.0, 50.0]]], [[[1.0, 0.4]]]], np.float32)
    by_tensor = textbook._rounded_weights(weights, textbook.TENSOR, 0)
    by_channel = textbook._rounded_weights(weights, textbook.CHANNEL, 0)
    assert by_tensor[1].ravel() == pytest.approx([100 / 127, 100 / 127])
    assert by_channel[1].ravel() == pytest.approx([1.0, 0.4], abs=1 / 254)


def test_the_network_reads_words_and_has_both_kinds_of_layers() -> None:
    network = textbook.network()
    depthwise = [stage for stage in network.layers if network.is_depthwise(stage)]
    assert len(network.layers) == 54 and len(depthwise) == 11
    answers = [expected[0].argmax() for expected in network.expected]
    labels = network.labels[textbook.CALIBRATING :]
    assert np.mean(answers == labels) > 0.9
    assert network.signal_over_noise(network.model) == 300.0


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "NEEDED", ("surely_absent",))
    assert trained.missing() == f"surely_absent is not installed: {trained.EXTRA}"
