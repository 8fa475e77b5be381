"""What is seen of a picture: its words, and whether they cover each other or leave it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from matplotlib.text import Text


def words(picture: Any) -> list[Text]:
    """Every text that lies level and can be seen."""
    texts = list(picture.texts)
    for ax in picture.axes:
        texts += [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        texts += [*_labels(ax.xaxis), *_labels(ax.yaxis)]
    return [text for text in texts if text.get_text().strip() and not text.get_rotation()]


def _labels(axis: Any) -> list[Text]:
    """Those of the ticks that are in sight."""
    low, high = sorted(axis.get_view_interval())
    labels = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
    return [label for place, label in labels if low <= place <= high and label.get_visible()]


def faults(picture: Any) -> list[str]:
    """Words that leave the picture, and pairs of words of which one covers the other."""
    picture.canvas.draw()
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in words(picture)]
    across, down = picture.get_size_inches() * picture.dpi
    seen = [
        f"{text} leaves the picture"
        for text, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > across or box.y1 > down
    ]
    for (text, a), (other, b) in combinations(boxes, 2):
        is_wide = min(a.x1, b.x1) - max(a.x0, b.x0) > 1
        if is_wide and min(a.y1, b.y1) - max(a.y0, b.y0) > 2:
            seen.append(f"{text} covers {other}")
    return seen


def texts(picture: Any, gid: str) -> list[str]:
    """The words of this gid."""
    found = [text for text in words(picture) if text.get_gid() == gid]
    return [text.get_text() for text in found]


def lines(picture: Any, gid: str) -> list[Any]:
    """The lines of this gid, in all axes."""
    return [line for ax in picture.axes for line in ax.get_lines() if line.get_gid() == gid]
