"""Which layers the page shows, and in which order."""

from __future__ import annotations

from analysis.analyse import model
from analysis.tell.page.views import views
from tests.analysis.layer_rows import conv_sweep, network, run_of


def test_networks_stand_before_sweeps_and_the_longest_layer_first() -> None:
    outcome = model(run_of(*conv_sweep(("fp16",)), *network("squeezenet")))
    names = [view.name for view in views(outcome.placements, outcome.networks, 1000)]
    assert names == ["squeezenet", "conv-kernel"]
    for view in views(outcome.placements, outcome.networks, 1000):
        for variation in view.variations:
            seconds = [layer.seconds for layer in variation.layers]
            assert seconds == sorted(seconds, reverse=True)


def test_of_too_many_layers_the_longest_stay_in_every_precision() -> None:
    outcome = model(run_of(*network("squeezenet"), *network("squeezenet", "fp32")))
    (view,) = views(outcome.placements, outcome.networks, 21)
    half, full = (list(variation.layers) for variation in view.variations)
    assert len(half) == len(full) == 10
    assert {layer.layer for layer in half} == {layer.layer for layer in full}
    longest = max(outcome.placements, key=lambda layer: layer.seconds)
    assert full[0] is longest


def test_providers_are_told_where_there_are_several() -> None:
    rows = network("squeezenet", "fp16") + network("squeezenet", "fp32")
    outcome = model(run_of(*rows))
    (view,) = views(outcome.placements, outcome.networks, 1000)
    assert [view.label(variation) for variation in view.variations] == ["FP16", "FP32"]
