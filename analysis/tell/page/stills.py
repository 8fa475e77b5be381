"""Static pictures of the page, as many as the page has room for."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.tell.page.markup import paragraph, picture


class Stills:
    """The static pictures of one page. Each takes of the room that is left."""

    def __init__(self, pictures: Mapping[str, str], room: int) -> None:
        """room: bytes of all of them together."""
        self._pictures = pictures
        self._room = room

    def has(self, name: str) -> bool:
        """True if a picture of that name was drawn."""
        return name in self._pictures

    def show(self, name: str, sentence: str) -> str:
        """The picture of that name as markup; where there is no room, the name of its file.

        Empty if it was not drawn. sentence: what is told to those who cannot see it.
        """
        svg = self._pictures.get(name, "")
        if not svg:
            return ""
        figure = picture(svg, sentence, name)
        size = len(figure.encode("utf-8", "replace"))
        if size > self._room:
            return paragraph(f"Its picture is {name}.png, beside this page.", "soft")
        self._room -= size
        return figure
