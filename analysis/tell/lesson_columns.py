"""The columns of lessons.csv."""

from __future__ import annotations

from analysis.lessons.frame.trial import Trial
from analysis.tell.columns import Column

LESSONS_FILE = "lessons.csv"
LESSON_COLUMNS: tuple[Column[Trial], ...] = (
    Column(stored="name"),
    Column(stored="verdict"),
    Column(stored="claim"),
    Column(stored="source"),
    Column(stored="rule"),
    Column(stored="evidence"),
    Column(stored="reason"),
    Column(stored="command"),
)
