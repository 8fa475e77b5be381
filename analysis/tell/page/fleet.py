"""The page of a fleet: the answer, the picture, slow nodes, how each ceiling spreads, all nodes."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.fleet.bins import LEAST_SHARE
from analysis.fleet.columns import (
    GROUP_COLUMNS,
    NODES_FILE,
    SPREAD_SHOWN,
    SpreadLine,
    node_lines,
)
from analysis.fleet.fleet import USUAL, Fleet, KindOfNodes
from analysis.fleet.spread import FALSE_ALARMS, FEW, FEWEST, LEAST
from analysis.fleet.words import answer, cause_in_words, sentences
from analysis.tell.page.markup import heading, paragraph
from analysis.tell.page.plain import PlainPage, pictures_within
from analysis.tell.page.tables import table_of, table_of_texts
from analysis.units import percent

MOST_NODES = 500
"""Nodes in the table of the page: those that are as the others come last, and the file has all."""
METHOD = (
    "Nodes of one device are compared with each other. The noise of a row is the largest of 1.4826 "
    "times the median absolute deviation, of what the fast side of the nodes shows, of the median "
    "interval within a run, and of what runs of one device differ by. How many times the noise "
    "chance alone reaches is measured, too: by the tail of the nodes' own distances from the "
    "middle in all rows of one quantity (Hill 1975; by an exponential one where the tail is light "
    "or distances are few), without nodes that are beyond it. A node is named where it is further "
    f"away than chance takes any node in {percent(FALSE_ALARMS)} of fleets, and at least "
    f"{percent(LEAST)}: “told from” says how much slower that is. Smaller faults are not seen. "
    "Rows of one memory or one format, a rack, and nodes in which one fact differs are looked at "
    "together, too. Where nodes fall into two clear parts, the smaller of "
    f"{percent(LEAST_SHARE)} at least, and neither a rack nor a power limit explains it, these are "
    f"two bins, and each node is held against its own. With fewer than {FEW} nodes two bins cannot "
    "be told, a difference must also exceed what single runs are known to range over, and with "
    f"fewer than {FEWEST} none is named. Rows that cannot be trusted are left out."
)
LIMITS = (
    "Tried on made-up fleets of 8 to 1000 nodes: faults of 10 % to 30 % in one ceiling, a capped "
    "rack, rows missing, and noise of 0.4 % between nodes. Normal noise, and two bins among 64 "
    "nodes or more: every fault that was measured is found; a node is invented in none of 100 "
    "fleets, with bins of fewer than 5 nodes in 3. Noise with heavier tails: the rack is found, "
    "and a fault that shows in many rows; a fault in one or two rows is found 3 times in 4 with "
    "Laplace's noise among 1000 nodes, and hardly ever with a power's (Student's t with three "
    "degrees of freedom) or a lognormal one, which reach as far themselves; a node is invented in "
    "0 to 5 of 100 such fleets."
)


def html(fleet: Fleet, pictures: Mapping[str, str]) -> str:
    """The page. pictures: SVG text by the name of the picture's file, without ending."""
    spoken = dict.fromkeys(pictures, f"How the nodes spread: {answer(fleet)}")
    sections = [("pictures", "Picture", pictures_within(pictures, spoken))]
    for number, kind in enumerate(fleet.kinds):
        sections.append((f"kind-{number}", str(kind.kind), _kind(kind, number)))
    sections.append(("nodes", "Nodes", _nodes(fleet)))
    sections.append(("method", "Method", paragraph(METHOD) + paragraph(LIMITS)))
    title = ", ".join(dict.fromkeys(str(kind.kind) for kind in fleet.kinds)) or "no runs"
    page = PlainPage(
        kind="Fleet",
        made="Read",
        title=title,
        facts=f"{fleet.nodes} runs in {fleet.top}",
        answer=[answer(fleet), *sentences(fleet, everything=True)],
        sections=sections,
        table="nodes",
    )
    return page.html()


def _kind(kind: KindOfNodes, number: int) -> str:
    """Slow nodes of a kind, and how each of its ceilings spreads."""
    parts = []
    if kind.groups:
        parts.append(heading(3, "Slow"))
        parts.append(table_of("Slow nodes", GROUP_COLUMNS, kind.groups, f"table-slow-{number}"))
    lines = [SpreadLine(kind, spread) for spread in kind.spreads.values()]
    if lines:
        parts.append(heading(3, "How each ceiling spreads"))
        parts.append(table_of("Spread", SPREAD_SHOWN, lines, f"table-spread-{number}"))
    return "".join(parts) or paragraph("Only one of its runs has any row.", "soft")


def _nodes(fleet: Fleet) -> str:
    """Nodes, those that are unlike the others first."""
    lines = list(node_lines(fleet))
    lines.sort(key=lambda line: line.look is not None and line.look.verdict == USUAL)
    cells = []
    for line in lines[:MOST_NODES]:
        look = line.look
        if look is None:
            lost = line.lost
            cells.append(
                [lost.name if lost else "", "", "", "no run", "", lost.why if lost else ""]
            )
            continue
        worst = look.worst
        cells.append(
            [
                look.node.name,
                look.node.place,
                str(look.node.kind),
                look.verdict,
                f"{worst.name} {percent(worst.ratio - 1)}" if worst else "",
                cause_in_words(look.cause) if worst and worst.is_slower else "",
            ]
        )
    heads = ["node", "rack", "device", "verdict", "furthest row", "cause"]
    more = len(lines) - len(cells)
    note = paragraph(f"{more} more, as the others, in {NODES_FILE}.", "soft") if more else ""
    return table_of_texts("Nodes", heads, cells) + note
