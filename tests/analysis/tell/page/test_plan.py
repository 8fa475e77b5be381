"""The page on a plan: its sentences, recipes, stages and pictures in a section of their own."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
from pathlib import Path

import pytest

from analysis.analyse import INCHES, analyse, model
from analysis.draw.files import svg_and_png
from analysis.draw.plan.pictures import FRONT, plan_figures
from analysis.draw.plan.pictures import STAGES as STAGES_PICTURE
from analysis.outcome import Outcome
from analysis.tell.page.document import MOST_BYTES, html
from analysis.units import NO_BREAK
from tests.analysis.plan_rows import Made, save
from tests.analysis.tell.page.reading import Reader, data_of, markup_of, policy_of

STAGES = 14
NETWORK = Made(STAGES)
NASTY = "</script><script>alert(1)</script>\"'<!--<b>&"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan")
    NETWORK.run().save(path)
    save(NETWORK.known(), path)
    analyse(path)
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return model(NETWORK.run(), NETWORK.known())


@pytest.fixture(scope="module")
def section(page: str) -> str:
    begin = page.index('<section aria-labelledby="plan">')
    return page[begin : page.index("</section>", begin)]


def test_the_contents_lead_to_it(page: str) -> None:
    assert '<a href="#plan">What to quantize</a>' in page
    assert page.count('id="plan"') == 1


def test_every_sentence_stands_there_and_the_choice_in_the_answer(
    page: str, section: str, outcome: Outcome
) -> None:
    assert outcome.plan and outcome.plan.sentences
    plain = section.replace(NO_BREAK, " ")
    for sentence in outcome.plan.sentences:
        assert sentence in plain
    begin = page.index('<section class="answer"')
    answer = page[begin : page.index("</section>", begin)].replace(NO_BREAK, " ")
    assert outcome.plan.sentences[0] in answer


def test_recipes_and_stages_sort_by_their_exact_values(section: str, outcome: Outcome) -> None:
    assert outcome.plan and outcome.plan.study
    for point in outcome.plan.study.points:
        assert f'title="{point.seconds!r} s"' in section
        assert point.loss and f'title="{point.loss.share!r}"' in section
    for verdict in outcome.plan.verdicts:
        assert f'title="{verdict.gain_seconds!r} s"' in section
        assert f'title="{verdict.sqnr_db!r}"' in section


def test_its_pictures_are_there_and_those_of_ranges_are_folded(section: str) -> None:
    spoken = re.findall(r'<svg role="img" aria-label="(.*?)"', section)
    assert len(spoken) == 3 + 2
    assert spoken[0].startswith("9 recipes, time of one run against loss; plan ")
    folds = section.index("Ranges of activations, by method</summary>")
    assert section.count("<svg", folds) == 2
    assert section[:folds].count("<svg") == 3


def test_the_table_of_stages_is_handed_out(page: str, folder: Path, outcome: Outcome) -> None:
    packed = data_of(page, "files")["plan.csv"]
    text = gzip.decompress(base64.b64decode(packed)).decode()
    assert text == (folder / "plan.csv").read_text(encoding="utf-8")
    assert len(list(csv.DictReader(io.StringIO(text)))) == STAGES


def test_the_page_requests_nothing_and_stays_small(page: str) -> None:
    assert len(page.encode()) < MOST_BYTES
    assert policy_of(page)["default-src"] == ["'none'"]
    for tag, attributes in Reader(page).elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base")
        assert not {"src", "srcset", "action"} & set(attributes)
    names = Reader(re.sub("<svg.*?</svg>", "", page, flags=re.DOTALL)).names()
    assert len(set(names)) == len(names)


def test_a_page_without_a_plan_has_no_trace_of_it() -> None:
    page = html(model(NETWORK.run()), {}, {})
    assert "What to quantize" not in page
    assert ".plan figure" not in page


def test_no_name_ends_a_script_or_an_element() -> None:
    known = NETWORK.known()
    for row in (*known.stages, *known.ranges, *known.errors):
        object.__setattr__(row, "network", NASTY)
    for row in known.stages[:1]:
        object.__setattr__(row, "stage", NASTY)
    outcome = model(NETWORK.run(), known)
    assert outcome.plan
    figures = plan_figures(outcome.plan, outcome.run.device, INCHES)
    pictures = {name: svg_and_png(figures[name])[0] for name in (FRONT, STAGES_PICTURE)}
    page = html(outcome, pictures, {})
    assert 'aria-label="14 stages' in page
    assert "<script>alert" not in page
    assert "<b>&" not in markup_of(page)
