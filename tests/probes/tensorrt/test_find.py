"""The version of trtexec and its flags, as it prints them or as its version should have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.base import Unavailable
from probes.tensorrt.commands import Starter
from probes.tensorrt.find import Tool, find


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("v8601", (8, 6, 1)),
        ("v8412", (8, 4, 12)),
        ("v100300", (10, 3, 0)),
        ("v101602", (10, 16, 2)),
        ("v110400", (11, 4, 0)),
        ("v11.1.0.106", (11, 1, 0)),
    ],
)
def test_the_banner_tells_the_version(
    banner: str, version: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "trtexec"
    line = f"&&&& RUNNING TensorRT.trtexec [TensorRT {banner}] # trtexec --help"
    path.write_text(f"#!/bin/sh\necho '{line}'\n")
    path.chmod(0o755)
    assert find(path).version == version


def test_flags_follow_from_the_version_where_none_are_listed() -> None:
    engine, network = Path("e"), Path("n")
    old = Starter(Tool(Path("t"), (8, 5, 2)), 0)
    assert "--buildOnly" in old.build(network, engine, "fp16", Path("c"))
    new = Starter(Tool(Path("t"), (10, 3, 0)), 1)
    built = new.build(network, engine, "int8", Path("c"))
    assert {"--skipInference", "--int8", "--fp16", "--device=1"} <= set(built)
    strong = Starter(Tool(Path("t"), (11, 4, 0)), 0)
    assert not {"--int8", "--fp16"} & set(strong.build(network, engine, "int8", Path("c")))
    with pytest.raises(Unavailable, match=r"8\.5\.2 has no --bf16"):
        old.build(network, engine, "bf16", Path("c"))
