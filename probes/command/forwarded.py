"""The command line of a run that another process makes: this one's, with some options changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def without(argv: Sequence[str], taken: Mapping[str, int], known: Sequence[str]) -> list[str]:
    """The words of a command line without these options and their values.

    taken: how many values each takes, by its name. known: names of all options, since a user may
    write the beginning of one that no other has.
    """
    words = []
    skip = 0
    for word in argv:
        if skip:
            skip -= 1
            continue
        name, has_value, _ = word.partition("=")
        option = _whole_name(name, known)
        if option in taken:
            skip = 0 if has_value else taken[option]
            continue
        words.append(word)
    return words


def _whole_name(name: str, known: Sequence[str]) -> str:
    """The option that a word names, or the word itself."""
    if name in known or not name.startswith("--") or name == "--":
        return name
    begins_so = [option for option in known if option.startswith(name)]
    return begins_so[0] if len(begins_so) == 1 else name
