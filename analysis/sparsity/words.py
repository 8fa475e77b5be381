"""What zeros in weights are worth, in sentences: one a layer, and a few on the network."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.naming import few
from analysis.plan.front import Loss, Point
from analysis.sparsity.roofs import Roofs
from analysis.sparsity.storage import STORAGES
from analysis.sparsity.study import SparsityStudy
from analysis.sparsity.trials import TrialOutcome
from analysis.sparsity.verdict import (
    LAUNCH,
    LITTLE,
    MEMORY,
    NO_PATTERN,
    NO_UNIT,
    NOT_TAKEN,
    PAYS,
    UNKNOWN,
    SparseVerdict,
)
from analysis.sparsity.wants import ONE_OF_TWO
from analysis.units import percent, short, si, whole_percent
from probes.records.given import shortened
from probes.records.patterns import TWO_OF_FOUR
from probes.records.precision import ACCURACY, DEVIATION, TOP1

LONGEST_NAME = 30
"""Letters of the name of a layer."""
FREELY, IN_BLOCKS = "unstructured 50 %", "4x4 50 %"
"""Trials that are held against each other: the same zeros, free and in blocks."""
MANY_ZEROS = "unstructured 90 %"
"""The trial whose time says whether dense kernels skip zeros."""
LOSSES = {
    ACCURACY: "it loses {} of accuracy",
    TOP1: "{} of answers differ from those of FP32",
    DEVIATION: "it is {} off (RMS)",
}
"""How a loss is told."""
COUNTED = {
    NOT_TAKEN: "sparse kernels would not take",
    LITTLE: "gain less than 5 %",
    MEMORY: "are bound by memory",
    LAUNCH: "by the launch",
    NO_PATTERN: "have no neighbours to span",
    UNKNOWN: "have no roof or no time",
}
"""Why layers gain nothing, after their number."""


def on_layer(verdict: SparseVerdict) -> str:
    """``conv_23: 2:4 keeps 74 % of L1 (9.2 dB); bound by memory: 12 FLOP/B, below the ridge``."""
    facts = [_kept(verdict), why_in_words(verdict), product_in_words(verdict)]
    return f"{title(verdict)}: {'; '.join(fact for fact in facts if fact)}"


def title(verdict: SparseVerdict) -> str:
    """The name of a layer, cut if long."""
    return shortened(verdict.row.layer, LONGEST_NAME)


def _kept(verdict: SparseVerdict) -> str:
    """``2:4 keeps 74 % of L1 (9.2 dB)``."""
    row = verdict.row
    if row.l1_kept is None or verdict.why == NO_PATTERN:
        return ""
    error = "" if row.own_sqnr_db is None else f" ({row.own_sqnr_db:.1f} dB)"
    return f"2:4 keeps {whole_percent(row.l1_kept)} of L1{error}"


def why_in_words(verdict: SparseVerdict) -> str:
    """What 2:4 could bring in a layer, or why nothing."""
    if verdict.why == NO_PATTERN:
        return verdict.row.reason
    if verdict.why == NO_UNIT:
        if verdict.precision in ONE_OF_TWO:
            return f"no unit for 2:4 takes {verdict.precision.upper()}"
        return f"no sparse rate of {verdict.precision.upper()} was measured here"
    if verdict.why == UNKNOWN or verdict.dense is None or verdict.sparse is None:
        return "not timed, or its roofs cannot be trusted"
    gain = f"{si(verdict.predicted_seconds, 's')} of {si(verdict.seconds, 's')}"
    if verdict.why == PAYS:
        kernel = "" if verdict.runs_here else f": {verdict.provider} has no such kernel"
        return f"could take {gain} (predicted{kernel})"
    if verdict.why == NOT_TAKEN:
        return f"roofs would allow {gain}, but {verdict.refused}"
    if verdict.why == LAUNCH:
        return "bound by the launch: fewer operations save nothing"
    intensity = short(verdict.dense.intensity)
    if verdict.why == MEMORY:
        ridge = "" if verdict.ridge is None else f" of {short(verdict.ridge)}"
        return f"bound by memory: {intensity} FLOP/B, below the ridge{ridge}"
    spared = (verdict.seconds or 0.0) - (verdict.predicted_seconds or 0.0)
    return f"the roofs spare {si(spared, 's')} of {si(verdict.seconds, 's')}: too little"


def product_in_words(verdict: SparseVerdict) -> str:
    """``as a plain product 1.42 times as fast (measured)``; empty where none was timed."""
    product = verdict.product
    if product is None or product.gain is None:
        return ""
    return f"as a plain product {product.gain:.2f} times as fast (measured)"


def on_network(study: SparsityStudy, loss_of: str) -> list[str]:
    """What 2:4 and other zeros bring and cost, the answer first. loss_of: what a loss counts."""
    return [
        *_on_two_of_four(study, loss_of),
        *_on_products(study),
        *_on_dense_kernels(study),
        *_on_skipped_zeros(study),
        *_on_patterns(study, loss_of),
        *_on_bytes(study),
        *_on_vector_units(study),
    ]


def it_loses(loss: Loss, loss_of: str) -> str:
    """``it loses 2.5 % of accuracy``."""
    return LOSSES.get(loss_of, LOSSES[DEVIATION]).format(percent(loss.share))


def _on_two_of_four(study: SparsityStudy, loss_of: str) -> list[str]:
    """``2:4 gains nothing here: …`` or what it could save; and what magnitude alone loses."""
    outcome = study.two_of_four
    if outcome is None:
        reasons = {verdict.row.reason for verdict in study.verdicts if verdict.row.reason}
        return [f"2:4 fits no layer: {few(sorted(reasons), 1)}."] if reasons else []
    sentences = [_gain(study)]
    if outcome.loss is not None:
        loss = it_loses(outcome.loss, loss_of)
        sentences.append(
            f"By magnitude, not trained again, 2:4 in {outcome.layers} layers keeps "
            f"{whole_percent(outcome.l1_kept)} of L1: {loss}."
        )
    return sentences


def _gain(study: SparsityStudy) -> str:
    """What 2:4 could save, or why it saves nothing."""
    device = study.layers.device
    if not study.has_units:
        if device.kind == "cpu":
            return "2:4 gains nothing here: no unit of this CPU skips zeros."
        types = few([precision.upper() for precision in study.layers.precisions], 3)
        return f"2:4 gains nothing here: no unit that skips zeros was measured in {types}."
    best = study.main_precision
    verdicts = [verdict for verdict in study.of_precision(best) if verdict.why != NO_UNIT]
    others = _counted(verdicts)
    paying = [verdict for verdict in verdicts if verdict.why == PAYS]
    if not paying:
        return f"2:4 gains nothing here in {best.upper()}: of {len(verdicts)} layers {others}."
    whole = sum(verdict.seconds or 0.0 for verdict in verdicts)
    saved = study.saved_seconds[best]
    kernels = "" if paying[0].runs_here else f"; {paying[0].provider} has no such kernels"
    rest = f"; {others}" if others else ""
    return (
        f"2:4 could save {si(saved, 's')} of {si(whole, 's')} in {best.upper()} "
        f"({whole_percent(saved / whole)}, predicted{kernels}) in {len(paying)} of "
        f"{len(verdicts)} layers{rest}."
    )


def _on_products(study: SparsityStudy) -> list[str]:
    """``As plain products 2:4 is 0.70 to 1.62 times as fast as dense in FP16 (12 sizes, …).``"""
    sentences = []
    for precision in dict.fromkeys(precision for *_, precision in study.layers.products):
        known = study.layers.products
        gains = [
            product.gain
            for (*_, of_type), product in known.items()
            if of_type == precision and product.gain is not None
        ]
        if gains:
            faster = sum(gain > 1 for gain in gains)
            sentences.append(
                f"As plain products in {precision.upper()}, 2:4 is {min(gains):.2f} to "
                f"{max(gains):.2f} times as fast as dense, faster in {faster} of {len(gains)} "
                "sizes (measured)."
            )
    return sentences


def _counted(verdicts: Sequence[SparseVerdict]) -> str:
    """``10 layers are bound by memory, 6 by the launch``."""
    counts: dict[str, int] = {}
    for verdict in verdicts:
        if verdict.why in COUNTED:
            counts[verdict.why] = counts.get(verdict.why, 0) + 1
    ordered = [why for why in COUNTED if why in counts]
    return ", ".join(f"{counts[why]} {COUNTED[why]}" for why in ordered)


def _on_dense_kernels(study: SparsityStudy) -> list[str]:
    """``With 90 % zeros in place the network takes 1.01 times as long as without (measured).``"""
    dense = study.as_trained
    tried = [study.outcome(MANY_ZEROS), study.two_of_four]
    timed = [outcome for outcome in tried if outcome and outcome.point and outcome.point.seconds]
    if dense is None or not dense.seconds or not timed:
        return []
    outcome = timed[0]
    assert outcome.point is not None and outcome.point.seconds is not None
    ratio = outcome.point.seconds / dense.seconds
    zeros = f"With {whole_percent(outcome.zeros)} zeros in place"
    is_quiet = outcome.point.timed and dense.timed
    how = "measured" if is_quiet else "measured, other load disturbed it"
    times = f"the network takes {ratio:.2f} times as long as with none ({how})"
    if not is_quiet or _are_apart(outcome.point, dense):
        return [f"{zeros} {times}."]
    return [f"{zeros} {times}: kernels of {study.layers.provider} multiply by them."]


def _on_skipped_zeros(study: SparsityStudy) -> list[str]:
    """What the roofs would allow hardware that left zeros out: a prediction."""
    share = study.least_share(MANY_ZEROS)
    if share is None:
        return []
    precision = study.main_precision
    return [
        f"Units that left out 90 % single zeros would need at least {whole_percent(share)} of the "
        f"least dense time in {precision.upper()}, by the roofs and with their index (predicted)."
    ]


def _are_apart(first: Point, second: Point) -> bool:
    """True if their times differ beyond both intervals."""
    return first.is_faster(second) or second.is_faster(first)


def _on_patterns(study: SparsityStudy, loss_of: str) -> list[str]:
    """``Half of the weights zero: chosen freely 80 % of L1 stay, at a loss of 0.8 %; …``"""
    free, blocks = study.outcome(FREELY), study.outcome(IN_BLOCKS)
    if free is None or blocks is None or free.loss is None or blocks.loss is None:
        return []
    return [
        f"Half of the weights zero: chosen freely {_stays(free, loss_of)}; in blocks of 4x4 "
        f"{_stays(blocks, loss_of)}."
    ]


def _stays(outcome: TrialOutcome, loss_of: str) -> str:
    """``80 % of L1 stay, 0.8 % of accuracy is lost``."""
    assert outcome.loss is not None
    kept = whole_percent(outcome.l1_kept)
    return f"{kept} of L1 stay, at a loss of {percent(outcome.loss.share)}"


def _on_bytes(study: SparsityStudy) -> list[str]:
    """``Weights with 75 % zeros take 28 % of their bytes as a bitmask (n b + R K / 8), …``"""
    outcome = study.outcome("unstructured 75 %")
    if outcome is None:
        return []
    formulas = {storage.name: storage.formula for storage in STORAGES}
    parts = [
        f"{whole_percent(share)} as {name} ({formulas[name]})"
        for name, share in outcome.bytes_shares.items()
    ]
    return [f"Bytes of weights with 75 % zeros and their index: {', '.join(parts)}."]


def _on_vector_units(study: SparsityStudy) -> list[str]:
    """From which share on single zeros could pay on a device with matrix units."""
    if not study.outcomes:
        return []
    for precision in study.layers.precisions:
        roofs = study.layers.roofs(precision)
        share = roofs.even_share
        if share is not None and share > 0:
            return [_even(roofs, share)]
    return []


def _even(roofs: Roofs, share: float) -> str:
    dense, vector = roofs.dense, roofs.vector
    assert dense is not None and vector is not None
    return (
        f"Single zeros are skipped by vector units at best ({si(vector.rate, vector.unit)}): they "
        f"are even with the matrix units ({si(dense.rate, dense.unit)}) at "
        f"{whole_percent(share)} zeros in {roofs.precision.upper()}, by roofs alone."
    )


def word_of(trial: str) -> str:
    """How pictures call a trial."""
    return trial if trial == TWO_OF_FOUR else trial.replace("unstructured", "free")
