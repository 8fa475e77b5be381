"""The page's section on a plan: what to quantize, the recipes that were run, and each stage."""

from __future__ import annotations

from analysis.draw.plan.front import loss_in_words
from analysis.draw.plan.pictures import FRONT, INPUTS, RANGES, STAGES
from analysis.outcome import PlanOutcome
from analysis.tell.on_plan import on_missing
from analysis.tell.page.markup import folded, heading, paragraph
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import table_of
from analysis.tell.plan_columns import (
    RECIPES_ON_PAGE,
    STAGES_ON_PAGE,
    fastest_first,
    stages_of,
)
from analysis.units import unbroken

STAGES_NOTE = (
    "SQNR of the answer: signal to noise at the network's outputs with this stage alone in the "
    "precision looked at; its own: at the stage's output. Gain: what that precision saves over "
    "the fastest float, borders apart. Saved: what the precision decided on saves against FP32. "
    "Borders: the stage's share of Q, DQ and casts. plan.csv has all of it."
)


def plan_section(plan: PlanOutcome, stills: Stills, most_rows: int) -> str:
    """Sentences, recipes and pictures; stages and ranges are folded away.

    most_rows: stages that the table holds; plan.csv has all.
    """
    sentences = [*plan.sentences, *on_missing(plan.missing)]
    parts = [paragraph(unbroken(text)) for text in sentences]
    parts.append(stills.show(FRONT, _on_front(plan)))
    parts.append(_recipes(plan))
    parts.append(_stages(plan, stills, most_rows))
    inputs = stills.show(INPUTS, "Width of the ranges by the number of calibration inputs")
    if inputs:
        parts += [heading(3, "What more calibration inputs change"), inputs]
    parts.append(_ranges(stills))
    return f'<div class="plan">{"".join(parts)}</div>'


def _on_front(plan: PlanOutcome) -> str:
    """What the picture of the recipes shows, in a sentence."""
    if plan.study is None:
        return ""
    chosen = plan.study.plan.chosen
    ending = f"; {chosen} was chosen" if chosen else ""
    return f"{len(plan.study.points)} recipes, time of one run against loss{ending}"


def _recipes(plan: PlanOutcome) -> str:
    """The table of all recipes; nothing before there are some."""
    if plan.study is None:
        return ""
    asked = loss_in_words(plan.study.plan.loss_asked)
    note = (
        f"Within: the loss is at most the {asked} asked. Interval: where it lies in 95 % of cases."
    )
    rows = fastest_first(plan.study.points)
    table = table_of(f"Recipes of {plan.network}", RECIPES_ON_PAGE, rows)
    return heading(3, "Recipes, each run") + paragraph(unbroken(note), "soft") + table


def _stages(plan: PlanOutcome, stills: Stills, most_rows: int) -> str:
    """The picture of the stages, and a line for each of them folded away."""
    if not plan.verdicts:
        return ""
    count = len(plan.verdicts)
    picture = stills.show(STAGES, f"{count} stages: harm to the answer against time gained")
    rows = stages_of(plan)[:most_rows]
    table = paragraph(STAGES_NOTE, "soft")
    table += table_of(f"Stages of {plan.network}", STAGES_ON_PAGE, rows)
    title = "1 stage" if count == 1 else f"{count} stages"
    return heading(3, "Stages") + picture + folded(title, table)


def _ranges(stills: Stills) -> str:
    """The pictures of ranges, folded away; nothing without any."""
    pictures = []
    number = 1
    while stills.has(f"{RANGES}-{number}"):
        sentence = f"Histograms of activations with the range of each method, picture {number}"
        pictures.append(stills.show(f"{RANGES}-{number}", sentence))
        number += 1
    if not pictures:
        return ""
    return folded("Ranges of activations, by method", "".join(pictures))
