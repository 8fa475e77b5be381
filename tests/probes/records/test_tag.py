"""Tags: text and parts say the same, and one list of variants says which of them draw a roof."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.records.tag import AXES, SWEEP, VARIANTS, Sweep, Tag, parse_tag
from tests.devices import measurement

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
PART = st.one_of(
    st.sampled_from([*VARIANTS, "compute", "bandwidth", "fp16", "wgmma-fp32", "copy", SWEEP]),
    st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1, max_size=8),
)


def tags_of(folder: Path) -> set[str]:
    """The tags of a run, as its table holds them."""
    with (folder / "measurements.csv").open(encoding="utf-8", newline="") as rows:
        return {row["ceiling"] for row in csv.DictReader(rows)}


@pytest.mark.parametrize("folder", sorted(REFERENCE.iterdir()), ids=lambda folder: folder.name)
def test_every_tag_of_a_reference_run_is_written_as_it_was_read(folder: Path) -> None:
    tags = tags_of(folder)
    assert tags
    assert {text for text in tags if str(parse_tag(text)) != text} == set()


@given(st.lists(PART, min_size=4, max_size=7))
def test_any_text_of_four_parts_is_written_as_it_was_read(parts: list[str]) -> None:
    text = "/".join(parts)
    assert str(parse_tag(text)) == text


@given(PART, PART, PART, st.lists(st.sampled_from(sorted(VARIANTS)), unique=True).map(tuple))
def test_any_tag_is_read_as_it_was_written(
    quantity: str, subject: str, path: str, variants: tuple[str, ...]
) -> None:
    is_a_sweep = quantity == SWEEP
    path_is_a_variant = path in VARIANTS
    if not is_a_sweep and not path_is_a_variant:
        tag = Tag(quantity, subject, path, variants)
        assert Tag.parse(str(tag)) == tag


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("compute/fp64", Tag("compute", "fp64")),
        ("compute/fp64/1core", Tag("compute", "fp64", "", ("1core",))),
        (
            "compute/fp8/wgmma-fp32/e5m2/zeros",
            Tag("compute", "fp8", "wgmma-fp32", ("e5m2", "zeros")),
        ),
        ("bandwidth/dram/read/16B", Tag("bandwidth", "dram", "read", ("16B",))),
        ("latency/l2/far", Tag("latency", "l2", "", ("far",))),
        ("transfer/h2d/pageable", Tag("transfer", "h2d", "", ("pageable",))),
        ("overhead/run/cpu", Tag("overhead", "run", "cpu")),
        ("layer/matmul", Tag("layer", "matmul")),
    ],
)
def test_a_tag_is_read_into_its_parts(text: str, tag: Tag) -> None:
    assert Tag.parse(text) == tag


@pytest.mark.parametrize(
    "text", ["", "compute", "compute/", "/fp64", "compute//gemm", "sweep", "sweep/bandwidth/x"]
)
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no tag"):
        parse_tag(text)


def test_a_tag_is_no_sweep_and_a_sweep_no_tag() -> None:
    with pytest.raises(ValueError, match="tag of a sweep"):
        Tag.parse("sweep/bandwidth/gather/read")
    with pytest.raises(ValueError, match="no tag of a sweep"):
        Sweep.parse("bandwidth/dram/read")


@pytest.mark.parametrize(
    ("text", "draws"),
    [
        ("compute/fp32", True),
        ("compute/fp16/wgmma-fp32", True),
        ("bandwidth/dram", True),
        ("bandwidth/dram/copy", False),
        ("latency/dram", False),
        ("transfer/h2d", False),
        *(
            (f"compute/fp8/mma-fp32/{name}", variant.draws_roof)
            for name, variant in VARIANTS.items()
        ),
    ],
)
def test_only_compute_paths_and_whole_levels_draw_roofs(text: str, draws: bool) -> None:
    assert Tag.parse(text).draws_roof is draws


@pytest.mark.parametrize(
    ("text", "operation", "level"),
    [
        ("sweep/bandwidth/working-set/read", "read", "bandwidth/l2/read"),
        ("sweep/bandwidth/working-set/read-1core", "read", "bandwidth/l2/read/1core"),
        ("sweep/bandwidth/working-set/read-per-sm", "read", "bandwidth/l2/read"),
        ("sweep/latency/working-set/chase", "", "latency/l2"),
    ],
)
def test_a_sweep_over_working_sets_speaks_for_levels(text: str, operation: str, level: str) -> None:
    sweep = Sweep.parse(text)
    assert (sweep.operation, str(sweep.at_level("l2"))) == (operation, level)


def test_a_sweep_of_intensities_is_under_the_roof_of_its_path() -> None:
    with_path = Sweep.parse("sweep/compute/intensity/fp16-mma-fp32")
    assert str(with_path.flat) == "compute/fp16/mma-fp32"
    without_path = Sweep.parse("sweep/compute/intensity/fp32")
    assert str(without_path.flat) == "compute/fp32"


def test_an_axis_without_a_row_names_itself() -> None:
    assert Sweep.parse("sweep/bandwidth/page-size/read").axis.title == "Page size"
    assert all(Sweep("bandwidth", name, "read").axis == axis for name, axis in AXES.items())


@pytest.mark.parametrize(
    ("ceiling", "quantity", "counts"),
    [
        ("compute/fp32", "compute", "flops"),
        ("sweep/transfer/size/h2d-pinned", "transfer", "bytes"),
        ("overhead/launch", "overhead", None),
    ],
)
def test_a_row_knows_what_its_rate_counts(ceiling: str, quantity: str, counts: str | None) -> None:
    row = measurement(ceiling)
    assert (row.quantity, row.tag.counts) == (quantity, counts)
    assert (row.sweep is None) == (not ceiling.startswith("sweep"))


def test_a_variant_that_no_row_describes_is_refused() -> None:
    with pytest.raises(ValueError, match="no variant is called 'alone'"):
        Tag("compute", "fp64", variants=("alone",))
