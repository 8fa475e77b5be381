"""The page's section on other machines: what each network of the run would take there."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.elsewhere.placed import Elsewhere
from analysis.tell.elsewhere_columns import ELSEWHERE_FILE, PREDICTIONS_ON_PAGE
from analysis.tell.on_elsewhere import how_far_off, on_machine
from analysis.tell.page.markup import heading, paragraph
from analysis.tell.page.tables import table_of

TITLE = "On other machines"
NOTE = (
    "Bound: no run there can be faster, by theory alone. Estimate: the time there at the same "
    f"share of the floor as here; it is no bound. {ELSEWHERE_FILE} has it by layers."
)


def elsewhere_section(placed: Sequence[Elsewhere]) -> str:
    """A table for each machine, and how far such estimates were off."""
    parts = [paragraph(NOTE, "soft")]
    for elsewhere in placed:
        name = elsewhere.found.machine.name
        rows = [(elsewhere, prediction) for prediction in elsewhere.predictions]
        parts.append(heading(3, name))
        parts.append(paragraph(f"{on_machine(elsewhere)}."))
        parts.append(table_of(f"Networks on {name}", PREDICTIONS_ON_PAGE, rows))
        if any(prediction.estimate for prediction in elsewhere.predictions):
            parts.append(paragraph(how_far_off(elsewhere.error)))
    return "".join(parts)
