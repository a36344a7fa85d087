"""explain: a page for every code, with a program that is wrong and one that is right.

Takes a code; gives its `Page`, read from `explain_pages/CODE.md`. Refuses, with suggestions, what is no code. To add a
page, write that file; nothing else has to be told. The tests check its shape and run its programs:

    # F0312: the rule in a few words

    Why the rule is there and what to do, in one or two paragraphs.

    ## Wrong

    Words, where they help, and one ```flow block: a whole program whose only errors are of this code.

    ## Right

    The same program put right, in one ```flow block.

A Python file that the flow calls is a block whose first line reads ```python file=prepare.py; what stands in the wrong
part is there in the right part too, unless that has a file of this name. A code of a target (F1xxx, F2xxx) whose fault
is in the command shows it in a ```sh block. Where no file of reasonable length can show a fault, the block is ```text
and the test has a list of these codes, with reasons.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from flowc.dsl.suggest import closest

from .inputs import Refused

# By their first digits; the longest that fits counts.
FAMILIES = {
    "F01": "Syntax",
    "F02": "Names and the graph",
    "F03": "Types",
    "F04": "Settings and environment",
    "F05": "Bodies and frameworks",
    "F06": "The code bundle",
    "F1": "Argo Workflows",
    "F2": "Step Functions and AWS Batch",
    "F3": "Runs on this machine",
}

_FOLDER = "explain_pages"
_FENCE = re.compile(r"^```(\w*)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WIDTH = 88


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences; `file` is the name it is to be saved under, if it says one."""

    language: str
    file: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """`summary` is the first paragraph on one line."""

    code: str
    title: str
    markdown: str

    @property
    def summary(self) -> str:
        return " ".join(self.markdown.split("\n\n")[1].split())

    def section(self, name: str) -> str:
        """The part under `## name`; empty if there is none."""
        _, _, rest = self.markdown.partition(f"\n## {name}\n")
        return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> tuple[Block, ...]:
    return tuple(Block(found[1], found[2], found[3]) for found in _FENCE.finditer(text))


# --- finding ----------------------------------------------------------------------------------------------------------


@cache
def codes() -> tuple[str, ...]:
    names = (entry.name for entry in (files(__package__) / _FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in names if re.fullmatch(r"F\d{4}\.md", name)))


def find(code: str) -> Page | None:
    """The page of a code as diagnostics have it."""
    try:
        markdown = (files(__package__) / _FOLDER / f"{code}.md").read_text("utf-8")
    except FileNotFoundError:
        return None
    _, _, title = markdown.partition("\n")[0].partition(": ")
    return Page(code, title, markdown)


def asked(word: str) -> Page:
    """The page that somebody at the prompt means: `F0312`, `f0312`, `312` or `error[F0312]`."""
    if found := re.fullmatch(r"(?:\w*\[)?[fF]?([0-9]{3,4})\]?:?", word):
        code = f"F{found[1]:0>4}"
        if (page := find(code)) is not None:
            return page
        near = closest(code, codes())
        raise Refused(
            f"there is no code {code}",
            f"did you mean {near}?" if near else "flowc explain, without a code, lists them all",
        )
    titles = [page for code in codes() if (page := find(code)) and word.lower() in page.title.lower()]
    named = [f"{page.code}: {page.title}" for page in titles[:5]] if len(word) > 2 else []
    raise Refused(
        f"{word!r} is no code; codes look like F0312", *named, "flowc explain, without a code, lists them all"
    )


# --- showing ----------------------------------------------------------------------------------------------------------


def listing() -> str:
    """Every code with its title."""
    parts = []
    families = sorted(FAMILIES, key=len, reverse=True)
    last = None
    for code in codes():
        family = next(start for start in families if code.startswith(start))
        if family != last:
            parts.append(f"{'' if last is None else chr(10)}{FAMILIES[family]}\n")
            last = family
        page = find(code)
        assert page is not None
        parts.append(f"  {code}  {page.title}\n")
    return "".join(parts)


def as_text(page: Page, width: int = _WIDTH) -> str:
    """The page for a terminal: programs set in, paragraphs wrapped, no Markdown but the code's own back quotes."""
    return "".join(f"{part}\n" for part in _parts(page.markdown, width)).strip("\n") + "\n"


def _parts(markdown: str, width: int) -> Iterator[str]:
    end = 0
    for found in _FENCE.finditer(markdown):
        yield from _prose(markdown[end : found.start()], width)
        if found[2]:
            yield f"    {found[2]}:\n"
        yield textwrap.indent(found[3], "    ")
        end = found.end()
    yield from _prose(markdown[end:], width)


def _prose(text: str, width: int) -> Iterator[str]:
    for paragraph in filter(None, (part.strip() for part in text.split("\n\n"))):
        if paragraph.startswith("#"):
            yield f"{paragraph.lstrip('# ')}\n"
            continue
        for item in re.split(r"\n(?=\* )", paragraph):
            indent = "  " if item.startswith("* ") else ""
            yield textwrap.fill(
                " ".join(item.split()), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        yield ""
