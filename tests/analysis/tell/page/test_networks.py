"""The page on networks: what to gain, precisions compared, and what is not known."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path

import pytest

from analysis.analyse import analyse, model
from analysis.layers.alike import most_to_gain
from analysis.layers.words import headline
from analysis.tell.page.networks import GROUPS, networks_and_sweeps
from analysis.tell.page.stills import Stills
from tests.analysis.layer_rows import graph, row, run_of
from tests.analysis.tell.page.reading import markup_of


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return markup_of((folder / "report.html").read_text(encoding="utf-8"))


def test_the_section_tells_of_each_network(page: str, folder: Path) -> None:
    net = analyse(folder).networks[0]
    assert headline(net) in page
    for text in (
        "FLOPs do not predict time",
        "Most to gain",
        "precisions compared",
        "<h3>conv-kernel</h3>",
    ):
        assert text in page
    assert page.count("12 points</summary>") == 1, "folded once"
    first = page.index("<h4>Most to gain")
    names = [group.name for group in most_to_gain(net.layers, GROUPS)]
    places = [page.index(f'<th scope="row">{name}</th>', first) for name in names]
    assert places == sorted(places)


def test_a_number_sorts_by_its_exact_value(page: str, folder: Path) -> None:
    with open(folder / "placements.csv", encoding="utf-8", newline="") as source:
        exact = {(each["layer"], each["dtype"], each["seconds"]) for each in csv.DictReader(source)}
    begin = page.index('id="layers-table"')
    table = page[begin : page.index("</table>", begin)]
    heads = re.findall(r'<th scope="col".*?>(.*?)</th>', table)
    shown = set()
    for line in re.findall(r"<tr id=.*?</tr>", table):
        cells = re.findall(r"<t[dh](.*?)>(.*?)</t[dh]>", line)
        texts = dict(zip(heads, (text for _, text in cells), strict=True))
        titles = dict(zip(heads, (attributes for attributes, _ in cells), strict=True))
        seconds = re.findall(r'title="(.*?) s"', titles["time"])[0]
        shown.add((texts["layer"], texts["type"], seconds))
    assert shown == exact


def test_unknown_operations_are_listed_with_their_share_of_time() -> None:
    nodes = graph("bvlc_alexnet").nodes
    rows = [row(node, "fp16", network="alex") for node in nodes]
    some_unknown = [
        dataclasses.replace(each, flops=None) if each.kernel == "LRN" else each for each in rows
    ]
    outcome = model(run_of(*some_unknown))
    section = networks_and_sweeps(outcome, Stills({}, 0), 100)
    share = sum(p.time_share for p in outcome.placements if p.op == "LRN")
    assert "Unknown operations" in section
    assert f'<th scope="row">LRN</th><td title="2">2</td><td title="{share!r}"' in section
    all_known = model(run_of(*rows))
    assert "Unknown operations" not in networks_and_sweeps(all_known, Stills({}, 0), 100)
