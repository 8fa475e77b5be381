"""The top of the page: what was measured, how far it can be trusted, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from analysis.layers.alike import most_to_gain
from analysis.layers.groups import Network
from analysis.layers.words import headline
from analysis.model.ceilings import is_roof
from analysis.model.trust import GOOD
from analysis.tell.page.markup import Cell, Head, clipped, paragraph, table
from analysis.tell.page.material import Material
from analysis.tell.report import summary
from analysis.units import percent, si
from probes.records.run import COMPLETE

ACTIONS = 3
"""Things with most to gain that the answer names."""
ANSWER_LINES = 3
"""Sentences of the answer where there is no network."""


def badges(material: Material) -> str:
    """How far the run can be trusted, and whether it is whole, in a word each."""
    words = []
    trust = material.trust
    if trust:
        words.append(f'<span class="badge {trust.level}">TRUST {trust.level}</span>')
    if material.run.status != COMPLETE:
        words.append('<span class="badge low">partial run</span>')
    return " ".join(words)


def when_and_how(material: Material) -> str:
    """Date, driver and clocks in one line: ``2026-11-24 · driver 580.159 · 1.98 GHz``."""
    run = material.run
    words = [run.started[:10]]
    driver = run.device.facts.get("driver")
    if driver:
        words.append(f"driver {driver}")
    roofs = [ceiling for ceiling in material.ceilings.values() if is_roof(ceiling)]
    clocks = [roof.clock_hz for roof in roofs if roof.clock_hz]
    if clocks:
        lowest, highest = si(min(clocks), "Hz"), si(max(clocks), "Hz")
        clock = lowest if lowest == highest else f"{lowest} to {highest}"
        words.append(f"measured at {clock}")
    return clipped(" · ".join(words))


def answer(material: Material) -> str:
    """What was learnt, in a few lines; of networks first their times and what to do."""
    if material.networks:
        lines = "".join(map(paragraph, _of_networks(material.networks)))
        return f"<div>{lines}</div>{_times(material.networks)}"
    sentences = summary(material.run, material.ceilings, ())
    return f"<div>{''.join(map(paragraph, sentences[:ANSWER_LINES]))}</div>"


def _of_networks(networks: Sequence[Network]) -> list[str]:
    """The fastest precision of the first network, and what there is to gain in it."""
    first = [net for net in networks if net.name == networks[0].name]
    fastest = min(first, key=lambda net: net.seconds)
    lines = [headline(fastest)]
    for group in most_to_gain(fastest.layers, ACTIONS):
        gain = si(group.headroom_seconds, "s")
        lines.append(f"{group.name}: {si(group.seconds, 's')}, {gain} to gain.")
    return lines


def _times(networks: Sequence[Network]) -> str:
    """A table of the networks: time, least time, and the share of it reached."""
    heads = [
        Head("network"),
        Head("precision"),
        Head("time", is_number=True),
        Head("least time", is_number=True),
        Head("share", is_number=True),
    ]
    rows = []
    for net in networks:
        least = net.light.least_seconds
        rows.append(
            [
                Cell(net.name),
                Cell(net.precision.upper()),
                Cell(si(net.seconds, "s"), f"{net.seconds!r} s"),
                Cell(si(least, "s"), f"{least!r} s"),
                Cell(percent(net.share), repr(net.share)),
            ]
        )
    return table("Time and least time", heads, rows)


def verdict(material: Material) -> str:
    """How far the run can be trusted and why, warnings, and all that the rows say."""
    run = material.run
    parts = []
    if run.status != COMPLETE:
        parts.append(paragraph("This run is partial.", "warn"))
    trust = material.trust
    if trust:
        parts.append(paragraph(trust.line, "" if trust.level == GOOD else "warn"))
    parts += [paragraph(text, "warn") for text in (*run.warnings, *run.damage)]
    parts += [paragraph(text) for text in summary(run, material.ceilings, material.notes)]
    return "".join(parts)


def title(material: Material) -> str:
    """Of the browser's tab, escaped."""
    return escape(clipped(f"{material.run.device.name}, {material.run.started[:10]}"))
