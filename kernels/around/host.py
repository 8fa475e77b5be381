"""The steps as programs in Python do them: Pillow for photographs, NumPy for numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import kernels.around.work as work
from kernels.base import Audit, Unavailable, Work
from kernels.device import Device


def missing() -> str:
    """Why they cannot run here, or nothing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return "Pillow is not installed: pip install pillow"
    return ""


def decoder() -> Callable[[], np.ndarray]:
    """A JPEG file in memory to pixels."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(work.photograph()).save(file, "JPEG", quality=work.QUALITY)
    data = file.getvalue()
    return lambda: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def resizer() -> Callable[[], np.ndarray]:
    """Pixels to those that the network takes."""
    from PIL import Image

    image = Image.fromarray(work.photograph())
    size = (work.SIDE, work.SIDE)
    return lambda: np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def normaliser() -> Callable[[], np.ndarray]:
    """Pixels to planes of floats about zero."""
    pixels = work.resized()

    def normalise() -> np.ndarray:
        scaled = (pixels.astype(np.float32) / 255 - work.MEAN) / work.DEVIATION
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])

    return normalise


def classifier() -> Callable[[], np.ndarray]:
    """Scores to the best classes and their probabilities."""
    logits = work.logits()

    def classify() -> np.ndarray:
        powers = np.exp(logits - logits.max())
        shares = powers / powers.sum()
        best = np.argpartition(-shares, work.TOP)[: work.TOP]
        best = best[np.argsort(-shares[best])]
        return np.stack([best, shares[best]])

    return classify


def suppressor() -> Callable[[], np.ndarray]:
    """Boxes and scores to the boxes that do not overlap a better one."""
    boxes, scores = work.detections()

    def suppress() -> np.ndarray:
        best = np.argsort(-scores.max(1), kind="stable")[: work.CANDIDATES]
        candidates = boxes[best]
        sizes = candidates[:, 2:] - candidates[:, :2]
        areas = sizes[:, 0] * sizes[:, 1]
        is_open = np.ones(len(best), bool)
        kept = np.zeros(len(boxes))
        for place in range(len(best)):
            if not is_open[place]:
                continue
            kept[best[place]] = 1
            low = np.maximum(candidates[place, :2], candidates[:, :2])
            high = np.minimum(candidates[place, 2:], candidates[:, 2:])
            sides = np.clip(high - low, 0, None)
            inner = sides[:, 0] * sides[:, 1]
            is_open &= inner / (areas[place] + areas - inner) < work.OVERLAP
        return kept

    return suppress


MAKERS: Mapping[str, Callable[[], Callable[[], np.ndarray]]] = {
    work.DECODE: decoder,
    work.RESIZE: resizer,
    work.NORMALISE: normaliser,
    work.CLASSIFY: classifier,
    work.SUPPRESS: suppressor,
}
"""What does each step, by its name."""


class HostLaunch:
    """A step of the host, called again and again."""

    def __init__(self, step: str) -> None:
        self._call: Callable[[], np.ndarray] | None = MAKERS[step]()
        self._answer = np.zeros(0)

    def run(self, repeat: int) -> None:
        """One call after the other."""
        assert self._call is not None
        for _ in range(repeat):
            self._answer = self._call()

    def result(self) -> np.ndarray:
        """What the last call answered."""
        return np.asarray(self._answer, np.float64)

    def clock_hz(self) -> float | None:
        """Not observed."""
        return None

    def audit(self, work: Work) -> Audit:
        """Libraries do it: there is no machine code of ours."""
        return Audit(note="on one core of the host")

    def close(self) -> None:
        """Let its arrays go."""
        self._call = None


def _build(
    step: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Any
) -> HostLaunch:
    if reason := missing():
        raise Unavailable(reason)
    return HostLaunch(step)


def builder(step: str) -> Callable[..., HostLaunch]:
    """The ``Builder`` of a step."""
    return partial(_build, step)
