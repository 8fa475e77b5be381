"""Errors of trtexec are one line with the way out, and the surer error is told."""

from __future__ import annotations

import pytest

from probes.tensorrt.process import Ended
from probes.tensorrt.why import why_failed


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [
                "[01/02/2030-03:04:05] [E] Error[2]: Requested amount of GPU memory (8 bytes) could"
                " not be allocated. There may not be enough free memory. OutOfMemory",
                "[E] Error[10]: Could not find any implementation for node conv1.",
            ],
            "out of memory",
        ),
        (
            ["[E] 6: The plan is generated on an incompatible device, expecting compute 7.0"],
            "built for another GPU",
        ),
        (
            [
                "[E] Error[6]: The engine plan file is not compatible with this version of "
                "TensorRT, expecting library version 8.6.1.6 got 8.5.2.2, please rebuild."
            ],
            "of another version of TensorRT",
        ),
        (["[E] Unknown option: --buildOnly "], "does not know the flag --buildOnly"),
        (["[01/02/2030-03:04:05] [E] Strange thing"], "Strange thing (building"),
    ],
)
def test_the_words_of_trtexec_are_understood(lines: list[str], words: str) -> None:
    told = why_failed(Ended(1, tuple(lines), 1.0), "building the engine")
    assert words in told
    assert "\n" not in told


def test_skipped_tactics_are_no_error() -> None:
    lines = ("[W] [TRT] Skipping tactic 8 due to insufficient memory", "[I] x", "[I] y", "[I] z")
    assert "memory" not in why_failed(Ended(1, lines, 1.0), "timing")
