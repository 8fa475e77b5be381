"""A profile of trtexec finds its layer information by names or layers, never by their order."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from probes.importers.trtexec.pairs import Named, paired
from probes.records.measurement import RidgelineError


def files(texts: list[str]) -> list[Named]:
    """Files with layers: ``fp16.profile.json:ab`` is one with the layers a and b."""
    named = []
    for text in texts:
        path, _, layers = text.partition(":")
        named.append(Named(Path(path), frozenset(layers)))
    return named


@pytest.mark.parametrize(
    ("profiles", "infos", "pairs"),
    [
        (
            ["fp16.profile.json:a", "fp32.profile.json:a"],
            ["fp32.graph.json:a", "fp16.graph.json:a"],
            "1 0",
        ),
        (["profile.json:ab"], ["layers.json:ab"], "0"),
        (["net_profile.json:ab"], ["net-layer_info.json:abc"], "0"),
        (
            ["a/profile.json:ab", "b/profile.json:ab"],
            ["b/layers.json:ab", "a/layers.json:ab"],
            "1 0",
        ),
        (["times.json:ab"], ["engine42.json:abcd"], "0"),
        (["one.json:ab", "two.json:cd"], ["x.json:cd", "y.json:ab"], "1 0"),
        (["one.json:abc"], ["x.json:ab", "one.layers.json:a"], None),
        (["r50.profile.json:ab", "other.json:ab"], ["r50.layers.json:ab"], "0 -"),
        (["fp16.profile.json:a"], [], "-"),
    ],
)
def test_files_are_paired_whatever_their_order(
    profiles: list[str], infos: list[str], pairs: str | None
) -> None:
    """``pairs``: the place of each profile's information; None where one belongs to no profile."""
    if pairs is None:
        with pytest.raises(RidgelineError, match="belongs to no profile"):
            paired(files(profiles), files(infos))
        return
    timed, described = files(profiles), files(infos)
    expected = {
        profile.path: described[int(place)].path
        for profile, place in zip(timed, pairs.split(), strict=True)
        if place != "-"
    }
    for timed_in_any_order in permutations(timed):
        for described_in_any_order in permutations(described):
            assert paired(timed_in_any_order, described_in_any_order) == expected


@pytest.mark.parametrize(
    ("profiles", "infos", "says"),
    [
        (
            ["one.json:ab"],
            ["x.json:ab", "y.json:ab"],
            "one.json fits x.json and y.json alike: call both of a pair",
        ),
        (["one.json:ab", "two.json:ab"], ["x.json:ab"], "x.json fits one.json and two.json alike"),
        (
            ["fp16.profile.json:a"],
            ["fp32.graph.json:a"],
            "fp32.graph.json says what layers are, and belongs to no",
        ),
        (
            ["n.profile.json:a"],
            ["n.layers.json:b"],
            "n.layers.json describes none of the layers of n.profile.json",
        ),
        (
            ["one.json:ab"],
            ["x.json:ab", "y.json:c"],
            "y.json says what layers are, and belongs to no profile",
        ),
    ],
)
def test_what_fits_two_ways_or_none_is_refused(
    profiles: list[str], infos: list[str], says: str
) -> None:
    with pytest.raises(RidgelineError) as error:
        paired(files(profiles), files(infos))
    assert says in str(error.value)
