"""A network of which layers did not run is never shown as if it were complete."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from analysis.analyse import INCHES, Outcome, model
from analysis.draw.layers import network as layer_plot
from analysis.draw.layers import precisions
from analysis.layers.missing import how_many, left_out
from probes.records.measurement import Measurement
from tests.analysis.layer_rows import GPU, network, run_of


def skipped(row: Measurement) -> Measurement:
    return dataclasses.replace(row, status="skipped", seconds_median=None, reason="no kernel of it")


def outcome(lost: str = "Conv") -> Outcome:
    """SqueezeNet in FP32, and in FP16 without its layers of this kind."""
    half = [
        skipped(row) if row.kernel == lost else row for row in network("squeezenet", whole=None)
    ]
    return model(run_of(*network("squeezenet", "fp32"), *half))


def words(picture: Any) -> str:
    ticks = [text for ax in picture.axes for text in ax.get_yticklabels()]
    return "\n".join(text.get_text() for text in [*picture.texts, *ticks])


def test_the_share_of_what_is_missing_is_that_of_a_run_with_all_layers() -> None:
    whole, half = outcome().networks
    convolutions = [p for p in whole.layers if p.op == "Conv"]
    assert half.missing == tuple(p.layer for p in convolutions)
    assert half.lost == ("fp32", pytest.approx(sum(p.time_share for p in convolutions)))
    assert (whole.missing, whole.lost, left_out(whole)) == ((), None, [])


def test_the_share_is_unknown_where_no_run_has_all_layers() -> None:
    half = [
        skipped(row) if row.kernel == "Conv" else row for row in network("squeezenet", whole=None)
    ]
    (net,) = model(run_of(*half)).networks
    assert net.lost is None
    assert left_out(net)[0].endswith("layers, which did not run so.")


def test_both_pictures_say_how_many_layers_are_missing() -> None:
    result = outcome()
    half = result.networks[1]
    of_network = words(layer_plot.figure(half, result.model, GPU, INCHES))
    of_precisions = words(precisions.figure("squeezenet", result.networks, "Device", INCHES[0]))
    (note,) = left_out(half)
    total = len(half.layers) + half.skipped
    assert note.startswith(
        f"FP16 on cuda lacks {half.skipped} of {total} layers, which did not run so: they take "
    )
    for text in (of_network, of_precisions):
        assert how_many(half) == f"{len(half.layers)} of {total} layers"
        assert note in text
        assert how_many(half) in text
        assert "for all layers" not in text


def test_layers_without_a_roof_are_not_called_light_in_silence() -> None:
    rows = [
        dataclasses.replace(row, dtype="fp64") for row in network("squeezenet", "fp32", whole=None)
    ]
    (net,) = model(run_of(*rows)).networks
    assert "of layers without a roof, counted whole." in " ".join(left_out(net))


def test_a_complete_network_is_drawn_as_before() -> None:
    result = outcome(lost="none such")
    picture = precisions.figure("squeezenet", result.networks, "Device", INCHES[0])
    assert not [text for text in picture.texts if text.get_gid() == "note"]
    assert "for all layers" in words(
        layer_plot.figure(result.networks[1], result.model, GPU, INCHES)
    )
