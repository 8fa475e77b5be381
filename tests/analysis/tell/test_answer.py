"""The answer: each sentence follows from facts that can be worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.analyse import model
from analysis.layers.findings import by_bound, comparisons, fastest_first
from analysis.layers.place import WHOLE
from analysis.model.headlines import (
    best_by_format,
    formats_without_rate,
    headlines,
    levels_of_memory,
)
from analysis.tell.answer import Answer, answer
from probes.records.measurement import Measurement
from probes.records.run import COMPLETE, Run
from tests.analysis.layer_rows import GPU, ROOFS, network, run_of
from tests.devices import CPU, measurement


def answered(*rows: Measurement, device: Any = GPU, status: str = COMPLETE) -> Answer:
    """What a run of these rows says."""
    run = Run(device, "2030-01-02T03:04:05Z", {}, {}, status=status, measurements=list(rows))
    return answer(model(run))


def layer(name: str, family: str, dtype: str, seconds: float, op: str = "Conv") -> Measurement:
    """A layer of the network ``net`` that moves a gigabyte and computes 1 GFLOP."""
    params = {
        "network": "net",
        "layer": name,
        "op": op,
        "family": family,
        "provider": "cuda",
        "precision": dtype,
    }
    return measurement(
        f"layer/{family}",
        flops=1e9,
        bytes=1e9,
        seconds_median=seconds,
        dtype=dtype,
        params=json.dumps(params),
    )


def whole(dtype: str, seconds: float) -> Measurement:
    """The network ``net`` in one go."""
    params = {"network": "net", "provider": "cuda", "precision": dtype}
    return measurement(
        WHOLE,
        flops=None,
        bytes=None,
        seconds_median=seconds,
        dtype=dtype,
        params=json.dumps(params),
    )


def slow_in_fp16() -> list[Measurement]:
    """A network whose normalisation takes longer in FP16 than in TF32."""
    return [
        layer("c", "convolution", "tf32", 0.8e-3),
        layer("n", "normalisation", "tf32", 0.2e-3, op="BatchNormalization"),
        whole("tf32", 1.0e-3),
        layer("c", "convolution", "fp16", 0.4e-3),
        layer("n", "normalisation", "fp16", 0.5e-3, op="BatchNormalization"),
        whole("fp16", 0.9e-3),
    ]


def test_memory_arithmetic_and_what_they_mean_are_told() -> None:
    told = answered(*ROOFS).device
    assert told[0] == "Memory: DRAM 4.70 TB/s (78 %), L2 9.00 TB/s, L1 32.0 TB/s (62 %)."
    assert told[1].startswith("Arithmetic: INT8 1.80 POP/s, FP16 900 TFLOP/s, TF32 470 TFLOP/s")
    assert told[2] == (
        "Code that does less than 191 FP16, 383 INT8, 12.8 FP32 or 100 TF32 operations per byte "
        "waits for DRAM."
    )


def test_power_is_the_limit_only_where_zeros_let_the_clock_rise() -> None:
    slow = measurement("compute/fp16/wgmma-fp32", 9e14, clock_hz=1.5e9)
    for zeros_clock, cause in ((1.8e9, "power"), (1.5e9, "the clock")):
        zeros = measurement("compute/fp16/wgmma-fp32/zeros", 9e14, clock_hz=zeros_clock)
        told = answered(slow, zeros, measurement("bandwidth/dram/copy", 4.7e12)).device
        (limit,) = [text for text in told if text.startswith("Limited by")]
        assert limit.startswith(f"Limited by {cause}: FP16 ran at 1.50 GHz, rated 2.00 GHz")
        assert ("20 % higher" in limit) == (cause == "power")


def test_at_the_rated_clock_and_near_theory_nothing_limits() -> None:
    peak = 2 * 128 * GPU.units * (GPU.clock_hz or 0.0)
    line = "Nothing held arithmetic back: it ran at the rated 2.00 GHz."
    for share, is_told in ((0.98, True), (0.5, False)):
        row = measurement("compute/fp32", share * peak, clock_hz=GPU.clock_hz)
        assert (line in answered(row).device) == is_told


def test_random_reads_tell_from_where_nothing_is_lost() -> None:
    rates = {4: 1e11, 64: 1.5e12, 128: 2.9e12, 256: 3e12}
    rows = [
        measurement("sweep/bandwidth/gather/read", rate, x=float(size))
        for size, rate in rates.items()
    ]
    line = "Random reads: below 128 B together you lose bandwidth (4 B: 3 % is left)."
    assert line in answered(*ROOFS, *rows).device


def test_what_was_not_measured_failed_or_is_partial_is_told() -> None:
    rows = [
        *ROOFS,
        measurement("compute/bf16", status="skipped", reason="this core has none"),
        measurement("compute/fp64", status="failed", reason="wrong"),
    ]
    told = answered(*rows, status="partial").device
    assert "Not measured: BF16 (this core has none)." in told
    assert "Failed: compute/fp64." in told
    assert told[-1].startswith("The run is partial")


def test_a_roof_that_cannot_be_trusted_gets_no_verdict() -> None:
    doubted = measurement("compute/fp64", 3e13, trusted=False, doubt="a neighbour was there")
    told = answered(*ROOFS, doubted).device
    assert any(text.startswith("No verdict on FP64: its roof cannot be trusted.") for text in told)


def test_a_network_is_told_before_the_device_with_the_fastest_precision_first() -> None:
    told = answered(*ROOFS, *slow_in_fp16())
    assert told.networks[0] == (
        "net on cuda: 900 µs in FP16; the least time its layers need on the measured roofs is "
        "426 µs, 47.3 % of that. TF32 1.00 ms."
    )


def test_why_fewer_bits_win_little_is_told_in_words() -> None:
    told = answered(*ROOFS, *slow_in_fp16()).networks
    line = (
        "FP16 wins only 11 % over TF32: layer by layer, normalisation takes 500 µs in FP16, "
        "200 µs in TF32."
    )
    assert line in told


def test_a_precision_that_wins_as_expected_needs_no_reason() -> None:
    rows = [
        layer("c", "convolution", "tf32", 0.8e-3),
        whole("tf32", 0.8e-3),
        layer("c", "convolution", "fp16", 0.4e-3),
        whole("fp16", 0.4e-3),
    ]
    assert not any("wins only" in text for text in answered(*ROOFS, *rows).networks)


def test_a_precision_that_is_slower_is_said_to_be() -> None:
    rows = [
        layer("c", "convolution", "fp16", 1e-3),
        whole("fp16", 1e-3),
        layer("c", "convolution", "int8", 2e-3),
        whole("int8", 2e-3),
    ]
    line = (
        "INT8 is 100 % slower than FP16: layer by layer, convolution takes 2.00 ms in INT8, "
        "1.00 ms in FP16."
    )
    assert line in answered(*ROOFS, *rows).networks


def test_where_the_time_goes_names_the_first_thing_to_do() -> None:
    rows = [layer("c", "convolution", "fp16", 4e-3), layer("d", "convolution", "fp16", 0.25e-3)]
    told = answered(*ROOFS, *rows, whole("fp16", 4.25e-3)).networks
    assert told[1] == (
        "Layer by layer, its time in FP16 goes 94 % in layers that neither memory nor arithmetic "
        "explains: raise the batch first, or try another runtime."
    )


def fused(dtype: str, batchnorm: float, seconds: float) -> list[Measurement]:
    """A network whose whole fuses its normalisation into the convolution before it."""
    params = {"network": "net", "provider": "cuda", "precision": dtype, "ran": {"FusedConv": 1}}
    return [
        layer("c", "convolution", dtype, 0.4e-3),
        layer("n", "normalisation", dtype, batchnorm, op="BatchNormalization"),
        replace(whole(dtype, seconds), params=json.dumps(params)),
    ]


def test_what_is_fused_away_is_said_and_gains_nothing() -> None:
    rows = [*ROOFS, *fused("tf32", 0.2e-3, 1.0e-3), *fused("fp16", 0.5e-3, 0.9e-3)]
    told = answered(*rows).networks
    assert any("(in one go 1 of these 1 layers are fused away)" in text for text in told)
    (gains,) = [text for text in told if text.startswith("Most to gain")]
    assert "BatchNorm" not in gains


def test_a_time_that_cannot_be_trusted_is_marked_and_compared_with_none() -> None:
    rows = slow_in_fp16()
    rows[-1] = replace(rows[-1], trusted=False, doubt="a neighbour was there")
    told = answered(*ROOFS, *rows).networks
    assert "900 µs (not trusted) in FP16" in told[0]
    assert not any("wins only" in text for text in told)


def test_a_sum_of_layers_is_not_compared_with_a_whole() -> None:
    told = answered(*ROOFS, *slow_in_fp16()[:-1]).networks
    assert any("as the sum of its layers" in text for text in told)
    assert not any("FP16 wins" in text or "slower" in text for text in told)


def test_caches_that_show_no_plateau_are_named() -> None:
    points = [
        measurement("sweep/bandwidth/working-set/read", 1e11, x=float(1 << n)) for n in (12, 13)
    ]
    cache = {"level": 1, "type": "Data", "size_bytes": 1 << 15, "shared_by": "0"}
    device = replace(CPU, facts={**CPU.facts, "caches": [cache]})
    told = answered(*points, measurement("compute/fp64", 1e11), device=device).device
    assert any(text.startswith("No plateau of L1") for text in told)


def test_layers_without_a_roof_are_said_to_count_whole_in_the_least_time() -> None:
    unknown = replace(layer("u", "other", "fp16", 0.1e-3, op="Mystery"), flops=None)
    told = answered(*ROOFS, *slow_in_fp16(), unknown).networks
    assert "(100 µs of it counted whole, of layers without a roof)" in told[0]


def test_a_name_without_end_is_cut() -> None:
    rows = [*ROOFS]
    for row in slow_in_fp16():
        params = {**json.loads(row.params), "network": "W" * 3000}
        rows.append(replace(row, params=json.dumps(params)))
    assert max(map(len, answered(*rows).networks)) < 400


def test_shares_by_bound_add_up() -> None:
    outcome = model(run_of(*network("squeezenet")))
    shares = by_bound(outcome.networks[0].layers)
    assert sum(share for _, share in shares) == pytest.approx(1.0)
    assert shares == sorted(shares, key=lambda share: -share[1])


def test_only_whole_networks_of_one_provider_are_compared() -> None:
    nets = model(run_of(*slow_in_fp16())).networks
    (pair,) = comparisons(nets)
    assert (pair.fewer_bits.precision, pair.more_bits.precision) == ("fp16", "tf32")
    assert pair.speedup == pytest.approx(1.0e-3 / 0.9e-3)
    fp16 = next(net for net in nets if net.precision == "fp16")
    others = [net for net in nets if net is not fp16]
    assert comparisons([replace(fp16, missing=("x",)), *others]) == []
    assert comparisons([replace(fp16, provider="cpu"), *others]) == []
    assert fp16.whole is not None
    doubted = replace(fp16.whole, trusted=False, doubt="a neighbour")
    assert comparisons([replace(fp16, whole=doubted), *others]) == []
    assert fastest_first([replace(fp16, missing=("x",)), *others])[0].precision == "tf32"


@pytest.mark.parametrize(
    ("device", "rows", "command"),
    [
        (CPU, ROOFS, ".venv/bin/python run_all.py --device cpu --model YOUR.onnx"),
        (GPU, ROOFS, ".venv/bin/python run_all.py --device 0 --model YOUR.onnx"),
        (
            GPU,
            [*ROOFS, *slow_in_fp16()[:3]],
            ".venv/bin/python run_all.py --device 0 --model YOUR.onnx --precision fp32,fp16,int8",
        ),
        (
            GPU,
            [*ROOFS, *slow_in_fp16()],
            ".venv/bin/python run_all.py --device 0 --model YOUR.onnx --batch 8",
        ),
        (
            GPU,
            [measurement("compute/fp64", 3e13, trusted=False, doubt="a neighbour")],
            ".venv/bin/python run_all.py --device 0",
        ),
    ],
)
def test_the_next_command_is_one_that_tells_more(
    device: Any, rows: list[Measurement], command: str
) -> None:
    assert answered(*rows, device=device).next == command


def test_the_short_table_has_a_row_for_each_level_and_format() -> None:
    many = [measurement(f"compute/fp32/path{n}", 1e13 + n) for n in range(20)]
    sparse = measurement("compute/fp16/wgmma_sp-fp32", 1.7e15)
    library = measurement("compute/fp64/gemm", 9e13)
    zeros = measurement("compute/int8/wgmma-int32/zeros", 2e15)
    tops = model(run_of(*many, sparse, library, zeros)).ceilings
    assert [row.tag for row in levels_of_memory(tops)] == [
        "bandwidth/dram",
        "bandwidth/l2",
        "bandwidth/l1",
    ]
    assert [row.tag for row in best_by_format(tops)] == [
        "compute/int8/wgmma-int32",
        "compute/fp16/wgmma-fp32",
        "compute/tf32/wgmma-fp32",
        "compute/fp32",
    ]
    assert [row.tag for row in headlines(tops)][-1] == "overhead/launch"
    assert formats_without_rate(tops) == []


def test_a_run_of_few_ceilings_shows_them_all() -> None:
    rows = [measurement(f"latency/l{n}", flops=None, bytes=None) for n in (1, 2)]
    run = Run(GPU, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)
    assert len(headlines(model(run).ceilings)) == 2
