"""What a plan says of stages and of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from analysis.plan.plan import decided, propose, study, verdicts
from analysis.plan.study import Study
from analysis.plan.verdict import StageVerdict
from analysis.plan.words import on_network
from probes.records.measurement import Measurement
from probes.records.precision import ErrorRow
from tests.analysis.plan import rows
from tests.analysis.plan.rows import US

MS = 1e-3


def studied(
    times: Mapping[str, float],
    losses: Mapping[str, int],
    layers: Sequence[Measurement] = (),
    errors: Sequence[ErrorRow] = rows.ERRORS,
) -> Study:
    """The network planned, its recipes run with these times, and so many of 400 answers lost."""
    every = [*(layers or rows.layers()), *rows.CONVERSIONS]
    found = list(errors)
    for name, lost in losses.items():
        found += rows.both(name, lost, lost)
    every += [rows.timed(name, seconds) for name, seconds in times.items()]
    timings = rows.timings(every)
    plan = propose(rows.known(found), timings, 0.01)
    return study(rows.known(found, decided(plan, found, every)), timings)


RUN = {"fp32": 0.12 * MS, "int8": 0.06 * MS, "plan 1": 0.07 * MS}
LOST = {"int8": 40, "plan 1": 2}


def by_stage(known: Study) -> dict[str, StageVerdict]:
    return {verdict.stage: verdict for verdict in verdicts(known)}


def test_a_sentence_on_each_stage() -> None:
    sentences = {name: one.sentence for name, one in by_stage(studied(RUN, LOST)).items()}
    assert sentences["conv"] == "conv: 38 dB in INT8, gains 31.0 µs of 52.0 µs: INT8"
    assert sentences["depthwise"] == "depthwise: 4.1 dB in INT8, gains 0: stays FP32"
    assert sentences["pool"] == "pool: passes numbers on, INT8 like its neighbours"


def test_a_stage_says_what_it_is() -> None:
    about = {"window": [3, 3], "groups": 64, "in_channels": 64, "out_channels": 64}
    dense = {"window": [3, 3], "groups": 1, "in_channels": 3, "out_channels": 64}
    layers = [
        *rows.layers(),
        *[rows.layer("depthwise", name, 20 * US, params=about) for name in ("fp32", "int8")],
        rows.layer("conv", "fp32", 52 * US, params=dense),
    ]
    of_depthwise = [row for row in layers if row.layer != "depthwise" or row.facts.window]
    kept = [row for row in of_depthwise if row.layer != "conv" or row.facts.window]
    titles = {name: one.title for name, one in by_stage(studied({}, {}, kept)).items()}
    assert titles["depthwise"] == "depthwise depthwise 3×3"
    assert titles["conv"] == "conv 3×3, 3 to 64"


def test_facts_of_a_stage() -> None:
    conv = by_stage(studied(RUN, LOST))["conv"]
    assert conv.gain_seconds == conv.saved_seconds == pytest.approx(31 * US)
    assert conv.border_seconds == pytest.approx(2 * US)  # the Q of its input
    assert conv.seconds == pytest.approx({"fp32": 52 * US, "int8": 21 * US})
    assert (conv.sqnr_db, conv.own_sqnr_db) == (38.0, 40.0)
    assert conv.measured


def test_a_stage_without_a_kernel_says_so() -> None:
    skipped = rows.layer("fc", "int8", None, reason="Gemm: no int8 form of it")
    layers = [row for row in rows.layers() if (row.layer, row.facts.precision) != ("fc", "int8")]
    known = studied(RUN, LOST, [*layers, skipped])
    assert by_stage(known)["fc"].sentence == (
        "fc: 30 dB in INT8, gains 0 (no INT8 kernel): stays FP32"
    )
    assert (
        "1 of 3 stages has no INT8 kernel on cpu: fc (Gemm: no int8 form of it)."
    ) in on_network(known)


def test_a_stage_without_a_kernel_runs_in_floats_where_all_is_int8() -> None:
    skipped = rows.layer("fc", "int8", None, reason="Gemm: no int8 form of it")
    layers = [row for row in rows.layers() if (row.layer, row.facts.precision) != ("fc", "int8")]
    known = studied({"fp32": 0.12 * MS, "int8": 0.06 * MS}, {"int8": 0}, [*layers, skipped])
    assert known.plan.chosen == "int8"
    assert by_stage(known)["fc"].sentence == (
        "fc: 30 dB in INT8, gains 0 (no INT8 kernel): INT8, though it runs in floats"
    )


def test_a_precision_that_never_ran_is_no_narrower_form() -> None:
    timings = rows.timings(rows.layers())
    known = rows.known()
    known.stages[2] = replace(known.stages[2], precisions='["fp32", "fp16"]')
    known.plan = propose(known, timings, 0.01)
    sentence = by_stage(study(known, timings))["depthwise"].sentence
    assert sentence == "depthwise: has no narrower form, stays FP32"


def test_a_noisy_stage_that_gains_stays_for_its_noise() -> None:
    errors = [*rows.ERRORS[:2], rows.stage_error("fc", 2.0)]
    known = studied(
        {"fp32": 0.12 * MS, "plan 1": 0.08 * MS}, {"plan 1": 1, "int8": 9}, errors=errors
    )
    assert known.plan.chosen == "plan 1"
    assert "fc" not in known.best.recipe.precisions
    assert by_stage(known)["fc"].sentence == (
        "fc: 2.0 dB in INT8, gains 30.0 µs of 40.0 µs: stays FP32 for its noise"
    )


def test_a_gain_smaller_than_its_borders_is_said_to_be_that() -> None:
    times = {
        "conv": {"fp32": 10 * US, "int8": 9 * US},
        "pool": {"fp32": 5 * US, "int8": 5 * US},
        "depthwise": {"fp32": 20 * US, "int8": 20 * US},
        "fc": {"fp32": 40 * US, "int8": 10 * US},
    }
    known = studied({}, {}, rows.layers(times))
    known = replace(known, plan=replace(known.plan, chosen=""))
    assert by_stage(known)["conv"].sentence.startswith("conv: 38 dB in INT8, gains 1.00 µs of 10.0")


def test_the_network_in_sentences() -> None:
    known = studied(RUN, LOST)
    sentences = on_network(known)
    text = "\n".join(sentences)
    assert known.plan.chosen == "plan 1"
    assert "INT8 brings 2.00× over FP32 (1.96× to 2.04×)." in sentences
    assert "Chosen: plan 1, 1 of 3 stages in INT8 in 70.0 µs, 1.71× as fast as FP32." in sentences
    assert "On 400 test answers it loses 0.5 % of accuracy" in text
    assert "1.0 % was allowed, and 2 recipes were held against them." in text
    assert "Most sensitive in INT8, each alone: depthwise (4.1 dB)." in sentences
    assert "Stages and borders of plan 1 add up to" in text
    assert "QAT" not in text


def test_no_gain_beyond_the_intervals_is_said() -> None:
    sentences = on_network(studied({"fp32": 0.12 * MS, "int8": 0.119 * MS}, {"int8": 0}))
    assert any("INT8 is no faster than FP32 beyond the intervals (" in text for text in sentences)
    assert "Chosen: FP32. No other recipe is faster beyond the intervals." in sentences


def test_a_stage_that_gains_stays_where_the_whole_is_no_faster() -> None:
    known = studied({"fp32": 0.12 * MS, "int8": 0.119 * MS}, {"int8": 0})
    assert by_stage(known)["conv"].sentence == (
        "conv: 38 dB in INT8, gains 31.0 µs of 52.0 µs: stays FP32 as the whole does"
    )


def test_a_slower_int8_is_said_to_be_slower() -> None:
    sentences = on_network(studied({"fp32": 0.12 * MS, "int8": 0.24 * MS}, {"int8": 0}))
    assert any("INT8 is slower than FP32: 0.50× its speed (" in text for text in sentences)


def test_where_calibration_does_not_reach_the_loss_qat_is_next() -> None:
    known = studied({"fp32": 0.12 * MS, "int8": 0.06 * MS}, {"int8": 12})
    text = "\n".join(on_network(known))
    assert not known.reached
    assert "Every recipe that is faster beyond the intervals loses more than 1.0 %." in text
    assert "Calibration alone does not reach 1.0 % with integers (the least is 3.0 %, INT8)" in text
    assert "quantization-aware training (QAT)" in text


def test_saturating_kernels_are_named() -> None:
    saturated = {"saturated": {"values": 3, "of": 8, "error": 0.07}}
    layers = [row for row in rows.layers() if (row.layer, row.facts.precision) != ("fc", "int8")]
    layers.append(rows.layer("fc", "int8", 10 * US, params=saturated))
    text = "\n".join(on_network(studied(RUN, LOST, layers)))
    assert "INT8 kernels saturate here in fc, by up to 7.0 % of the largest value" in text


def test_before_the_run_the_fastest_prediction_is_told() -> None:
    timings = rows.timings([*rows.layers(), *rows.CONVERSIONS])
    plan = propose(rows.known(), timings, 0.01)
    known = study(rows.known(plan=plan), timings)
    assert known.chosen is None
    assert any("recipes to run; by the times of stages" in line for line in on_network(known))


def test_sentences_are_short() -> None:
    for sentence in on_network(studied(RUN, LOST)):
        assert len(sentence) <= 170, sentence
