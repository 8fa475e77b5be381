"""Markup of the page: tables, paragraphs, pictures and what is folded away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from probes.records.given import shortened

LONGEST_TEXT = 600
"""Letters of a cell or a label: an imported layer may be called by a whole file."""
EVERYWHERE = '<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'
"""Style that matplotlib gives an SVG: inside a page it would hold for all of the page. page.css
says the same of pictures only."""
LONGEST_SENTENCES = 4000
"""Letters of a paragraph."""
NAMES_AND_USES = re.compile(r'(\bid="|url\(#|href="#)')
"""Where the name of a part of an SVG stands: where it is given, and where it is used."""


class Head(NamedTuple):
    """The head of a column."""

    name: str
    """What people read."""
    is_number: bool = False
    """True if the column sorts by the numbers behind its cells."""


class Cell(NamedTuple):
    """One cell of a table."""

    text: str
    """What people read."""
    exact: str | None = None
    """The number that is not rounded, with its unit: shown on pointing, and sorted by. Empty if it
    is unknown; None if the cell is no number."""
    is_long: bool = False
    """True if it holds sentences, of which a page of many rows shows the first lines."""


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text, or its beginning if it is very long."""
    return shortened(text, longest + 1)  # the ellipsis is one more


def table(
    label: str,
    heads: Sequence[Head],
    rows: Iterable[Sequence[Cell]],
    name: str = "",
    row_names: Sequence[str] = (),
) -> str:
    """A table in a box that scrolls and says ``label`` to those who hear the page.

    The first cell of a row is its head. name: of the table in the page. row_names: of its rows.
    """
    head_cells = "".join(map(_head, heads))
    lines = []
    for number, row in enumerate(rows):
        row_name = f' id="{escape(row_names[number])}"' if row_names else ""
        lines.append(f"<tr{row_name}>{_first(row[0])}{''.join(map(_cell, row[1:]))}</tr>")
    name_of_table = f' id="{escape(name)}"' if name else ""
    spoken = escape(f"Table: {clipped(label)}")
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{spoken}">'
        f"<table{name_of_table}><thead><tr>{head_cells}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _head(head: Head) -> str:
    css_class = ' class="number"' if head.is_number else ""
    return f'<th scope="col"{css_class}>{escape(head.name)}</th>'


def _first(cell: Cell) -> str:
    """The head of a row."""
    return f'<th scope="row">{escape(clipped(cell.text))}</th>'


def _cell(cell: Cell) -> str:
    text = escape(clipped(cell.text))
    if cell.is_long:
        return f'<td class="long"><div>{text}</div></td>'
    if cell.exact is None:
        return f"<td>{text}</td>"
    return f'<td title="{escape(cell.exact)}">{text}</td>'


def paragraph(text: str, css_class: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{css_class}"' if css_class else ""
    return f"<p{attribute}>{escape(clipped(text, LONGEST_SENTENCES))}</p>"


def heading(level: int, text: str) -> str:
    """The heading of a part of a section."""
    return f"<h{level}>{escape(clipped(text))}</h{level}>"


def folded(title: str, content: str) -> str:
    """Markup that is seen after a click on its title."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def picture(svg: str, sentence: str, name: str) -> str:
    """A static picture in a figure, which ``sentence`` describes to those who cannot see it.

    svg: the text of an SVG file. name: of the picture, put before the names of its parts, which
    another picture of the page may have too; the dot between them tells these from names of tables.
    """
    element = svg[svg.index("<svg") :].replace(EVERYWHERE, "")
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = NAMES_AND_USES.sub(rf"\g<1>{escape(name)}.", element)
    spoken = escape(clipped(sentence))
    element = element.replace("<svg", f'<svg role="img" aria-label="{spoken}"', 1)
    return f"<figure>{element}</figure>"
