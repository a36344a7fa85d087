"""Did you mean …: the closest known names to a misspelt one.

Takes the name and the candidates; gives the best match or None. `difflib`'s ratio with a cutoff that accepts a
transposed or missing letter in short names and refuses mere resemblance.
"""

from __future__ import annotations

from collections.abc import Iterable

# Comparing is quadratic in the length; a name of this length is no typing mistake.
_LONGEST = 100


def closest(name: str, candidates: Iterable[str]) -> str | None:
    from difflib import get_close_matches

    if not name or len(name) > _LONGEST:
        return None
    known = {candidate.lower(): candidate for candidate in candidates if len(candidate) <= _LONGEST}
    found = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def did_you_mean(name: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The help lines: one or none."""
    found = closest(name, candidates)
    return (f"did you mean `{found}`?",) if found else ()


def listed(names: Iterable[str], *, word: str = "and") -> str:
    """`a`, `b` and `c`; long lists are cut."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 8:
        quoted = [*quoted[:7], f"{len(quoted) - 7} more"]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"
