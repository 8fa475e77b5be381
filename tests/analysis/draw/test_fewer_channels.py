"""The picture of fewer channels: a line for each group, a mark for each network."""

from __future__ import annotations

import math

from analysis.draw.sparsity import channels
from analysis.prune.channels import forecasts
from analysis.prune.times import Range
from analysis.tell.channel_columns import span_in_decibels, span_in_seconds
from tests.analysis.prune.test_channels import points, study


def test_groups_and_networks_are_drawn_with_what_was_predicted() -> None:
    known = study()
    found = forecasts(known, points())
    assert channels.drawable(known, found)
    assert not channels.drawable(known, [])
    picture = channels.figure(known, found, 20e-6, "net", "made-up", (10, 6))
    groups, networks = picture.axes
    assert {line.get_gid() for line in groups.lines} >= {"group/a", "group/b"}
    marks = {line.get_gid() for line in networks.lines}
    assert marks >= {"network/channels 50 %", "network/channels 50 % and 3"}
    assert "times as predicted: 1 of 2" in channels.sentence(known, found)


def test_intervals_are_told_in_words() -> None:
    (half, _) = forecasts(study(), points())
    assert span_in_decibels(None) == span_in_seconds(None)
    drowned = Range(value=1.0, low=0.5, high=math.inf)
    assert span_in_decibels(drowned) == "below 3 dB"
    assert span_in_decibels(half.noise).endswith("dB")
    assert " to " in span_in_seconds(half.seconds)
