"""A page of an answer, sections and tables, without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from analysis.tell.page.markup import clipped, paragraph, picture

FOLDER = Path(__file__).parent
MOST_PICTURES = 2_500_000
"""Bytes of pictures on a page; the files beside it hold them all."""


@dataclass(frozen=True, kw_only=True)
class PlainPage:
    """What such a page says; texts are plain, but for sections and badge, which are HTML."""

    kind: str
    """What it is a page of: ``Fleet``."""
    made: str
    """How Ridgeline made it: ``Compared``."""
    title: str
    """What stands above all."""
    facts: str
    """What stands below that."""
    answer: Sequence[str]
    """Sentences, the most important first."""
    sections: Sequence[tuple[str, str, str]]
    """Name, title and HTML of each."""
    table: str
    """Name of the section that one may skip to."""
    badge: str = ""
    """Behind the title."""

    def html(self) -> str:
        """The page."""
        template = Template((FOLDER / "plain.html").read_text(encoding="utf-8"))
        return template.substitute(
            kind=self.kind,
            made=self.made,
            title=escape(clipped(self.title)),
            badge=f" {self.badge}" if self.badge else "",
            style=(FOLDER / "page.css").read_text(encoding="utf-8"),
            table=self.table,
            facts=escape(clipped(self.facts)),
            contents="".join(
                f'<a href="#{name}">{escape(clipped(title, 40))}</a> '
                for name, title, _ in self.sections
            ),
            answer="".join(map(paragraph, self.answer)),
            sections="".join(
                f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(clipped(title))}</h2>'
                f"{content}</section>\n"
                for name, title, content in self.sections
            ),
        )


def pictures_within(svgs: Mapping[str, str], spoken: Mapping[str, str]) -> str:
    """The pictures that there is room for; of the others where they are.

    svgs: SVG text by the name of the picture's file, without ending. spoken: what each shows.
    """
    parts = []
    room = MOST_PICTURES
    for name, svg in svgs.items():
        room -= len(svg)
        if room < 0:
            parts.append(paragraph(f"Its picture is {name}.png, beside this page.", "soft"))
        else:
            parts.append(picture(svg, spoken.get(name, name), name))
    return "".join(parts)
