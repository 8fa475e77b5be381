"""The page of runs side by side."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from analysis.compare.comparison import compare
from analysis.compare.files import write
from tests.analysis.compare.made_up import CPU_RUN, set_of


class Links(HTMLParser):
    """Collects ids, links and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            if name == "src" or (name == "href" and tag == "link"):
                self.fetched.append(value or "")


def test_the_page_has_answer_rows_runs_and_sources_and_requests_nothing(tmp_path: Path) -> None:
    first = set_of(CPU_RUN, tmp_path / "first", 1)
    second = set_of(CPU_RUN, tmp_path / "<second>", 2, {"compute/fp32": 1.2})
    folder = write(compare([first, second], gate=0.03), tmp_path / "out")
    page = (folder / "compared.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert "GATE 3.0 % failed" in page
    assert "FP32: 1" in page
    assert "Recorded ranges of a virtual cpu" in page
    assert "virtual AMD EPYC" in page
    assert "<second>" not in page
    assert links.fetched == []
    assert {link.removeprefix("#") for link in links.links if link.startswith("#")} <= set(
        links.ids
    )
    assert len(links.ids) == len(set(links.ids))
    files = {file.name for file in folder.iterdir()}
    assert {"compared.csv", "compared.json", "compared.png", "changes.png"} <= files
