"""A page taken apart for tests: its markup, its scripts and its data."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

SCRIPT = re.compile(r"<script([^>]*)>(.*?)</script>", re.DOTALL)


def markup_of(page: str) -> str:
    """The page without what stands in its scripts."""
    return SCRIPT.sub("", page)


def scripts_of(page: str) -> list[str]:
    """The scripts that run."""
    return [text for attributes, text in SCRIPT.findall(page) if not attributes]


def data_of(page: str, name: str = "data") -> Any:
    """The JSON of that name."""
    texts = [text for attributes, text in SCRIPT.findall(page) if f'id="{name}"' in attributes]
    assert len(texts) == 1
    return json.loads(texts[0])


def policy_of(page: str) -> dict[str, list[str]]:
    """The Content-Security-Policy: what each directive allows."""
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', page)
    directives = content.replace("&#x27;", "'").split("; ")
    return {name: allowed for name, *allowed in map(str.split, directives)}


class Reader(HTMLParser):
    """Reads a page as a browser does: every element with its attributes, and texts by element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def names(self) -> list[str]:
        """The ``id`` of every element that has one."""
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]
