"""What is said of a network: sums, shares and ranks that can be worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from analysis.draw.layers import network, precisions
from analysis.layers.groups import Network, layer_sweeps, networks, slug, unplaced
from analysis.layers.place import WHOLE, placements, speed_of_light
from analysis.layers.placement import Placement
from analysis.layers.words import (
    compared,
    correlation,
    headline,
    kinds,
    prediction,
    saturated,
    unknown,
)
from analysis.model.ceilings import ceilings
from probes.records.measurement import Measurement
from tests.analysis.layer_rows import GPU, ROOFS, conv, conv_sweep, row
from tests.devices import measurement

REASON = "cpu provider: Node (if2) does not fit"
"""Why a network could not be timed, in a runtime's words."""
MILLISECOND_OF_DRAM = 4.7e9
"""Bytes that the DRAM of these roofs moves in a millisecond."""


def layer(
    name: str, flops: float | None, seconds: float, family: str = "convolution", **changed: Any
) -> Measurement:
    """A row of a layer of the network ``net``; ``changed``: its dtype and its other params."""
    dtype = changed.pop("dtype", "fp16")
    params = {
        "network": "net",
        "layer": name,
        "op": "Conv",
        "family": family,
        "provider": "cuda",
        "warm": False,
        "precision": dtype,
        **changed,
    }
    return measurement(
        f"layer/{family}",
        flops=flops,
        bytes=MILLISECOND_OF_DRAM,
        seconds_median=seconds,
        dtype=dtype,
        params=json.dumps(params),
    )


def whole(seconds: float, precision: str = "fp16", **changed: Any) -> Measurement:
    """The row of the whole network ``net``; ``changed``: its other params."""
    params = {"network": "net", "precision": precision, "provider": "cuda", **changed}
    return measurement(
        WHOLE,
        flops=None,
        bytes=None,
        seconds_median=seconds,
        dtype=precision,
        params=json.dumps(params),
    )


def place(*rows: Measurement) -> list[Placement]:
    """The layers of these rows on the roofs of the tests."""
    return placements(rows, ceilings(ROOFS, GPU), GPU)


def networks_of(*rows: Measurement) -> list[Network]:
    """The networks that these rows are of."""
    return networks(place(*rows), rows)


# The least time that each needs is a millisecond of DRAM.
LAYERS = [
    layer("a", 1e9, 2e-3),
    layer("b", 3e9, 4e-3),
    layer("c", 0.0, 2e-3, "movement"),
]


def test_the_whole_stands_beside_the_sum_and_is_never_in_it() -> None:
    (net,) = networks_of(*LAYERS, whole(6e-3, launches=2, explained={"fused nodes": 1}))
    assert (net.light.layers, net.light.seconds, net.seconds) == (3, pytest.approx(8e-3), 6e-3)
    assert net.share == pytest.approx(0.5)
    assert {p.op for p in net.layers} == {"Conv"}
    assert headline(net) == (
        "net, FP16 on cuda: 6.00 ms in one go; "
        "its 3 layers timed alone take 8.00 ms, 33 % more (2 launches; fused nodes: 1). "
        "Its speed of light, the least time its layers need on the measured roofs, is 3.00 ms: "
        "50.0 % of the time measured."
    )


def test_operations_fused_away_are_named_with_the_time_that_they_take_alone() -> None:
    relu = [layer(name, 1e6, 1e-3, "activation", op="Relu") for name in ("d", "e", "f")]
    rows = [*LAYERS, *relu, whole(8e-3, ran={"QLinearConv": 3, "Relu": 1, "Transpose": 9})]
    (net,) = networks_of(*rows)
    assert "(fused away: 2 Relu, 2.00 ms of the sum)" in headline(net)
    (net,) = networks_of(*LAYERS, *relu, whole(8e-3, ran={"FusedConv": 3, "Relu": 3}))
    assert "fused away" not in headline(net)


def test_a_precision_that_no_tool_tells_is_called_assumed() -> None:
    (net,) = networks_of(*LAYERS)
    assert headline(net).startswith("net, FP16 on cuda: ")
    silent = []
    for one in LAYERS:
        params = json.loads(one.params) | {"typed": False}
        silent.append(replace(one, params=json.dumps(params)))
    (net,) = networks_of(*silent)
    assert headline(net).startswith("net, FP16 (assumed: no type is given) on cuda: ")
    (net,) = networks_of(*silent[:-1], LAYERS[-1])
    assert headline(net).startswith("net, FP16 on cuda: "), "one that is known tells"


def test_a_network_of_which_no_layer_runs_alone_still_has_its_sentence() -> None:
    loop = layer("l", None, 1e-3, "unknown", op="Loop")
    skipped_loop = replace(loop, status="skipped", reason="it runs a network of its own")
    rows = [skipped_loop, whole(6e-3)]
    assert unplaced(networks_of(*rows), rows) == [
        "the network net, FP16 on cuda: 6.00 ms in one go; "
        "none of its layers could be timed alone: l"
    ]
    assert not unplaced(networks_of(*LAYERS, *rows), [*LAYERS, *rows])
    (net,) = networks_of(*LAYERS, *rows)
    assert "(1 more without a time: l)" in headline(net)


def test_a_network_that_cannot_be_timed_as_a_whole_says_why_and_has_no_speed_of_light() -> None:
    refused = replace(whole(1.0), status="skipped", reason=REASON, seconds_median=None)
    (net,) = networks_of(*LAYERS, refused)
    sentences = headline(net)
    assert f"the whole was not timed in one go: {REASON}. So it has no speed of light." in sentences
    assert "%" not in sentences
    assert network.subtitle(net).endswith("the whole could not be timed")
    assert precisions.run_in_words(net).endswith("the whole could not be timed")


def test_a_network_of_which_layers_are_missing_has_no_speed_of_light() -> None:
    branch = layer("if", None, 1e-3, "unknown", op="If")
    skipped_branch = replace(branch, status="skipped", reason="of its own")
    (net,) = networks_of(*LAYERS, skipped_branch, whole(6e-3))
    sentences = headline(net)
    assert (
        "Those that ran need at least 3.00 ms on the measured roofs: 50.0 % of the time measured; "
        in sentences
    )
    assert sentences.endswith(
        "what the others need is not known, and so the network has no speed of light."
    )


def test_a_network_of_which_nothing_runs_says_why() -> None:
    rows = [
        replace(row, status="skipped", reason=REASON, seconds_median=None)
        for row in (*LAYERS, whole(1.0))
    ]
    assert unplaced(networks_of(*rows), rows) == [
        "the network net, FP16 on cuda: "
        f"neither the whole nor any of its layers could be timed: {REASON}"
    ]


def test_a_network_without_roofs_has_no_speed_of_light() -> None:
    rows = [layer("a", None, 2e-3, "unknown", op="Mystery"), whole(1e-3)]
    (net,) = networks_of(*rows)
    assert headline(net).endswith("so its speed of light is not known.")


def test_an_operation_within_the_name_of_another_is_not_that_one() -> None:
    ops = ("Relu", "Mul", "LeakyRelu", "Gemm")
    layers = [layer(op, 1e6, 1e-3, "activation", op=op) for op in ops]
    ran = {"FusedConv": 3, "LeakyRelu": 1, "DynamicQuantizeMatMul": 1, "QGemm": 1}
    (net,) = networks_of(*LAYERS, *layers, whole(8e-3, ran=ran))
    assert "(fused away: 1 Relu, 1 Mul, 2.00 ms of the sum)" in headline(net)


def test_an_operation_that_was_taken_apart_is_not_fused_away() -> None:
    norm = layer("n", 1e6, 1e-3, "normalisation", op="GroupNormalization")
    ran = {"Conv": 3, "Sub": 1, "ReduceMean": 2, "Sqrt": 1, "Div": 1, "Reshape": 4}
    (net,) = networks_of(*LAYERS, norm, whole(8e-3, ran=ran))
    assert "fused away" not in headline(net)


@pytest.mark.parametrize(
    ("row_of_whole", "says"),
    [
        (whole(8.05e-3), "take 8.00 ms, as much."),
        (
            whole(1e-2),
            (
                "20 % less (alone, a layer finds its data in the caches, where its last run "
                "left them)."
            ),
        ),
        (whole(2e-3), "150.0 % of the time measured: as a whole it moves less"),
        (
            whole(6e-3, precision="fp32"),
            "8.00 ms for its 3 layers; the whole was not timed in one go.",
        ),
    ],
)
def test_the_headline_compares_the_whole_with_the_sum_of_its_layers(
    row_of_whole: Measurement, says: str
) -> None:
    assert says in headline(networks_of(*LAYERS, row_of_whole)[0])


def test_the_headline_names_the_time_of_layers_that_could_not_be_placed() -> None:
    (net,) = networks_of(*LAYERS, layer("d", None, 1e-3))
    assert "is 4.00 ms, 1.00 ms of it layers that could not be placed: 44.4 %" in headline(net)


def test_families_stand_with_their_share_of_flops_and_of_time() -> None:
    first, second = kinds(place(*LAYERS))
    assert first.family == "convolution"
    assert first.layers == 2
    assert first.flops_share == 1.0
    assert first.time_share == 0.75
    assert (second.family, second.flops_share, second.time_share) == ("movement", 0.0, 0.25)


@pytest.mark.parametrize(
    ("flops", "seconds", "rank"),
    [
        ((1e6, 2e6, 3e6), (1.0, 2.0, 9.0), 1.0),
        ((1e6, 2e6, 3e6), (9.0, 2.0, 1.0), -1.0),
        ((1e6, 2e6, 3e6, 4e6), (2.0, 1.0, 4.0, 3.0), 0.6),  # 1 - 6·4 / (4·15)
        ((1e6, 1e6, 2e6), (1.0, 2.0, 3.0), 0.75**0.5),  # a tie holds ranks 1.5 and 1.5
        ((1e6, 1e6), (1.0, 2.0), None),
        ((None, 1e6), (1.0, 2.0), None),
    ],
)
def test_the_rank_correlation_is_spearmans(
    flops: tuple[float | None, ...], seconds: tuple[float, ...], rank: float | None
) -> None:
    work_and_time = zip(flops, seconds, strict=True)
    rows = [layer(str(i), work, time) for i, (work, time) in enumerate(work_and_time)]
    assert correlation(place(*rows)) == (rank if rank is None else pytest.approx(rank))


def test_the_share_of_time_that_flops_leave_out_is_said() -> None:
    sentences = prediction(place(*LAYERS))
    assert sentences.startswith("Rank correlation of FLOPs and time over its layers: 0.87;")
    assert "Layers without any FLOPs (1) take 25.0 % of the time." in sentences


def test_unknown_operations_are_listed_by_name_with_their_share_of_time() -> None:
    rows = [*LAYERS, layer("d", None, 1e-3, op="Mystery"), layer("e", None, 1e-3, op="Mystery")]
    ((op, number, share, reason),) = unknown(place(*rows))
    assert (op, number, share) == ("Mystery", 2, pytest.approx(0.2))
    assert "FLOPs unknown" in reason


def test_precisions_are_compared_within_a_network_and_within_a_sweep() -> None:
    about: dict[str, Any] = {"layer": "same", "series": "dense"}
    rows = [
        row(conv(1, 64), dtype, sweep=sweep, **about)
        for sweep in ("one", "two")
        for dtype in ("fp32", "fp16")
    ]
    by_set = compared(place(*LAYERS, layer("a", 1e9, 3e-3, dtype="fp32"), *rows))
    dtypes = {
        name: [(layer_name, set(by_dtype)) for layer_name, by_dtype in layers]
        for name, layers in by_set.items()
    }
    assert dtypes == {
        "net": [("a", {"fp16", "fp32"})],
        "one": [("same", {"fp32", "fp16"})],
        "two": [("same", {"fp32", "fp16"})],
    }


def test_a_layer_left_in_floats_stands_under_the_precision_of_its_run() -> None:
    single = layer("a", 1e9, 3e-3, dtype="fp32")
    of_int8_run = [
        layer("a", 1e9, 2e-3, dtype="fp32", precision="int8"),
        layer("b", 1e9, 1e-3, dtype="int8", precision="int8"),
    ]
    (layers,) = compared(place(single, *of_int8_run)).values()
    ((name, by_precision),) = layers
    seconds = {precision: placement.seconds for precision, placement in by_precision.items()}
    assert (name, seconds) == ("a", {"fp32": 3e-3, "int8": 2e-3})


def test_a_sweep_has_a_curve_for_each_series_and_precision_in_the_order_of_x() -> None:
    placed = place(*conv_sweep(("fp32", "fp16")))
    (sweep,) = layer_sweeps(placed)
    assert sweep.name == "conv-kernel"
    assert sweep.over == "kernel size"
    assert sweep.file == "layers-conv-kernel"
    curves = {(curve.series, curve.dtype) for curve in sweep.curves}
    assert curves == set(product(("dense", "depthwise"), sweep.dtypes))
    for curve in sweep.curves:
        assert [x for x, _ in curve.points] == [1, 3, 5, 7, 9, 11]
    assert networks(placed, []) == []  # a sweep is no network
    dense = next(c for c in sweep.curves if c.series == "dense")
    depthwise = next(c for c in sweep.curves if c.series == "depthwise" and c.dtype == dense.dtype)
    dense_intensities = [p.intensity or 0.0 for _, p in dense.points]
    intensities = [p.intensity or 0.0 for _, p in depthwise.points]
    assert dense_intensities == sorted(dense_intensities)
    assert all(low < high for low, high in zip(intensities, dense_intensities, strict=True))


def test_sweeps_add_up_by_their_own_name() -> None:
    placed = place(*conv_sweep(("fp16",)))
    assert [light.network for light in speed_of_light(placed)] == ["conv-kernel"]
    assert sum(p.time_share for p in placed) == pytest.approx(1.0)


def test_two_providers_are_two_curves_and_two_pictures() -> None:
    rows = conv_sweep(("fp16",))
    of_cublas = []
    for sweep_row in rows:
        params = json.loads(sweep_row.params) | {"provider": "cublas"}
        of_cublas.append(replace(sweep_row, params=json.dumps(params)))
    (sweep,) = layer_sweeps(place(*rows, *of_cublas))
    assert sweep.series == ["dense, cuda", "depthwise, cuda", "dense, cublas", "depthwise, cublas"]
    of_tensorrt = [layer(name, 1e9, 1e-3, provider="trt") for name in "ab"]
    nets = networks_of(*LAYERS, *of_tensorrt, whole(5e-3))
    assert [net.file for net in nets] == ["network-net-fp16-cuda", "network-net-fp16-trt"]
    assert [net.whole is not None for net in nets] == [True, False]


@pytest.mark.parametrize(
    ("name", "part"),
    [("../A b/c.onnx", "a-b-c.onnx"), ("—", "unnamed"), ("fp16+fp32", "fp16-fp32")],
)
def test_names_of_networks_become_safe_parts_of_file_names(name: str, part: str) -> None:
    assert slug(name) == part


def test_how_wrong_saturated_layers_are_is_said_once() -> None:
    saturation = {"values": 3, "of": 8, "error": 0.075}
    rows = [
        layer("a", 1e9, 2e-3, saturated=saturation),
        layer("b", 1e9, 2e-3, saturated={**saturation, "error": 0.01}),
    ]
    assert saturated(place(*LAYERS)) == []
    (sentence,) = saturated(place(*rows, *LAYERS))
    assert "wrong in 2 layers, by up to 7.5 % of its largest value" in sentence
