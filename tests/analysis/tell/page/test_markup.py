"""Tables and pictures of the page: escaped, short enough, and told apart."""

from __future__ import annotations

from analysis.tell.page.markup import LONGEST_TEXT, Cell, Head, picture, table
from analysis.tell.page.stills import Stills

SVG = (
    '<?xml version="1.0"?><svg width="9"><metadata>who made it</metadata>'
    '<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'
    '<g id="a"/><use xlink:href="#a"/><path clip-path="url(#a)"/></svg>'
)


def test_the_exact_number_stands_behind_the_rounded_one() -> None:
    page = table("t", [Head("a"), Head("b", is_number=True)], [[Cell("x"), Cell("1 s", "1.02 s")]])
    assert '<td title="1.02 s">1 s</td>' in page
    assert '<th scope="col" class="number">b</th>' in page


def test_unknown_numbers_are_told_from_texts() -> None:
    page = table("t", [Head("a")], [[Cell("x"), Cell("–", ""), Cell("–")]])
    assert '<td title="">–</td><td>–</td>' in page


def test_texts_are_escaped_and_not_endless() -> None:
    page = table('"', [Head("<")], [[Cell("<b>"), Cell("&" * 9999), Cell("'", '"')]], '"', ['"'])
    assert "<b>" not in page and '"""' not in page
    assert page.count("&amp;") == LONGEST_TEXT


def test_the_parts_of_two_pictures_have_names_of_their_own() -> None:
    page = picture(SVG, 'what "it" shows', "first")
    assert 'id="first.a"' in page and 'href="#first.a"' in page and "url(#first.a)" in page
    assert '<svg role="img" aria-label="what &quot;it&quot; shows" width' in page
    assert "metadata" not in page and "<style" not in page and "<?xml" not in page


def test_pictures_share_the_room_of_the_page() -> None:
    size = len(picture(SVG, "", "one").encode())
    stills = Stills({"one": SVG, "two": SVG}, room=size + 10)
    assert stills.show("one", "").startswith("<figure>")
    assert "two.png" in stills.show("two", "")
    assert stills.show("three", "") == ""
