"""The `depends` logic of DAG tasks.

Takes the text of `depends` and the phases of the tasks it names; gives the names and the verdict. Written from Argo's
"enhanced depends logic": `a.Succeeded`, `.Failed`, `.Errored`, `.Skipped`, `.Omitted`, `.Daemoned`, for a fan-out also
`.AnySucceeded` and `.AllFailed`; `&&`, `||`, `!`, parentheses. A bare `a` stands for
`(a.Succeeded || a.Skipped || a.Daemoned)`: it lets a task run after a skipped one.

Refuses every other result name and every other token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .errors import UnsupportedField

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
FAN_OUT_RESULTS = ("AnySucceeded", "AllFailed")
PHASES = {"Succeeded": "Succeeded", "Failed": "Failed", "Error": "Errored", "Skipped": "Skipped", "Omitted": "Omitted"}
# Greedy on the name: task names hold hyphens, never dots.
TOKEN = re.compile(r"\s*(?:(?P<op>&&|\|\||[!()])|(?P<ref>[a-zA-Z0-9][-a-zA-Z0-9]*(?:\.[A-Za-z]+)?))")


Rule: TypeAlias = Callable[[Mapping[str, frozenset[str]]], bool]


@dataclass(frozen=True, slots=True)
class Depends:
    """Parsed logic: `tasks` in order of first mention, `results` as (task, result), and the verdict as a function."""

    tasks: tuple[str, ...]
    results: tuple[tuple[str, str], ...]
    holds: Rule


def results_of(phase: str, items: tuple[str, ...] = ()) -> frozenset[str]:
    """The results that hold for a finished task; `items` are the phases of a fan-out's children."""
    held = {PHASES[phase]}
    if "Succeeded" in items:
        held.add("AnySucceeded")
    if items and all(item == "Failed" for item in items):
        held.add("AllFailed")
    return frozenset(held)


def parse(text: str, path: str) -> Depends:
    tokens: list[str] = []
    position = 0
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise UnsupportedField(path, f"not depends logic at {text[position:]!r}")
        tokens.append(match.group(match.lastgroup))
        position = match.end()
    tasks: list[str] = []
    results: list[tuple[str, str]] = []

    def peek() -> str:
        return tokens[0] if tokens else ""

    def take() -> str:
        if not tokens:
            raise UnsupportedField(path, f"{text!r} ends too early")
        return tokens.pop(0)

    def either() -> Rule:
        left = both()
        while peek() == "||":
            take()
            left = (lambda a, b: lambda held: a(held) or b(held))(left, both())
        return left

    def both() -> Rule:
        left = one()
        while peek() == "&&":
            take()
            left = (lambda a, b: lambda held: a(held) and b(held))(left, one())
        return left

    def one() -> Rule:
        token = take()
        if token == "!":
            inner = one()
            return lambda held: not inner(held)
        if token == "(":
            inner = either()
            if take() != ")":
                raise UnsupportedField(path, f"{text!r}: a parenthesis is not closed")
            return inner
        if token in ("&&", "||", ")"):
            raise UnsupportedField(path, f"{text!r}: unexpected {token!r}")
        return reference(token)

    def reference(token: str) -> Rule:
        task, _, result = token.partition(".")
        if task not in tasks:
            tasks.append(task)
        if result and result not in RESULTS:
            raise UnsupportedField(path, f"task result {result!r} is invalid")
        wanted = frozenset([result] if result else ["Succeeded", "Skipped", "Daemoned"])
        results.extend((task, name) for name in sorted(wanted))
        return lambda held: bool(held[task] & wanted)

    rule = either()
    if tokens:
        raise UnsupportedField(path, f"{text!r}: unexpected {tokens[0]!r}")
    return Depends(tuple(tasks), tuple(results), rule)
