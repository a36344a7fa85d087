"""Which paths of a flow's folder stay out of the code bundle.

Takes the folder; `Ignore.leaves_out(path, is_dir=…)` answers for one path below it, given relative to the folder with
"/" between names. Whoever walks the folder asks for each directory before its contents and never enters one that is
left out, as git does.

`.gitignore` counts as in git: at every level, the deepest file with a matching line decides, and those above the
folder count up to the root of the git work tree. `.flowcignore` has the same syntax and the last word over all
`.gitignore` files, so that `!data.csv` takes a file along that git does not track. Names that never belong in a bundle
(`.git`, `__pycache__`, virtual environments, …) cannot be taken along.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

GITIGNORE = ".gitignore"
FLOWCIGNORE = ".flowcignore"

_NEVER_DIRS = frozenset({".git", ".flowc", "__pycache__", ".venv", "node_modules"})
# In a submodule or a linked work tree `.git` is a file.
_NEVER_FILES = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line of an ignore file. `regex` matches paths relative to the folder of that file."""

    takes_along: bool
    dirs_only: bool
    regex: re.Pattern[str]

    def matches(self, path: str, *, is_dir: bool) -> bool:
        if self.dirs_only and not is_dir:
            return False
        match = self.regex.search(path)
        # pathspec's expression also matches what lies below a directory of that name and marks this with the group.
        # The directory was asked about already; counting its rule again for its contents would undo `*` + `!*/`.
        return match is not None and match.groupdict().get("ps_d") is None


_Rules = tuple[_Rule, ...]


class Ignore:
    """The rules for one folder; an ignore file is read once, when something beside or below it is first asked about."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[tuple[str, str], _Rules] = {}
        self._outer = _outer_rules(folder.resolve())

    def leaves_out(self, path: str, *, is_dir: bool) -> bool:
        name = path.rpartition("/")[2]
        if is_dir:
            if name in _NEVER_DIRS or _is_venv(self._folder / path):
                return True
        elif name in _NEVER_FILES or name.endswith(".pyc"):
            return True
        for files in (self._inner(FLOWCIGNORE, path), self._inner(GITIGNORE, path), _below(self._outer, path)):
            verdict = _verdict(files, is_dir=is_dir)
            if verdict is not None:
                return verdict
        return False

    def _inner(self, kind: str, path: str) -> Iterable[tuple[_Rules, str]]:
        """The ignore files of one kind that have a say in `path`, deepest first, each with the path relative to it."""
        cut = len(path)
        while cut > 0:
            cut = path.rfind("/", 0, cut)
            directory = path[: max(cut, 0)]
            key = (kind, directory)
            if key not in self._files:
                self._files[key] = _read(self._folder / directory / kind)
            yield self._files[key], path[cut + 1 :]


def _below(outer: tuple[tuple[_Rules, str], ...], path: str) -> Iterable[tuple[_Rules, str]]:
    return ((rules, prefix + path) for rules, prefix in outer)


def _verdict(files: Iterable[tuple[_Rules, str]], *, is_dir: bool) -> bool | None:
    """The last matching line of the first file that has one; None when no line matches."""
    for rules, path in files:
        for rule in reversed(rules):
            if rule.matches(path, is_dir=is_dir):
                return not rule.takes_along
    return None


def _outer_rules(folder: Path) -> tuple[tuple[_Rules, str], ...]:
    """The `.gitignore` files above the folder, nearest first, each with the folder's path relative to it."""
    found: list[tuple[_Rules, str]] = []
    directory = folder
    while not (directory / ".git").exists():
        if directory == directory.parent:
            return ()  # no work tree: what happens to lie above says nothing about this folder
        directory = directory.parent
        prefix = folder.relative_to(directory).as_posix() + "/"
        found.append((_read(directory / GITIGNORE), prefix))
    # Someone who runs a flow in a folder that git ignores still wants its files.
    inside = folder
    while inside != directory:
        asked = ((rules, prefix.removesuffix("/")) for rules, prefix in _prefixes(found, folder, inside))
        if _verdict(asked, is_dir=True):
            return ()
        inside = inside.parent
    return tuple(found)


def _prefixes(found: list[tuple[_Rules, str]], folder: Path, inside: Path) -> Iterable[tuple[_Rules, str]]:
    """`found` as seen from `inside`, which is `folder` or one of the directories above it."""
    up = len(folder.parts) - len(inside.parts)
    for rules, prefix in found[up:]:
        parts = prefix.removesuffix("/").split("/")
        yield rules, "/".join(parts[: len(parts) - up]) + "/"


def _read(path: Path) -> _Rules:
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ()
    return tuple(rule for line in text.split("\n") if (rule := _rule(line.removesuffix("\r"))) is not None)


def _rule(line: str) -> _Rule | None:
    """One line; None where it is blank, a comment or, as for git, not a valid pattern."""
    if line.startswith("#"):
        return None
    pattern = line if line.endswith("\\ ") else line.rstrip(" ")
    takes_along = pattern.startswith("!")
    if takes_along:
        pattern = pattern[1:]
        if pattern.startswith(("#", "!")):
            pattern = "\\" + pattern
    dirs_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    try:
        compiled = tuple(GitIgnoreSpec.from_lines([pattern]).patterns)
    except ValueError:
        return None
    regex = getattr(compiled[0], "regex", None) if compiled else None
    return _Rule(takes_along, dirs_only, regex) if isinstance(regex, re.Pattern) else None


def _is_venv(folder: Path) -> bool:
    try:
        return (folder / "pyvenv.cfg").is_file()
    except PermissionError:  # whoever lists the folder will say so, and name it
        return False
