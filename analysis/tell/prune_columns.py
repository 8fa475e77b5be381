"""The tables of pruning: ``sparse.csv``, and what each pattern makes of the whole network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from analysis.sparsity.floors import PatternFloor
from analysis.sparsity.roofs import Floor
from analysis.sparsity.storage import STORAGES
from analysis.sparsity.trials import TrialOutcome
from analysis.sparsity.verdict import SparseVerdict
from analysis.sparsity.words import title, why_in_words
from analysis.tell.columns import PAGE, TERMINAL, Column, shown_in
from analysis.tell.plan_columns import decibels, loss_cell
from analysis.units import UNKNOWN, whole_percent
from probes.records.patterns import PATTERNS_SCHEMA

FORMULAS = {storage.name: storage.formula for storage in STORAGES}
"""Bytes of each format, as ``analysis.sparsity.storage`` says them."""


def _of_row(field: str, **column: Any) -> Column[SparseVerdict]:
    """A column with this field of the layer's row."""
    return Column(stored=field, computed=lambda verdict: getattr(verdict.row, field), **column)


def _of_floor(which: str, field: str) -> Callable[[SparseVerdict], float | None]:
    """What takes this field of the dense or the sparse floor."""

    def value(verdict: SparseVerdict) -> float | None:
        floor: Floor | None = getattr(verdict, which)
        return None if floor is None else float(getattr(floor, field))

    return value


def _share_in_words(share: float | None) -> str:
    return UNKNOWN if share is None else whole_percent(share)


def _gain_in_words(verdict: SparseVerdict) -> str:
    gain = verdict.product.gain if verdict.product else None
    return UNKNOWN if gain is None else f"{gain:.2f}×"


SPARSE_COLUMNS: tuple[Column[SparseVerdict], ...] = (
    Column(stored="schema_version", computed=lambda verdict: PATTERNS_SCHEMA),
    _of_row("network"),
    _of_row("layer"),
    Column(name="layer", computed=title, shown=(PAGE,)),
    _of_row("op", name="op", shown=(PAGE,)),
    _of_row("rows", name="rows", number=True, shown=(PAGE,)),
    _of_row("columns", name="columns", number=True, shown=(PAGE,)),
    _of_row("groups"),
    Column(
        stored="precision",
        name="precision",
        text=lambda verdict: verdict.precision.upper(),
        shown=(PAGE,),
    ),
    Column(stored="provider"),
    _of_row(
        "l1_kept",
        name="L1 kept",
        text=lambda verdict: _share_in_words(verdict.row.l1_kept),
        number=True,
        shown=(PAGE,),
    ),
    _of_row(
        "own_sqnr_db",
        name="its own SQNR",
        text=lambda verdict: decibels(verdict.row.own_sqnr_db),
        number=True,
        shown=(PAGE,),
    ),
    _of_row(
        "sqnr_db",
        name="SQNR of the answer",
        text=lambda verdict: decibels(verdict.row.sqnr_db),
        number=True,
        shown=(PAGE,),
    ),
    Column(stored="seconds", name="time", unit=lambda verdict: "s", number=True, shown=(PAGE,)),
    Column(
        stored="predicted_seconds",
        name="predicted",
        unit=lambda verdict: "s",
        number=True,
        shown=(PAGE,),
    ),
    Column(
        stored="product_gain",
        name="plain product",
        computed=lambda verdict: verdict.product.gain if verdict.product else None,
        text=_gain_in_words,
        number=True,
        shown=(PAGE,),
        if_known=True,
    ),
    Column(stored="dense_intensity", computed=_of_floor("dense", "intensity")),
    Column(stored="ridge"),
    Column(stored="dense_floor_seconds", computed=_of_floor("dense", "seconds")),
    Column(stored="sparse_floor_seconds", computed=_of_floor("sparse", "seconds")),
    Column(stored="sparse_bytes", computed=_of_floor("sparse", "bytes")),
    Column(
        stored="sparse_roof",
        computed=lambda verdict: verdict.sparse.roof if verdict.sparse else "",
    ),
    Column(stored="why", name="verdict", shown=(PAGE,)),
    Column(stored="refused"),
    Column(stored="runs_here"),
    Column(name="why", computed=why_in_words, shown=(PAGE,), least=30),
)
"""A column of ``sparse.csv`` and of its table is one entry here, in the order of the file."""

SPARSE_ON_PAGE = shown_in(PAGE, SPARSE_COLUMNS)


def _of_layer(field: str) -> Column[PatternFloor]:
    """A column of ``floors.csv`` with this field of the layer's row."""
    return Column(stored=field, computed=lambda floor: getattr(floor.row, field))


FLOOR_COLUMNS: tuple[Column[PatternFloor], ...] = (
    Column(stored="schema_version", computed=lambda floor: PATTERNS_SCHEMA),
    _of_layer("network"),
    _of_layer("layer"),
    Column(stored="precision"),
    _of_layer("pattern"),
    _of_layer("share_asked"),
    _of_layer("zeros"),
    Column(stored="storage", computed=lambda floor: floor.storage.name),
    Column(stored="stored_bytes"),
    Column(stored="seconds"),
    Column(stored="dense_bytes", computed=lambda floor: floor.dense.bytes),
    Column(stored="dense_intensity", computed=lambda floor: floor.dense.intensity),
    Column(stored="dense_floor_seconds", computed=lambda floor: floor.dense.seconds),
    Column(stored="bytes", computed=lambda floor: floor.skipping.bytes),
    Column(stored="intensity", computed=lambda floor: floor.skipping.intensity),
    Column(stored="roof", computed=lambda floor: floor.skipping.roof),
    Column(stored="floor_seconds", computed=lambda floor: floor.skipping.seconds),
    Column(stored="bound_by_memory", computed=lambda floor: floor.skipping.is_bound_by_memory),
)
"""A column of ``floors.csv`` is one entry here, in the order of the file."""


def _storages_in_words(outcome: TrialOutcome) -> str:
    """``bitmask 28 %, CSR 50 %``."""
    shares = outcome.bytes_shares.items()
    return ", ".join(f"{name} {whole_percent(share)}" for name, share in shares)


def _seconds(outcome: TrialOutcome) -> float | None:
    return outcome.point.seconds if outcome.point else None


def _loss(outcome: TrialOutcome) -> float | None:
    return outcome.loss.share if outcome.loss else None


TRIAL_COLUMNS: tuple[Column[TrialOutcome], ...] = (
    Column(
        name="pattern",
        computed=lambda outcome: outcome.name,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="zeros",
        computed=lambda outcome: outcome.zeros,
        text=lambda outcome: whole_percent(outcome.zeros),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="L1 kept",
        computed=lambda outcome: outcome.l1_kept,
        text=lambda outcome: whole_percent(outcome.l1_kept),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="loss",
        computed=_loss,
        text=lambda outcome: loss_cell(_loss(outcome)),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="bytes with index",
        computed=lambda outcome: outcome.bytes_share,
        text=_storages_in_words,
        shown=(TERMINAL, PAGE),
        may_go=1,
    ),
    Column(
        name="time on dense kernels",
        computed=_seconds,
        unit=lambda outcome: "s",
        number=True,
        shown=(TERMINAL, PAGE),
        may_go=2,
    ),
    Column(
        name="layers",
        computed=lambda outcome: outcome.layers,
        number=True,
        shown=(PAGE,),
    ),
)
"""A column of the table of patterns is one entry here."""

TRIALS_ON_TERMINAL = shown_in(TERMINAL, TRIAL_COLUMNS)
TRIALS_ON_PAGE = shown_in(PAGE, TRIAL_COLUMNS)
