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
    """The same layer, which did not run."""
    return dataclasses.replace(row, status="skipped", seconds_median=None, reason="no kernel of it")


def squeezenet_without(op: str) -> list[Measurement]:
    """The layers of SqueezeNet in FP16, of which those of one operation did not run."""
    rows = network("squeezenet", whole=None)
    return [skipped(row) if row.kernel == op else row for row in rows]


def outcome(missing: str = "Conv") -> Outcome:
    """SqueezeNet in FP32, and in FP16 without its layers of one operation."""
    return model(run_of(*network("squeezenet", "fp32"), *squeezenet_without(missing)))


def words(picture: Any) -> str:
    """All texts of a picture and the labels of its ticks."""
    ticks = [text for ax in picture.axes for text in ax.get_yticklabels()]
    return "\n".join(text.get_text() for text in [*picture.texts, *ticks])


def test_the_share_of_what_is_missing_is_that_of_a_run_with_all_layers() -> None:
    complete, incomplete = outcome().networks
    convolutions = [p for p in complete.layers if p.op == "Conv"]
    assert incomplete.missing == tuple(p.layer for p in convolutions)
    assert incomplete.lost == ("fp32", pytest.approx(sum(p.time_share for p in convolutions)))
    assert (complete.missing, complete.lost, left_out(complete)) == ((), None, [])


def test_the_share_is_unknown_where_no_run_has_all_layers() -> None:
    (net,) = model(run_of(*squeezenet_without("Conv"))).networks
    assert net.lost is None
    assert left_out(net)[0].endswith("layers, which did not run so.")


def test_both_pictures_say_how_many_layers_are_missing() -> None:
    result = outcome()
    net = result.networks[1]
    of_network = words(layer_plot.figure(net, result.model, GPU, INCHES))
    of_precisions = words(precisions.figure("squeezenet", result.networks, "Device", INCHES[0]))
    (note,) = left_out(net)
    total = len(net.layers) + net.skipped
    assert note.startswith(
        f"FP16 on cuda lacks {net.skipped} of {total} layers, which did not run so: they take "
    )
    assert how_many(net) == f"{len(net.layers)} of {total} layers"
    for text in (of_network, of_precisions):
        assert note in text
        assert how_many(net) in text
        assert "for all layers" not in text


def test_layers_without_a_roof_are_named_as_counted_whole() -> None:
    layers = network("squeezenet", "fp32", whole=None)
    rows = [dataclasses.replace(row, dtype="fp64") for row in layers]  # no roof is of FP64
    (net,) = model(run_of(*rows)).networks
    assert "of layers without a roof, counted whole." in " ".join(left_out(net))


def test_a_complete_network_is_drawn_without_a_note() -> None:
    result = outcome(missing="none such")
    of_precisions = precisions.figure("squeezenet", result.networks, "Device", INCHES[0])
    assert not [text for text in of_precisions.texts if text.get_gid() == "note"]
    of_network = layer_plot.figure(result.networks[1], result.model, GPU, INCHES)
    assert "for all layers" in words(of_network)
