"""The top of the page: what was measured, how far it can be trusted, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from analysis.layers.groups import Network
from analysis.layers.words import no_floor
from analysis.model.trust import GOOD
from analysis.outcome import Outcome
from analysis.tell import on_board
from analysis.tell.answer import Answer
from analysis.tell.page.markup import Cell, Head, clipped, paragraph, table
from analysis.tell.report import summary
from analysis.units import percent, si, unbroken
from probes.records.run import COMPLETE

PLAN_LINES = 2
"""Sentences on a plan that the answer has; its section has all."""
DEVICE_LINES = 3
"""Sentences on the device that the answer of a network has; the verdict has all."""


def badges(outcome: Outcome) -> str:
    """How far the run can be trusted, and whether it is whole, in a word each."""
    words = []
    trust = outcome.trust
    if trust:
        words.append(f'<span class="badge {trust.level}">TRUST {trust.level}</span>')
    if outcome.run.status != COMPLETE:
        words.append('<span class="badge low">partial run</span>')
    return " ".join(words)


def when_and_how(outcome: Outcome) -> str:
    """Date, driver and clocks in one line: ``2026-11-24 · driver 580.159 · 1.98 GHz``."""
    run = outcome.run
    words = [run.started[:10]]
    driver = run.device.facts.get("driver")
    if driver:
        words.append(f"driver {driver}")
    if outcome.clocks:
        words.append(outcome.clocks)
    return clipped(" · ".join(words))


def answer_section(outcome: Outcome, answer: Answer) -> str:
    """What was learnt, in a few lines: networks first, their times beside, and what to do next."""
    is_network = bool(answer.networks)
    lines = [paragraph(unbroken(text)) for text in answer.plan[:PLAN_LINES]]
    lines += [paragraph(unbroken(text)) for text in answer.pruning[:PLAN_LINES]]
    lines += [paragraph(unbroken(text)) for text in answer.networks]
    of_device = answer.device[:DEVICE_LINES] if is_network else answer.device
    lines += [paragraph(unbroken(text), "soft" if is_network else "") for text in of_device]
    if answer.trust and outcome.trust and outcome.trust.level != GOOD:
        lines.append(paragraph(answer.trust, "warn"))
    lines.append(f'<p class="next">Next: <code>{escape(answer.next)}</code></p>')
    return f"<div>{''.join(lines)}</div>{_times(outcome.networks)}"


def _times(networks: Sequence[Network]) -> str:
    """A table of networks, the fastest precision first: time, least time, share of it reached.

    Empty without networks.
    """
    if not networks:
        return ""
    several = len({net.name for net in networks}) > 1
    heads = [Head("network")] if several else []
    heads += [
        Head("precision"),
        Head("time", is_number=True),
        Head("least time", is_number=True),
        Head("share", is_number=True),
    ]
    rows = []
    for net in sorted(networks, key=lambda net: (net.name, net.seconds)):
        name = [Cell(net.name)] if several else []
        rows.append([*name, Cell(net.precision.upper()), *_times_of(net)])
    return table("Times of the networks", heads, rows)


def _times_of(net: Network) -> list[Cell]:
    """Time, least time and share of a network; dashes where it has no least time."""
    time = Cell(si(net.seconds, "s"), f"{net.seconds!r} s")
    if no_floor(net):
        return [time, Cell("–", ""), Cell("–", "")]
    least = net.light.least_seconds
    return [time, Cell(si(least, "s"), f"{least!r} s"), Cell(percent(net.share), repr(net.share))]


def verdict(outcome: Outcome, answer: Answer) -> str:
    """How far the run can be trusted and why, warnings, and all that the rows say."""
    run = outcome.run
    parts = []
    if run.status != COMPLETE:
        parts.append(paragraph("This run is partial.", "warn"))
    trust = outcome.trust
    if trust:
        parts.append(paragraph(trust.line, "" if trust.level == GOOD else "warn"))
    parts += [paragraph(text, "warn") for text in (*run.warnings, *run.damage)]
    parts += [paragraph(text) for text in on_board.of_run(run)]
    if answer.networks:
        parts += [paragraph(text) for text in answer.device[DEVICE_LINES:]]
    notes = [*outcome.network_notes, *outcome.notes]
    parts += [paragraph(text) for text in summary(run, outcome.ceilings, notes)]
    return "".join(parts)


def title(outcome: Outcome) -> str:
    """Of the browser's tab, escaped."""
    return escape(clipped(f"{outcome.run.device.name}, {outcome.run.started[:10]}"))
