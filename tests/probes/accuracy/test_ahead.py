"""Looking ahead: what comes next is made while the last is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from probes.accuracy.ahead import ahead, made_ahead


def test_so_many_items_beyond_the_one_given_are_taken() -> None:
    taken: list[int] = []

    def taking() -> Iterator[int]:
        for item in range(5):
            taken.append(item)
            yield item

    items = ahead(taking(), 2)
    assert next(items) == 0
    assert taken == [0, 1, 2]
    assert list(items) == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 16])
def test_things_are_made_in_order(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("probes.accuracy.ahead.processors", lambda: count)
    results = [(item, made()) for item, made in made_ahead(str, range(4))]
    assert results == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]


@pytest.mark.parametrize("count", [1, 16])
def test_what_cannot_be_made_is_told_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("probes.accuracy.ahead.processors", lambda: count)
    made_of = {}
    for divisor, made in made_ahead(lambda divisor: 6 // divisor, [3, 0, 2]):
        if divisor:
            made_of[divisor] = made()
            continue
        with pytest.raises(ZeroDivisionError):
            made()
    assert made_of == {3: 2, 2: 3}


def test_the_next_is_made_while_the_last_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.accuracy.ahead.processors", lambda: 16)
    second_is_made = threading.Event()

    def make(item: int) -> int:
        if item == 1:
            second_is_made.set()
        return item

    for item, made in made_ahead(make, range(2)):
        assert made() == item
        assert second_is_made.wait(60)


def test_few_processors_make_nothing_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.accuracy.ahead.processors", lambda: 2)
    made_so_far: list[int] = []
    for item, made in made_ahead(lambda item: made_so_far.append(item), range(3)):
        made()
        assert made_so_far[-1] == item
