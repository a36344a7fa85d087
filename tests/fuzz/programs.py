"""Random programs that fit the grammar, and random ways to write one down.

`program` gives the tokens of a program that means nothing, in every form that the grammar allows; programs that mean
something come from `flows`. `written` puts tokens into a text with odd blanks, line ends and comments.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

Tokens = list[str]

_SETTINGS = (
    *(("cpu", ("1", "0.5", "96")), ("memory", ("2GiB", "900MiB")), ("timeout", ("12h", "30s")), ("retries", ("3",))),
    *(("image", ('"acme/train:2.5"', f'"{"x" * 90}"')), ("start_timeout", ("2m",)), ("gpu", ("8",))),
)
_TYPES = (("string",), ("int",), ("list", "[", "string", "]"), ("list", "[", "list", "[", "int", "]", "]"))
_STRINGS = ('"a"', '"# no comment"', "\"{ } [ ] '''\"", '"\\" \\\\ \\n"', f'"{"long " * 12}"')
_SCRIPTS = (
    "''' echo one '''",
    "''''''",
    "'''\n'''",
    "'''\n      echo one\n        echo two\n\n    # three\n    '''",
    "'''echo one\n  echo two'''",
    "'''\n\techo one\n\t  echo two  \n    '''",
    "'''\n  echo 'one''''",
    "'''\r\n    echo one\r\n      ## two\r\n  '''",
    "'''\n    a\\\n  b\n\t'''",
    "'''   \n   \n  x\n   \n'''",
)
_COMMENTS = ("#", "# c", "## doc", "### x", "#c }", '# "', "# '''", "# trailing   ", "## { in out", "# é\u2028x")
# Without blanks inside; the empty one stands for a list.
_VALUES = ('"a"', '"[x]"', "1e5", "true", "a . b", "a [ * ] [ * ] . b", "run . id", "secret . hub", "x", "")
_NAMES = ("a", "bb", "checkpoint", "a_long_name_of_a_thing", "x1")


def program(rng: random.Random) -> Tokens:
    return _Writer(rng).file()


@dataclass
class _Writer:
    rng: random.Random
    params: list[str] = field(default_factory=list)
    outputs: list[tuple[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    names: int = 0

    def name(self) -> str:
        self.names += 1
        return f"{self.rng.choice(_NAMES)}_{self.names}"

    def often(self) -> bool:
        return self.rng.random() < 0.5

    def some(self, most: int = 4) -> range:
        return range(self.rng.randint(0, most))

    # --- the flow -----------------------------------------------------------------------------------------------------

    def file(self) -> Tokens:
        tokens = ["edition", "1"] if self.often() else []
        tokens += ["flow", self.name(), "{"]
        for _ in self.some(3):
            tokens += self.param()
        if self.often():
            tokens += ["defaults", "{", *self.settings(), "}"]
        for _ in self.some(2):
            tokens += self.rng.choice((self.secret, self.schedule, self.on, self.setting))()
        tokens += self.step()
        for _ in self.some(3):
            tokens += self.node(2)
        if self.often():
            tokens += ["finally", "{", *self.step(), "}"]
        return [*tokens, "}"]

    def param(self) -> Tokens:
        name = self.name()
        self.params.append(name)
        if self.often():
            return ["param", name, ":", "int", "=", "-3"]
        if self.often():
            return ["param", name, ":", "list", "[", "string", "]", "=", *self.list(lambda: [self.string()])]
        return ["param", name, ":", *self.rng.choice(_TYPES)]

    def secret(self) -> Tokens:
        return ["secret", self.name(), "{", *self.settings(), "}"]

    def schedule(self) -> Tokens:
        return ["schedule", '"30 2 * * 1-5"', *(["in", '"Europe/Paris"'] if self.often() else [])]

    def on(self) -> Tokens:
        return ["on", self.rng.choice(("argo", "sfn")), "{", *self.settings(), "}"]

    def setting(self) -> Tokens:
        if self.often():
            return [self.name(), "=", *self.expr(3)]
        name, values = self.rng.choice(_SETTINGS)
        return [name, "=", self.rng.choice(values)]

    def settings(self) -> Tokens:
        tokens = []
        for name, values in self.rng.sample(_SETTINGS, self.rng.randint(0, 3)):
            tokens += [name, "=", self.rng.choice(values)]
        return tokens

    # --- nodes --------------------------------------------------------------------------------------------------------

    def node(self, depth: int) -> Tokens:
        kinds = (self.step,) if not depth else (self.step, self.foreach, self.cond, self.repeat)
        kind = self.rng.choice(kinds)
        return kind() if kind == self.step else kind(depth - 1)  # type: ignore[call-arg]

    def nodes(self, depth: int) -> Tokens:
        tokens = ["{"]
        for _ in self.some(2):
            tokens += self.node(depth)
        return [*tokens, "}"]

    def foreach(self, depth: int) -> Tokens:
        most = ["max", "8"] if self.often() else []
        return ["foreach", self.name(), "in", *self.expr(2), *most, *self.nodes(depth)]

    def cond(self, depth: int) -> Tokens:
        tokens = ["if", *self.expr(2), *self.nodes(depth)]
        if self.often():
            tokens += ["else", *(self.cond(depth) if self.often() else self.nodes(depth))]
        return tokens

    def repeat(self, depth: int) -> Tokens:
        return ["repeat", "max", "3", *self.nodes(depth), "until", *self.expr(2)]

    def step(self) -> Tokens:
        name = self.name()
        gang = self.often()
        tokens = ["step", name, *(["parallel", "(", "2", ")"] if gang else []), "{"]
        inputs: list[str] = []
        items = [self.input(inputs) for _ in self.some()]
        outputs = []
        for _ in self.some(3):
            output = self.name()
            each = ["each"] if self.often() else []
            items.append(["out", *each, output, ":", *self.rng.choice(_TYPES)])
            outputs.append((name, output))
        if self.steps and self.often():
            after = self.rng.sample(self.steps, self.rng.randint(1, min(3, len(self.steps))))
            items.append(["after", *self.joined([[word] for word in after])])
        items += [["env", self.name().upper(), "=", self.string()] for _ in self.some(2)]
        items += [[*self.settings()]]
        if gang and self.often():
            items.append(["torchrun", "{", *(["procs_per_node", "=", "2"] if self.often() else []), "}"])
            items.append(["run", "[", '"-m"', ",", '"package.module"', *([","] if self.often() else []), "]"])
        else:
            items.append(self.body(inputs))
        items += [self.rng.choice((self.on, self.setting, self.main))() for _ in self.some(2)]
        self.rng.shuffle(items)
        self.outputs += outputs
        self.steps.append(name)
        return [*tokens, *(token for item in items for token in item), "}"]

    def main(self) -> Tokens:
        return ["main", "{", *self.settings(), "}"]

    def input(self, inputs: list[str]) -> Tokens:
        unused = [name for name in self.params if name not in inputs]
        if unused and self.often():
            inputs.append(self.rng.choice(unused))
            return ["in", inputs[-1]]
        inputs.append(self.name())
        if self.outputs and self.often():
            step, output = self.rng.choice(self.outputs)
            return ["in", inputs[-1], "=", step, ".", output]
        return ["in", inputs[-1], "=", *self.expr(3)]

    def body(self, inputs: list[str]) -> Tokens:
        if self.often():
            return ["run", self.rng.choice(("bash", "python")), self.rng.choice(_SCRIPTS)]
        if self.often():
            return ["call", '"a.py:f"']
        return ["run", *self.list(lambda: [self.rng.choice(inputs)] if inputs and self.often() else [self.string()])]

    # --- expressions --------------------------------------------------------------------------------------------------

    def string(self) -> str:
        return self.rng.choice(_STRINGS)

    def joined(self, elements: list[Tokens]) -> Tokens:
        tokens: Tokens = []
        for element in elements:
            tokens += [",", *element] if tokens else element
        return tokens

    def list(self, element: Callable[[], Tokens]) -> Tokens:
        elements = [['"echo"'], *(element() for _ in self.some(12 if self.often() else 3))]
        return ["[", *self.joined(elements), *([","] if self.often() else []), "]"]

    def expr(self, depth: int) -> Tokens:
        if not depth or self.often():
            return self.rng.choice(_VALUES).split() or self.list(lambda: self.expr(max(depth - 1, 0)))
        less = depth - 1
        match self.rng.randrange(7):
            case 0:
                return [*self.group(less), self.rng.choice(("and", "or")), *self.group(less)]
            case 1:
                return ["not", *self.group(less)]
            case 2:
                return [*self.group(less), self.rng.choice(("==", "<", ">=", "!=")), *self.group(less)]
            case 3:
                stars = ["[", "*", "]"] * self.rng.randint(0, 2)
                return ["either", "(", *self.joined([self.expr(less) for _ in range(1, 4)]), ")", *stars]
            case 4:
                return ["previous", "(", *self.expr(less), ",", *self.expr(less), ")"]
            case 5:
                return self.list(lambda: self.expr(less))
        tokens = ["{"]
        for number in self.some(3):
            tokens += [","] if number and self.often() else []
            tokens += [self.rng.choice((self.name(), '"k"')), "=", *self.expr(less)]
        return [*tokens, *([","] if len(tokens) > 1 and self.often() else []), "}"]

    def group(self, depth: int) -> Tokens:
        return ["(", *self.expr(depth), ")"]


# --- in writing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """`comments` without blanks at the end."""

    text: str
    comments: tuple[str, ...]


def written(tokens: Tokens, rng: random.Random) -> Written:
    comments: list[str] = []
    # From one line with no comment to a line and a comment for every word.
    density, breaks = rng.choice((0.0, 0.02, 0.1, 0.5)), rng.choice((0.05, 0.3, 0.9))
    end = "\r\n" if rng.random() < 0.2 else "\n"

    def gap(needed: bool) -> str:
        text = ""
        while rng.random() < density:
            comments.append(rng.choice(_COMMENTS).rstrip())
            before = rng.choice(("", " ", end, end * 2, f"{end}  {end}\t"))
            text += f"{before}{comments[-1]}{rng.choice(('', ' ', end))}{end}"
        if rng.random() < breaks:
            text += rng.choice((end, f"{end}  ", f"  {end}{end}{end}\t", f" {end} {end}"))
        elif (needed and not text) or rng.random() < 0.3:
            text += rng.choice((" ", "  ", "\t"))
        return text

    text = gap(False)
    for before, after in zip(tokens, [*tokens[1:], ""], strict=True):
        text += before + gap(_apart(before, after))
    return Written(text, tuple(comments))


def _apart(before: str, after: str) -> bool:
    """Whether the two would be read as one without a blank between them."""
    signs = "{}[](),:"
    return bool(after) and before[-1] not in signs and after[0] not in signs + "."
