"""Markup of the page: tables, pictures and what is folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Iterable[str]], css_class: str = "") -> str:
    """A table that scrolls where it is wide. rows: of cells that are markup already."""
    head_cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    attribute = f' class="{css_class}"' if css_class else ""
    return (
        f'<div class="wide"><table{attribute}>'
        f"<thead><tr>{head_cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def paragraph(text: str, css_class: str = "") -> str:
    """A paragraph of plain text."""
    attribute = f' class="{css_class}"' if css_class else ""
    return f"<p{attribute}>{escape(text)}</p>"


def svg_element(svg: str) -> str:
    """The picture of an SVG file, without what stands before it in the file."""
    return svg[svg.index("<svg") :]


def folded(title: str, content: str) -> str:
    """Markup that is seen after a click on its title."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"
