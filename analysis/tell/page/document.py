"""The page as one HTML file that opens anywhere, offline, and that requests nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from analysis.outcome import Outcome
from analysis.tell.answer import Answer, answer
from analysis.tell.on_plan import TITLE
from analysis.tell.on_pruning import TITLE as PRUNING_TITLE
from analysis.tell.page import head, provenance
from analysis.tell.page.elsewhere import TITLE as ELSEWHERE_TITLE
from analysis.tell.page.elsewhere import elsewhere_section
from analysis.tell.page.energy import energy_section
from analysis.tell.page.layers import layers_table
from analysis.tell.page.markup import clipped, folded, heading, paragraph
from analysis.tell.page.networks import networks_and_sweeps
from analysis.tell.page.plan import plan_section
from analysis.tell.page.plot import plot_data
from analysis.tell.page.pruning import pruning_section
from analysis.tell.page.roofs import ceilings_table, sweeps
from analysis.tell.page.stills import Stills
from analysis.tell.page.views import View, views

FOLDER = Path(__file__).parent
SCRIPTS = (
    "numbers",
    "data",
    "state",
    "tables",
    "scale",
    "drawing",
    "details",
    "changes",
    "pointing",
    "filters",
    "start",
)
"""Files of ``script/`` in the order in which they run: later ones use what earlier ones define."""
POLICY = (
    "default-src 'none'",
    "img-src data:",
    # plotly writes its own styles
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
)
"""Content-Security-Policy of the page, but for its scripts: nothing comes from elsewhere."""
CEILINGS_NOTE = (
    "Measured: work over the median time. Share: of theory at the clock observed while measuring, "
    "where it was; else at the rated clock. Spread: half-width of the 95\u00a0% interval of the "
    "median. A dash is unknown. Point at a number for its exact value, in SI base units."
)
LAYERS_NOTE = (
    "Share of roof: the least time that the measured roofs allow over the time measured; to gain: "
    "their difference. A layer's memory roof is the smallest level that holds its data if it ran "
    "warm. Point at a number for its exact value, in SI base units."
)


class Limits(NamedTuple):
    """How much of a run is on the page; the files beside it hold all."""

    layers: int
    """Layers in the table and on the roofline: those that take longest.

    The table of ceilings holds as many ceilings.
    """
    rows: int
    """Rows of a table of points, and of one that compares precisions."""
    pictures: int
    """Bytes of all static pictures together."""


LIMITS = (
    Limits(1200, 400, 1_200_000),
    Limits(800, 200, 600_000),
    Limits(400, 60, 300_000),
    Limits(80, 10, 0),
)
"""The widest first: the page takes the first that keep it within MOST_BYTES."""
MOST_BYTES = 4_000_000
"""Bytes of a page that still opens on a phone."""


class Section(NamedTuple):
    """A part of the page that its contents name."""

    name: str
    """The id by which links find it."""
    title: str
    """Its heading."""
    content: str
    """Its markup."""


def html(outcome: Outcome, pictures: Mapping[str, str], files: Mapping[str, str]) -> str:
    """The page, with as much of the run as fits.

    pictures: SVG text by the name of the picture's file, without ending. files: CSV texts by the
    names of their files, for the page to hand out.
    """
    sentences = answer(outcome)
    fixed = _fixed(outcome, sentences, files)
    page = ""
    for limits in LIMITS:
        varying = _within(limits, outcome, sentences, pictures)
        page = Template(_file("page.html")).substitute(fixed, **varying)
        # as the file will be written: a path may hold bytes that are no UTF-8
        size = len(page.encode("utf-8", "backslashreplace"))
        if size <= MOST_BYTES:
            break
    return page


def _fixed(outcome: Outcome, sentences: Answer, files: Mapping[str, str]) -> dict[str, str]:
    """The parts of the page that do not depend on how much of the run it shows, by their names."""
    scripts = [_file("plotly/plotly-basic.min.js"), _own_script()]
    return {
        "policy": escape(_policy(scripts)),
        "title": head.title(outcome),
        "style": _style(outcome),
        "device": escape(clipped(outcome.run.device.name)),
        "badges": head.badges(outcome),
        "facts": escape(head.when_and_how(outcome)),
        "answer": head.answer_section(outcome, sentences),
        "files": _json({name: _packed(text) for name, text in files.items()}),
        "scripts": "".join(f"<script>{script}</script>\n" for script in scripts),
    }


def _style(outcome: Outcome) -> str:
    """How the page looks; pictures of a plan have rules of their own."""
    return _file("page.css") + (_file("plan.css") if outcome.plan or outcome.pruning else "")


def _within(
    limits: Limits, outcome: Outcome, sentences: Answer, pictures: Mapping[str, str]
) -> dict[str, str]:
    """The other parts, by their names, with so much of the run as these limits allow."""
    all_views = views(outcome.placements, outcome.networks, limits.layers)
    stills = Stills(pictures, limits.pictures)
    explore = _explore(outcome, all_views, stills, limits)
    sections = _sections(outcome, sentences, all_views, stills, limits)
    return {
        "contents": "".join(_link(section) for section in (explore, *sections)),
        "explore": explore.content,
        "sections": "".join(map(_markup, sections)),
        "data": _json(plot_data(outcome, all_views)),
    }


def _explore(
    outcome: Outcome, all_views: Sequence[View], stills: Stills, limits: Limits
) -> Section:
    """The roofline with its table: of the layers where there are some, else of the ceilings."""
    title = "The roofline"
    note = CEILINGS_NOTE
    if len(all_views) == 1:
        title = f"Layers of {clipped(all_views[0].name)}"
    elif all_views:
        title = "Layers on the roofline"
    if all_views:
        note = LAYERS_NOTE + _left_out(outcome, all_views)
        table = layers_table(all_views)
    else:
        table = ceilings_table(outcome.ceilings, limits.layers)
    name, sentence = _picture(outcome, all_views, stills)
    content = Template(_file("explore.html")).substitute(
        title=escape(title),
        still=stills.show(name, sentence),
        note=escape(note),
        table=table,
    )
    return Section("roofline", title, content)


def _left_out(outcome: Outcome, all_views: Sequence[View]) -> str:
    """A sentence on layers that are not shown; empty where all are."""
    shown = sum(len(view.layers) for view in all_views)
    total = len(outcome.placements)
    if shown == total:
        return ""
    return f" Of {total} layers these are the {shown} that take longest; all are in placements.csv."


def _picture(outcome: Outcome, all_views: Sequence[View], stills: Stills) -> tuple[str, str]:
    """The static picture of what the page opens with: (its name, what it shows in a sentence)."""
    roofs = (*outcome.model.bandwidth, *outcome.model.compute)
    labels = ", ".join(roof.label for roof in roofs)
    roofs_in_words = f"the measured roofs of {outcome.run.device.name}: {labels}"
    net = all_views[0].variations[0].network if all_views else None
    if net and stills.has(net.file):
        title = f"{net.name} in {net.precision.upper()}"
        return net.file, f"{len(net.layers)} layers of {title} under {roofs_in_words}"
    return "roofline", f"Roofline: {roofs_in_words}"


def _sections(
    outcome: Outcome, sentences: Answer, all_views: Sequence[View], stills: Stills, limits: Limits
) -> list[Section]:
    """The sections below the roofline.

    Where there are layers the roofline has their table, and the ceilings get a section.
    """
    sections = []
    if outcome.plan:
        sections.append(Section("plan", TITLE, plan_section(outcome.plan, stills, limits.rows)))
    if outcome.pruning:
        content = pruning_section(outcome.pruning, stills, limits.rows)
        sections.append(Section("pruning", PRUNING_TITLE, content))
    sections.append(Section("verdict", "Verdict", head.verdict(outcome, sentences)))
    if all_views:
        sections.append(
            Section("layers", "Layers", networks_and_sweeps(outcome, stills, limits.rows))
        )
        table = ceilings_table(outcome.ceilings, limits.layers)
        content = paragraph(CEILINGS_NOTE, "soft") + table
        folds = folded(f"{len(outcome.ceilings)} ceilings", content)
        sections.append(Section("ceilings", "Ceilings", folds))
    if outcome.elsewhere:
        content = elsewhere_section(outcome.elsewhere)
        sections.append(Section("elsewhere", ELSEWHERE_TITLE, content))
    energy = outcome.energy
    if energy.is_known or energy.why_unknown or energy.unknown:
        sections.append(Section("energy", "Energy", energy_section(energy, stills)))
    if outcome.sweeps:
        sections.append(Section("sweeps", "Sweeps", sweeps(outcome, stills, limits.rows)))
    run = outcome.run
    sections.append(
        Section("not-measured", "Not measured", provenance.not_measured(run.measurements))
    )
    method = heading(3, "Theory") + provenance.theory(run.device)
    method += heading(3, "Device, versions and settings") + provenance.facts_table(run)
    sections.append(Section("method", "Method and sources", method))
    return sections


def _markup(section: Section) -> str:
    """A section with its heading."""
    title = f'<h2 id="{section.name}">{escape(section.title)}</h2>'
    return f'<section aria-labelledby="{section.name}">{title}{section.content}</section>\n'


def _link(section: Section) -> str:
    """The link to a section, for the contents."""
    return f'<a href="#{section.name}">{escape(section.title)}</a> '


def _own_script() -> str:
    """All files of ``script/`` in one function, so that their names cannot meet plotly's."""
    parts = "".join(_file(f"script/{name}.js") for name in SCRIPTS)
    return f"(() => {{\n{parts}}})();\n"


def _policy(scripts: Sequence[str]) -> str:
    """The whole Content-Security-Policy: only these scripts run, told by their hashes."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts]
    allowed = " ".join(f"'sha256-{digest.decode()}'" for digest in hashes)
    return "; ".join((*POLICY, f"script-src {allowed}"))


def _json(values: Mapping[str, Any]) -> str:
    """Values as JSON for a script element: no text in them can end it, not even ``</script>``."""
    return json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")


def _packed(text: str) -> str:
    """A file as base64 of its gzip, which a browser unpacks."""
    data = text.encode("utf-8", "backslashreplace")
    # without a time in it, one run gives one page
    zipped = gzip.compress(data, mtime=0)
    return base64.b64encode(zipped).decode()


def _file(name: str) -> str:
    """The text of a file of this folder."""
    return (FOLDER / name).read_text(encoding="utf-8")
