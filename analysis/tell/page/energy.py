"""The page's section on energy."""

from __future__ import annotations

from analysis.model.energy import EnergyModel
from analysis.tell.energy_columns import energy_columns
from analysis.tell.page.markup import paragraph
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import table_of

MOST_UNKNOWN = 8
"""Loads without a known power that are named; run.json has all."""
NOTE = (
    "Power was read after the samples, while each kernel alone went on for longer than the sensor "
    "looks back; the energy is that of the same time, with all that the device draws."
)


def energy_section(model: EnergyModel, stills: Stills) -> str:
    """The picture and the table of energies; why there is none where power is unknown."""
    if not model.is_known:
        why = model.why_unknown or "; ".join(model.unknown[:MOST_UNKNOWN])
        return paragraph(f"Power is unknown: {why}.")
    roofs = [*([model.memory] if model.memory else []), *model.compute]
    names = ", ".join(roof.label for roof in roofs)
    picture = stills.show("energy", f"Operations that a joule pays, over intensity: {names}")
    content = picture + paragraph(NOTE, "soft") + table_of("Energy", energy_columns(model), roofs)
    if model.unknown:
        listed = "; ".join(model.unknown[:MOST_UNKNOWN])
        content += paragraph(f"Unknown: {listed}.", "soft")
    return content
