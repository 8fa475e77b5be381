"""The table of energies on the page, and the sentences on energy."""

from __future__ import annotations

from analysis.model.energy import EnergyModel, EnergyRoof
from analysis.tell.columns import Column
from analysis.units import short, watts

MOST_NAMES = 4
"""Formats in a sentence."""


def energy_columns(model: EnergyModel) -> tuple[Column[EnergyRoof], ...]:
    """The columns of a table of the roofs of this model."""

    def balance(roof: EnergyRoof) -> float | None:
        return None if roof == model.memory else model.balance(roof)

    def balance_in_words(roof: EnergyRoof) -> str:
        value = balance(roof)
        return "–" if value is None else short(value)

    return (
        Column(name="roof", computed=lambda roof: roof.label),
        Column(
            name="power",
            computed=lambda roof: roof.watts,
            text=lambda roof: watts(roof.watts),
            number=True,
        ),
        Column(
            name="energy of one",
            computed=lambda roof: roof.picojoules,
            text=lambda roof: f"{short(roof.picojoules)} pJ/{roof.unit}",
            number=True,
        ),
        Column(
            name="for a joule",
            computed=lambda roof: roof.per_joule,
            unit=lambda roof: f"{roof.unit}/J",
            number=True,
        ),
        Column(
            name="operations that cost as much as a byte",
            computed=balance,
            text=balance_in_words,
            number=True,
        ),
    )


def on_energy(model: EnergyModel) -> list[str]:
    """``Energy: DRAM 62 pJ/B; FP16 0.8 pJ, FP32 9.7 pJ an operation; 120 W without a load.``"""
    if not model.is_known:
        return []
    parts = []
    if model.memory:
        parts.append(f"{model.memory.label} {short(model.memory.picojoules)} pJ a byte")
    shown = model.compute[:MOST_NAMES]
    if shown:
        costs = ", ".join(f"{roof.label} {short(roof.picojoules)} pJ" for roof in shown)
        more = len(model.compute) - len(shown)
        and_more = f" and {more} more" if more else ""
        parts.append(f"{costs}{and_more} an operation")
    if model.idle_w:
        parts.append(f"{watts(model.idle_w)} without a load")
    source = f" ({model.source})" if model.source else ""
    return [f"Energy: {'; '.join(parts)}{source}."]
