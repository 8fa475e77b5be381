"""Tables of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """A table that scrolls where it is wide. rows: of cells that are markup already. kind: its
    class, if it has one.
    """
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    named = f' class="{kind}"' if kind else ""
    return (
        "<div "
        f'class="wide"><table{named}><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )
