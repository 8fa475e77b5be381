"""The page as one file: nothing is requested, nothing runs but its scripts, nothing escapes."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from analysis.analyse import model
from analysis.outcome import Outcome
from analysis.tell.page import document
from analysis.tell.page.document import LIMITS, MOST_BYTES, html
from analysis.units import SI_PREFIXES, UNKNOWN
from probes.records.measurement import FAILED, SKIPPED, Measurement
from probes.records.run import COMPLETE, PARTIAL, Run
from tests.analysis.layer_rows import network, run_of
from tests.analysis.tell.page.reading import Reader, data_of, markup_of, policy_of, scripts_of
from tests.devices import GPU, measurement

NASTY = "</script><script>alert(1)</script>\"'<!--<b>&"
"""A name that would end a script, an attribute or an element."""
REQUESTING = ("src", "srcset", "action", "poster", "background", "ping", "formaction", "data")
"""Attributes that make a browser ask for something."""


def page_of(rows: Sequence[Measurement], status: str = COMPLETE) -> str:
    run = run_of(*rows)
    run.status = status
    return html(model(run), {}, {})


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_only_the_scripts_of_the_page_may_run(page: str) -> None:
    policy = policy_of(page)
    scripts = scripts_of(page)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts]
    assert policy["script-src"] == [f"'sha256-{digest.decode()}'" for digest in hashes]
    assert len(scripts) == 2, "plotly and ours"
    assert policy["default-src"] == ["'none'"]
    assert policy["img-src"] == ["data:"]


def test_scripts_are_as_a_browser_reads_them(page: str) -> None:
    for script in scripts_of(page):
        assert "\r" not in script, "a browser would read another text, with another hash"
        assert "<!--" not in script and "<script" not in script


def test_nothing_is_requested(page: str) -> None:
    for tag, attributes in Reader(page).elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "video", "audio")
        assert not set(attributes) & set(REQUESTING), tag
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_every_name_is_given_once_and_every_link_leads_somewhere(page: str) -> None:
    reader = Reader(re.sub("<svg.*?</svg>", "", page, flags=re.DOTALL))
    names = reader.names()
    assert len(set(names)) == len(names)
    links = [attributes["href"] for tag, attributes in reader.elements if tag == "a"]
    assert links
    for link in links:
        assert (link or "").removeprefix("#") in names


def test_pictures_say_what_they_show_and_the_live_plot_is_none(page: str) -> None:
    elements = Reader(markup_of(page)).elements
    pictures = [attributes for tag, attributes in elements if attributes.get("role") == "img"]
    # the network under its roofs, the comparison of its precisions, a sweep
    assert len(pictures) == 3
    assert all(attributes.get("aria-label") for attributes in pictures)
    plot = next(attributes for _, attributes in elements if attributes.get("id") == "plot")
    assert plot["role"] == "group" and plot["tabindex"] == "0"


def test_tables_have_heads_of_columns_and_rows(page: str) -> None:
    elements = Reader(markup_of(page)).elements
    heads = [attributes for tag, attributes in elements if tag == "th"]
    assert {attributes.get("scope") for attributes in heads} == {"row", "col"}
    boxes = [attributes for _, attributes in elements if attributes.get("class") == "wide"]
    labels = [attributes["aria-label"] for attributes in boxes]
    assert len(set(labels)) == len(labels) == sum(tag == "table" for tag, _ in elements)


def test_the_files_of_the_run_are_handed_out_whole(page: str, folder: Path) -> None:
    files = data_of(page, "files")
    assert set(files) == {"ceilings.csv", "placements.csv"}
    for name, packed in files.items():
        assert gzip.decompress(base64.b64decode(packed)) == (folder / name).read_bytes()


def test_a_network_comes_first_and_ceilings_are_folded_below(page: str) -> None:
    order = [page.index(f'id="{name}"') for name in ("roofline", "layers-table", "verdict")]
    assert order == sorted(order)
    before = page[: page.index('id="ceilings-table"')]
    assert before.rindex("<details>") > before.rindex("</details>")


def test_without_layers_the_roofline_has_the_table_of_ceilings() -> None:
    page = page_of([])
    markup = markup_of(page)
    assert 'id="layers-table"' not in markup
    assert markup.index('id="ceilings-table"') < markup.index('id="verdict"')
    assert "Layers" not in markup
    assert data_of(page)["layers"] == data_of(page)["views"] == []


def test_names_cannot_leave_their_place() -> None:
    layer = network("squeezenet")[0]
    facts = json.loads(layer.params)
    named = dataclasses.replace(
        layer, params=json.dumps({**facts, "layer": NASTY, "network": NASTY, "op": NASTY})
    )
    rows = [named, measurement("compute/fp64", status=FAILED, reason=NASTY)]
    run = run_of(*rows)
    run.device = dataclasses.replace(run.device, name=NASTY)
    run.warnings.append(NASTY)
    page = html(model(run), {}, {})
    assert len(scripts_of(page)) == 2
    assert data_of(page)["device"] == NASTY
    assert data_of(page)["views"][0]["name"] == NASTY
    assert not [tag for tag, _ in Reader(markup_of(page)).elements if tag == "b"]
    texts = "".join(Reader(markup_of(page)).texts)
    assert texts.count(NASTY) >= 5, "it is read as it was written"


def test_a_partial_run_says_so_on_top() -> None:
    page = markup_of(page_of([], status=PARTIAL))
    assert page.index("partial run") < page.index("<nav")
    assert "This run is partial." in page


def test_what_was_not_measured_says_why() -> None:
    page = page_of([measurement("compute/bf16", status=SKIPPED, reason="sm_75 has no bf16")])
    assert "<td>skipped</td>" in page
    assert "<td>sm_75 has no bf16</td>" in page


def many_layers(number: int, name: str = "model/encoder/attention/product") -> list[Measurement]:
    """Rows of so many layers of one network, with long names and remarks."""
    layer = network("squeezenet")[0]
    facts = json.loads(layer.params)
    rows = []
    for place in range(number):
        params = json.dumps({**facts, "layer": f"{name}.{place}"})
        rows.append(dataclasses.replace(layer, params=params, reason="captured in a graph " * 8))
    return rows


def test_thousands_of_layers_stay_below_the_size_that_opens() -> None:
    picture = f"<svg>{'x' * 300_000}</svg>"
    outcome = model(run_of(*many_layers(4000)))
    pictures = dict.fromkeys(("roofline", outcome.networks[0].file), picture)
    files = {"placements.csv": "layer,1\n" * 50_000}
    page = html(outcome, pictures, files)
    assert len(page.encode()) <= MOST_BYTES == 4_000_000
    assert len(data_of(page)["layers"]) == LIMITS[0].layers
    assert "Of 4000 layers these are the 1200 that take longest" in page


def test_layers_with_endless_names_leave_room_for_fewer() -> None:
    page = html(model(run_of(*many_layers(2000, "x" * 3000))), {}, {})
    assert len(page.encode()) <= MOST_BYTES
    assert len(data_of(page)["layers"]) in (limits.layers for limits in LIMITS[1:])


def test_every_file_of_scripts_is_on_the_page() -> None:
    names = {path.stem for path in (document.FOLDER / "script").glob("*.js")}
    assert names == set(document.SCRIPTS)


def test_plotly_is_there_with_its_licence() -> None:
    folder = document.FOLDER / "plotly"
    assert "MIT License" in (folder / "LICENSE").read_text(encoding="utf-8")
    head = (folder / "plotly-basic.min.js").read_text(encoding="utf-8")[:200]
    assert "Licensed under the MIT license" in head


def test_a_device_without_theory_has_a_page() -> None:
    unknown = dataclasses.replace(GPU, arch="99.9")
    run = Run(unknown, "2030-01-02T03:04:05Z", {}, {}, measurements=[measurement("compute/fp32")])
    outcome: Outcome = model(run)
    assert "Method and sources" in html(outcome, {}, {})


def test_the_scripts_write_numbers_with_the_prefixes_of_the_program() -> None:
    text = (document.FOLDER / "script" / "numbers.js").read_text(encoding="utf-8")
    pairs = re.findall(r'\[(1e?-?\d*), "(.?)"\]', text)
    assert [(float(factor), prefix) for factor, prefix in pairs] == list(SI_PREFIXES)
    assert f'const UNKNOWN = "{UNKNOWN}"' in text
