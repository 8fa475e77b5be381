"""Launches of a kernel that does nothing: the floor under every small layer.

One repetition is one launch. The same code counts its launches where it is given a place to: that is the check, and
while it is timed it has none.
"""

from __future__ import annotations

GRAPH_KERNELS = 32
"""Launches that one graph holds."""
