"""Engines are found by what they were built of; damaged ones and the oldest go."""

from __future__ import annotations

import os
from pathlib import Path

from probes.tensorrt.cache import Engines, key_of


def kept(engines: Engines, key: str, content: bytes) -> Path:
    """An engine with this content, kept."""
    built = engines.unfinished(key)
    built.write_bytes(content)
    return engines.keep(key, built)


def test_a_damaged_engine_is_built_again(tmp_path: Path) -> None:
    engines = Engines(tmp_path)
    path = kept(engines, "a", b"engine")
    assert engines.find("a") == path
    path.write_bytes(b"engin")
    assert engines.find("a") is None
    assert not path.exists()


def test_the_engine_that_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    engines = Engines(tmp_path, most_bytes=10)
    first, second = kept(engines, "a", b"12345"), kept(engines, "b", b"12345")
    os.utime(first, (2, 2))
    os.utime(second, (1, 1))
    third = kept(engines, "c", b"12345")
    assert sorted(tmp_path.iterdir()) == sorted((first, third))


def test_whatever_an_engine_depends_on_is_in_its_key() -> None:
    assert key_of(b"net", ["8.6", "--fp16"]) == key_of(b"net", ["8.6", "--fp16"])
    keys = {key_of(b"net", ["8.6", "--fp16"]), key_of(b"net2", ["8.6", "--fp16"])}
    keys |= {key_of(b"net", ["8.6", "--int8"]), key_of(b"net", ["10.3", "--fp16"])}
    assert len(keys) == 4
