"""A megabyte of garbage, of many kinds: what a careless lexer or parser takes forever for, or falls over.

`KINDS` are functions that give a text of about that many characters; the same text each time.

    python -m tests.fuzz.garbage [SIZE]

checks one text of each kind, and shows how long that took and what showing the diagnostics takes.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flowc.compiler.driver import check_source
from flowc.compiler.render.text import render
from flowc.dsl.spans import Source

MEGABYTE = 1_000_000

_SPELLINGS = """
    flow param defaults step in out after env run call parallel torchrun foreach if else repeat until finally max each
    secret schedule on main either previous edition import template bash python true false and or not x y z
    string int float list image cpu memory { } ( ) [ ] [*] , . = : == < ''' "a" "b # ## $ @ ; - 0 1 -1 16GiB 2h 1e400
"""
_WORDS = _SPELLINGS.split()


def _repeated(part: str, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda size: before + part * max(1, (size - len(before) - len(after)) // len(part)) + after


def _random_bytes(size: int) -> str:
    return random.Random(1).randbytes(size).decode(errors="replace").replace("\0", "?")


def _random_letters(size: int) -> str:
    return "".join(random.Random(2).choices("abcz_09 \n\t{}[]().,:=<>#\"'-$*é", k=size))


def _random_words(size: int) -> str:
    return "flow f {\n" + " ".join(random.Random(3).choices(_WORDS, k=size // 4))


def _random_lines(size: int) -> str:
    rng = random.Random(4)
    return "flow f {\n" + "\n".join(" ".join(rng.choices(_WORDS, k=rng.randint(1, 6))) for _ in range(size // 16))


def _wrong_steps(size: int) -> str:
    """In each a mistake, each in a line of its own."""
    wrong = ("in = 3", "cpu = ", "out x int", "run [", "in x = = 3", "env = 3", "}", "{", "call 3", "after", "x y z")
    steps = (f"step s{number} {{ {wrong[number % len(wrong)]}\n run ['a'] }}\n" for number in range(size // 30))
    return "flow f {\n" + "".join(steps)


def _dangling(size: int) -> str:
    """Every reference unknown, every name declared twice."""
    return "flow f {\n" + 'step s { in a = nobody.x in b = c run ["a", d, out.e] }\n' * (size // 55) + "}\n"


def _brackets(pairs: str) -> Callable[[int], str]:
    half = len(pairs) // 2
    opening, closing = pairs[:half], pairs[half:]
    return lambda size: (
        f"flow f {{ step s {{ in x = {opening * (size // len(pairs))}1{closing * (size // len(pairs))} }} }}"
    )


def _almost_known(size: int) -> str:
    """Unknown names that are almost like known ones: looking for the nearest must not be quadratic."""
    count = size // 60
    steps = (f'step name_of_step_{number} {{ out x: int run ["a", out.x] }}\n' for number in range(count // 2))
    reads = (f'step r{number} {{ in x = name_of_stepp_{number}.x run ["a"] }}\n' for number in range(count // 2))
    return "flow f {\n" + "".join(steps) + "".join(reads) + "}\n"


KINDS: dict[str, Callable[[int], str]] = {
    "random bytes": _random_bytes,
    "random letters": _random_letters,
    "random words": _random_words,
    "random lines": _random_lines,
    "wrong steps": _wrong_steps,
    "dangling names": _dangling,
    "nothing but blanks": _repeated(" \n\t"),
    "nothing but zeros": _repeated("0"),
    "NUL characters": _repeated("\0"),
    "one long name": _repeated("a"),
    "a step with a long name": _repeated("a", "flow f { step ", ' { run ["a"] } }'),
    "an input with a long name": _repeated("a", "flow f { step s { in ", ' = nobody.x run ["a"] } }'),
    "names": _repeated("abc "),
    "commas": _repeated(","),
    "dots": _repeated("x.", "flow f { step s { in x = "),
    "minuses": _repeated("-", "flow f { cpu = "),
    "signs": _repeated("@;", "flow f { "),
    "digits": _repeated("7", "flow f { step s { cpu = ", ' run ["a"] } }'),
    "exponents": _repeated("1e", "flow f { step s { cpu = ", ' run ["a"] } }'),
    "quotes": _repeated('"'),
    "lines of one quote": _repeated('"\n', "flow f { "),
    "single quotes": _repeated("'", "flow f { "),
    "quotes that are escaped": _repeated('\\"', 'flow f { step s { run ["'),
    "wrong escapes": _repeated("\\q", 'flow f { step s { run ["', '"] } }'),
    "interpolations": _repeated("${x}", 'flow f { step s { run ["', '"] } }'),
    "open interpolations": _repeated("${", 'flow f { step s { run ["', '"] } }'),
    "nested interpolations": _repeated('"${', "flow f { step s { run ["),
    "a long string": _repeated("x", 'flow f { step s { run ["', '"] } }'),
    "scripts": _repeated("''' a ''' ", "flow f { step s { run bash "),
    "a script without an end": _repeated("echo\n", "flow f { step s { run bash '''"),
    "a long script": _repeated("  $in_x echo\n", "flow f { step s { run bash '''\n", "''' } }"),
    "a script of indents": _repeated(" " * 999 + "\n", "flow f { step s { run bash '''", "x''' } }"),
    "hashes": _repeated("#"),
    "comments": _repeated("## comment\n", "flow f {\n"),
    "comments between words": _repeated("# c\nparam\n", "flow f {\n"),
    "documentation": _repeated("## line\n", "flow f {\n", 'step s { run ["a"] }\n}'),
    "flows": _repeated("flow {"),
    "flows in flows": _repeated("flow f { "),
    "closed flows": _repeated("flow f { }\n"),
    "editions": _repeated("edition 1\n"),
    "steps in steps": _repeated("step s { ", "flow f { "),
    "ifs": _repeated("if x { ", "flow f { "),
    "else without if": _repeated("else { } ", "flow f { "),
    "else if": _repeated('else if x { step s { run ["a"] } } ', 'flow f { if x { step s { run ["a"] } } ', "}"),
    "loops": _repeated("foreach x in y { ", "flow f { "),
    "repeats": _repeated("repeat max 3 { ", "flow f { "),
    "untils": _repeated("} until x ", "flow f { "),
    "stars": _repeated("[*]", "flow f { step s { in x = a", ".b } }"),
    "stars alone": _repeated("[*]"),
    "types": _repeated("list[", "flow f { param x: "),
    "brackets": _brackets("[]"),
    "groups": _brackets("()"),
    "objects": _brackets("{a=}"),
    "open brackets": _repeated("[", "flow f { step s { in x = "),
    "open braces": _repeated("{"),
    "closing braces": _repeated("}", "flow f { "),
    "either in either": _repeated("either(", "flow f { step s { in x = "),
    "previous in previous": _repeated("previous(x, ", "flow f { step s { in x = "),
    "not not": _repeated("not ", "flow f { if ", "x { } }"),
    "and and": _repeated("x and ", "flow f { if ", 'x { step s { run ["a"] } } }'),
    "comparisons": _repeated("x < ", "flow f { if ", 'x { step s { run ["a"] } } }'),
    "a list": _repeated("1, ", "flow f { step s { in x = [", '] run ["a"] } }'),
    "a list of bad numbers": _repeated("1x, ", "flow f { step s { in x = [", '] run ["a"] } }'),
    "an object": _repeated("a = 1 ", "flow f { step s { in x = {", '} run ["a"] } }'),
    "a command": _repeated('"x", ', "flow f { step s { run [", "] } }"),
    "after": _repeated("s, ", "flow f { step s { after ", 's run ["a"] } }'),
    "one step's inputs": _repeated("in x = 1\n", "flow f { step s {\n", 'run ["a"] } }'),
    "one step's settings": _repeated("cpu = 1\n", "flow f { step s {\n", 'run ["a"] } }'),
    "one step's bodies": _repeated('run ["a"]\n', "flow f { step s {\n", "} }"),
    "one step's blocks": _repeated("torchrun { }\n", "flow f { step s {\n", 'run ["a"] } }'),
    "defaults": _repeated("defaults { cpu = 1 }\n", "flow f {\n", 'step s { run ["a"] } }'),
    "reserved words": _repeated("import template trigger\n", "flow f {\n"),
    "one enormous line": _repeated('step s { in x = y.z run ["a", x] } ', "flow f { ", "}"),
    "carriage returns": _repeated("step s {\r", "flow f {\r"),
    "accents": _repeated("é̂", "flow f { "),
    "line separators": _repeated("\u2028", "flow f { "),
    "names that are almost known": _almost_known,
}


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTE
    folder = Path(tempfile.mkdtemp())
    for kind, text in KINDS.items():
        source = Source("garbage.flow", text(size))
        begin = time.process_time()
        found = check_source(source, folder).diagnostics
        middle = time.process_time()
        shown = render(found, source)
        seconds = f"{middle - begin:6.2f} s {time.process_time() - middle:6.2f} s"
        sys.stdout.write(f"{kind:32} {seconds} {len(found):7} diagnostics {len(shown):10} characters\n")
        sys.stdout.flush()
    folder.rmdir()


if __name__ == "__main__":
    main()
