"""Random programs whose references are arbitrary, as far as the compiler accepts them.

`program(seed)` gives a text. First comes a frame of steps and blocks with slots for values; then every slot gets a
random reference, `either`, `previous` or condition, most of them nonsense. Where the compiler finds a mistake the slot
is filled anew, again and again, and at last with something that is surely right. So, unlike in `tests.fuzz.flows`,
nothing here decides what is allowed: whatever the compiler lets through is tried. It only bets, mostly on what stands
above and takes as many stars as there are.

    python -m tests.meaning.programs [SEED]

prints one.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from flowc.compiler.driver import check_source
from flowc.dsl.spans import Source, Span
from tests.meaning.record import item_of

_HEAD = "flow f {\nparam p_b: bool\nparam p_i: int\nparam p_l: list[int]\n"
_PARAMS = {"bool": "p_b", "int": "p_i", "list[int]": "p_l"}
_OUTPUTS = {"int": "i", "bool": "b", "list[int]": "l", "file": "f", "float": "g"}
_LITERALS = {
    "int": ("0", "2", "-1"),
    "bool": ("true", "false"),
    "list[int]": ("[1, 2]", "[]", "[3]"),
    "float": ("0.5",),
}
_READ = (
    *("int", "bool", "float", "file"),
    *("list[int]", "list[bool]", "list[file]"),
    *("list[list[int]]", "list[list[bool]]", "list[list[file]]", "list[list[list[file]]]"),
)
_ORDERS = ("<", "==", ">=", "!=")

# Around something, outermost first: a word and a number of its own, or the name of the loop's variable.
Blocks: TypeAlias = "tuple[tuple[str, str], ...]"

DEEPEST = 4
MOST_NAMES = 16
# How often a mistake is followed by another try.
TRIES = 20


@dataclass(slots=True)
class Slot:
    """A place for a value: what kind of value, what is surely right there, and what stands there now.

    `blocks` are those around it, `above` how many steps are declared before it.
    """

    kind: str
    sure: str
    blocks: Blocks
    above: int
    text: str = ""


class RefusedError(AssertionError):
    """The compiler refuses a program without references."""


def program(seed: int) -> str:
    writer = _Writer(random.Random(seed))
    writer.frame()
    for slot in writer.slots:
        slot.text = writer.value(slot)
    tries = 0
    while faults := _faults(writer.text()):
        tries += 1
        wrong = [slot for slot, span in writer.spans() if any(_meet(span, fault) for fault in faults)]
        changeable = [slot for slot in wrong or writer.slots if slot.text != slot.sure]
        if not changeable:
            raise RefusedError(writer.text())
        # A mistake that has no place in a slot is in what the slots make together.
        for slot in changeable if wrong else changeable[:1]:
            slot.text = writer.value(slot) if tries < TRIES else slot.sure
    return writer.text()


def _faults(text: str) -> list[Span]:
    found = check_source(Source("x.flow", text), Path()).diagnostics
    return [fault.span or Span(0, 0) for fault in found if fault.severity == "error"]


def _meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


class _Writer:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.pieces: list[str | Slot] = []
        self.names = 0
        self.steps: list[tuple[str, Blocks]] = []
        self.blocks: Blocks = ()
        self.at = self.slot("any", "1")

    @property
    def slots(self) -> list[Slot]:
        return [piece for piece in self.pieces if isinstance(piece, Slot)]

    def text(self) -> str:
        return "".join(piece.text if isinstance(piece, Slot) else piece for piece in self.pieces)

    def spans(self) -> list[tuple[Slot, Span]]:
        found: list[tuple[Slot, Span]] = []
        at = 0
        for piece in self.pieces:
            text = piece.text if isinstance(piece, Slot) else piece
            if isinstance(piece, Slot):
                found.append((piece, Span(at, at + len(text))))
            at += len(text)
        return found

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def slot(self, kind: str, sure: str) -> Slot:
        return Slot(kind, sure, self.blocks, len(self.steps))

    # --- the frame ----------------------------------------------------------------------------------------------------

    def frame(self) -> None:
        self.write(_HEAD)
        self.nodes(4)
        if self.chance(0.5):
            self.write("finally {\nstep last {\n")
            self.inputs("final", "run.status", 3)
            self.write("run python '''pass'''\n}\n}\n")
        self.write("}\n")

    def write(self, *pieces: str | Slot) -> None:
        self.pieces += pieces

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def nodes(self, most: int) -> None:
        for _ in range(self.rng.randint(1, most)):
            writers = (self.step, self.step, self.foreach, self.branch, self.repeat)
            full = len(self.blocks) == DEEPEST or self.names >= MOST_NAMES
            (self.step if full else self.rng.choice(writers))()

    def inside(self, word: str, name: str, most: int) -> None:
        self.blocks = (*self.blocks, (word, name))
        self.nodes(most)
        self.blocks = self.blocks[:-1]

    def step(self) -> None:
        name = self.name("s")
        self.write(f"step {name}")
        gang = self.chance(0.35)
        if gang:
            self.write(" parallel(", "2" if self.chance(0.4) else self.slot("size", "2"), ")")
        self.write(" {\n")
        self.inputs("any", "1", self.rng.choice((1, 2, 3)))
        self.write(*(f"out {output}: {type_}\n" for type_, output in _OUTPUTS.items()))
        if gang and self.chance(0.6):
            self.write("out each e: int\n")
        if self.chance(0.2):
            self.write("allow_failure = true\n")
        self.write("run python '''pass'''\n}\n")
        self.steps.append((name, self.blocks))

    def inputs(self, kind: str, sure: str, count: int) -> None:
        for _ in range(count):
            self.write(f"in {self.name('x')} = ", self.slot(kind, sure), "\n")

    def foreach(self) -> None:
        variable = self.name("v")
        self.write(f"foreach {variable} in ", self.slot("list", "[1, 2]"), " {\n")
        self.inside("foreach", variable, 3)
        self.write("}\n")

    def branch(self) -> None:
        self.write("if ", self.slot("bool", "p_b"), " {\n")
        self.inside("if", self.name("a"), 2)
        if self.chance(0.3):
            self.write("} else if ", self.slot("bool", "p_b"), " {\n")
            self.inside("if", self.name("a"), 2)
        if self.chance(0.6):
            self.write("} else {\n")
            self.inside("if", self.name("a"), 2)
        self.write("}\n")

    def repeat(self) -> None:
        self.write(f"repeat max {self.rng.choice((2, 3))} {{\n")
        self.inside("repeat", self.name("r"), 3)
        self.write("} until ", self.slot("bool", "p_b"), "\n")

    # --- values -------------------------------------------------------------------------------------------------------

    def value(self, slot: Slot) -> str:
        """Something for a slot; seldom a literal, which would always do."""
        self.at = slot
        while (text := self.some(slot.kind))[0] in '0123456789-[{"' and self.chance(0.8):
            pass
        return text

    def some(self, kind: str) -> str:
        match kind:
            case "size":
                return self.atom("int", 0)
            case "list":
                return self.atom("list[int]")
            case "bool":
                return self.condition()
            case "final":
                type_ = self.rng.choice(("int", "bool", "list[int]", "list[list[int]]"))
                return f"either({self.atom(type_, 1)}, {self.atom(type_, 1)}, {_LITERALS.get(type_, ('[]',))[0]})"
        match self.rng.choices(("atom", "condition", "list", "object", "text"), (14, 3, 2, 1, 1))[0]:
            case "condition":
                return self.condition()
            case "list":
                return f"[{self.atom('int')}, {self.atom('int')}]"
            case "object":
                return f"{{ a = {self.atom('int')}, b = {self.atom('list[bool]')} }}"
            case "text":
                return f'"${{{self.atom("int", 0)}}}-x"'
            case _:
                return self.atom(self.type_to_read())

    def type_to_read(self) -> str:
        """What can be read of a step above, most of the time."""
        if not self.at.above or self.chance(0.2):
            return self.rng.choice(_READ)
        type_ = self.rng.choice(list(_OUTPUTS))
        for _ in range(self.stars(self.rng.choice(self.steps[: self.at.above])[1])):
            type_ = f"list[{type_}]"
        return type_

    def condition(self) -> str:
        match self.rng.choices(("atom", "compare", "not", "logic"), (4, 2, 1, 3))[0]:
            case "compare":
                return f"{self.atom('int')} {self.rng.choice(_ORDERS)} {self.atom(self.rng.choice(('int', 'float')))}"
            case "not":
                return f"not {self.atom('bool')}"
            case "logic":
                return f"{self.atom('bool')} {self.rng.choice(('and', 'or'))} {self.atom('bool', 1)}"
            case _:
                return self.atom("bool")

    def atom(self, type_: str, depth: int = 2, spread: int = 0) -> str:
        """A value that might be of this type; `depth` is how many words may be in it, `spread` the stars behind it."""
        variables = [name for word, name in self.at.blocks if word == "foreach"]
        weights = {"literal": 4, "param": 6, "variable": 6, "output": 34}
        if depth:
            weights |= {"either": 24, "previous": 45 if any(word == "repeat" for word, _ in self.at.blocks) else 1}
        match self.rng.choices(list(weights), list(weights.values()))[0]:
            case "literal" if type_ in _LITERALS:
                return self.rng.choice(_LITERALS[type_])
            case "param" if type_ in _PARAMS:
                return _PARAMS[type_]
            case "variable" if variables and type_ == "int":
                return self.rng.choice(variables)
            case "either":
                most = type_.count("list[") if self.chance(0.9) else 2
                stars = self.rng.randint(0, most)
                inner = type_
                for _ in range(stars):
                    inner = item_of(inner) or inner
                count = self.rng.choice((2, 2, 3))
                args = ", ".join(self.atom(inner, depth - 1, spread + stars) for _ in range(count))
                return f"either({args}){'[*]' * stars}"
            case "previous":
                first = _PARAMS.get(type_) if self.chance(0.4) else None
                return (
                    f"previous({self.atom(type_, depth - 1, spread)}, {first or self.atom(type_, depth - 1, spread)})"
                )
            case _:
                return self.output(type_, spread)

    def output(self, type_: str, spread: int) -> str:
        stars = 0
        while (item := item_of(type_)) and (type_ not in _OUTPUTS or self.chance(0.8)):
            type_ = item
            stars += 1
        output = "e" if type_ == "int" and stars and self.chance(0.3) else _OUTPUTS[type_]
        wanted = stars + spread - (output == "e")
        likely = [name for name, blocks in self.steps[: self.at.above] if self.stars(blocks) == wanted]
        chosen = likely if likely and self.chance(0.8) else [name for name, _ in self.steps]
        return f"{self.rng.choice(chosen)}{'[*]' * stars}.{output}"

    def stars(self, blocks: Blocks) -> int:
        """How many stars a step in these blocks needs, seen from the slot."""
        return sum(word == "foreach" and (word, name) not in self.at.blocks for word, name in blocks)


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(2**32)
    sys.stdout.write(f"# seed {seed}\n{program(seed)}")


if __name__ == "__main__":
    main()
