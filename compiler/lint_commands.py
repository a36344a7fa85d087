"""lint_commands: argument lists that look like something else.

Takes a step of a `Model` without errors; gives warnings: a whole command line in one word, a gang that is started by
hand where a block would start it, variables of a shell where there is none. What lies in the image is not known here,
so a program with a path from the root is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.runtime import plan

from . import lint_faults as faults
from .model import Argv, Step
from .values import Constant, Format

# Launchers, and the block that starts a gang in their place.
_LAUNCHERS = {"torchrun": "torchrun", "deepspeed": "deepspeed"} | dict.fromkeys(
    ("mpirun", "mpiexec", "orterun", "horovodrun"), "mpi"
)
_MODULES = dict.fromkeys(("torch.distributed.run", "torch.distributed.launch"), "torchrun")
_PLAIN_WORD = re.compile(r"[\w./:=+@%,-]+")
_VARIABLE = re.compile(r"\$(\{)?(in|out)_(\w+)(?(1)\})")
# `bash -c "…"`, `sh -ec "…"`: what follows is read by a shell.
_TO_A_SHELL = re.compile(r"-[a-z]*c")


def commands(step: Step, base_dir: Path) -> Iterator[Diagnostic]:
    if not isinstance(step.body, Argv) or not step.body.items:
        return
    program = step.body.items[0]
    if isinstance(program, Constant) and isinstance(program.value, str):
        yield from _one_word(program.value, program.span, base_dir)
        yield from _by_hand(step, program.value, program.span)
    for text, span, whole in _texts(step.body):
        for found in _variables(step, text):
            own, name = found[2], found[3]
            written = f"out.{name}" if own == "out" else name
            alone = whole and found[0] == text
            yield faults.not_a_shell(found[0], written, span, alone=alone)


def as_variables(step: Step) -> tuple[frozenset[str], frozenset[str]]:
    """The inputs and the outputs that the command names as a shell would; more need not be said of them."""
    if not isinstance(step.body, Argv):
        return frozenset(), frozenset()
    found = [one for text, _, _ in _texts(step.body) for one in _variables(step, text)]
    return frozenset(one[3] for one in found if one[2] == "in"), frozenset(one[3] for one in found if one[2] == "out")


def _one_word(text: str, span: Span, base_dir: Path) -> Iterator[Diagnostic]:
    words = text.split()
    if len(words) < 2 or text.startswith("/") or (base_dir / text).exists():
        return
    simple = all(_PLAIN_WORD.fullmatch(word) for word in words)
    yield faults.one_word(text, span, ", ".join(f'"{word}"' for word in words) if simple else None)


def _by_hand(step: Step, program: str, span: Span) -> Iterator[Diagnostic]:
    if step.gang is None or not isinstance(step.gang.framework, plan.Plain):
        return
    assert isinstance(step.body, Argv)
    block = _LAUNCHERS.get(program.split()[0].rpartition("/")[2]) if program.split() else None
    rest = [item.value for item in step.body.items[1:3] if isinstance(item, Constant)]
    if block is None and rest[:1] == ["-m"] and len(rest) == 2:
        block = _MODULES.get(str(rest[1]))
    if block is not None:
        yield faults.started_by_hand(program, block, span)


def _texts(body: Argv) -> Iterator[tuple[str, Span, bool]]:
    """Texts that no shell reads, each with its place and whether it is all of an argument."""
    constants = [item.value for item in body.items if isinstance(item, Constant)]
    if any(isinstance(text, str) and _TO_A_SHELL.fullmatch(text) for text in constants):
        return
    for item in body.items:
        for part in item.parts if isinstance(item, Format) else (item,):
            if isinstance(part, Constant) and isinstance(part.value, str):
                yield part.value, item.span, part is item


def _variables(step: Step, text: str) -> Iterator[re.Match[str]]:
    names = {"in": {item.name for item in step.inputs}, "out": {item.name for item in step.outputs}}
    for found in _VARIABLE.finditer(text):
        if found[3] in names[found[2]]:
            yield found
