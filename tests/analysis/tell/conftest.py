"""A run of a network in two precisions and of a sweep, on which terminal and page are tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.analyse import analyse
from tests.analysis.layer_rows import conv_sweep, network, run_of


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of that run, analysed; a test may analyse it again, which changes nothing."""
    path = tmp_path_factory.mktemp("run")
    networks = [*network("squeezenet"), *network("squeezenet", "fp32")]
    run_of(*networks, *conv_sweep(("fp16",))).save(path)
    analyse(path)
    return path
