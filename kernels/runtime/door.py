"""The one door to ONNX Runtime, which keeps it from its vendor's network.

The runtime looks up its vendor's hosts some seconds after a layer ran, and queues names of files
and graphs for it. A variable of the environment that is set before its first import stops that;
``disable_telemetry_events()`` does not.
"""

from __future__ import annotations

import os
from typing import Any

NO_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "1")
"""The variable of the environment, and its value."""


def onnxruntime() -> Any:
    """The module onnxruntime, kept from the network. Raises ImportError if not installed."""
    name, value = NO_TELEMETRY
    os.environ[name] = value
    import onnxruntime

    return onnxruntime


def quantization() -> Any:
    """The module onnxruntime.quantization, kept from the network likewise."""
    onnxruntime()
    from onnxruntime import quantization

    return quantization
