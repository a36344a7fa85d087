"""One step of a generated program: its head, lines and body, in keeping with each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.fuzz import vocabulary
from tests.fuzz.scopes import Output, Path, Value, divided
from tests.fuzz.tree import Block, Item, Line
from tests.fuzz.vocabulary import SCALARS, type_tokens

if TYPE_CHECKING:
    from tests.fuzz.flows import FlowWriter

_BY_FILE = ("torchrun", "deepspeed")
# A launcher of Python files, and the driver of a cluster, are no place for a shell script.
_NO_SHELL = (*_BY_FILE, "ray")


class StepWriter:
    """`made`: outputs that were promised. `final`: in `finally`, the steps there before it."""

    def __init__(self, flow: FlowWriter, mark: str, path: Path, made: list[Output], final: list[str] | None) -> None:
        self.flow = flow
        self.rng = flow.rng
        self.mark = mark
        self.path = path
        self.final = final
        self.gang = flow.chance(0.3)
        self.framework = self.rng.choice((None, None, *vocabulary.FRAMEWORKS)) if self.gang else None
        self.inputs: dict[str, str] = {}
        self.outputs: list[Output] = list(made)
        self.shaky = not made and final is None and flow.chance(0.12)

    def step(self) -> Block:
        items: list[Item] = self.input_lines()
        kinds = ["argv", "call", "python"] + ["bash"] * (self.framework not in _NO_SHELL)
        if "pickle" in "".join(self.inputs.values()):
            kinds = ["call", "python"]
        kind = self.rng.choice(kinds)
        self.choose_outputs(kind)
        for output in self.outputs:
            each = ("each",) if output.each else ()
            line = ("out", *each, f"«{output.name}»", ":", *type_tokens(output.type))
            items.append(Line(line, self.flow.doc()))
        items += self.after()
        items += self.env()
        items += self.settings()
        items += self.blocks()
        items.append(Line(self.body(kind)))
        self.rng.shuffle(items)
        head = ("step", f"«{self.mark}»", *(self.parallel() if self.gang else ()))
        return Block(head, tuple(items), doc=self.flow.doc())

    def parallel(self) -> tuple[str, ...]:
        if self.flow.chance(0.4):
            value = self.flow.any_reference(self.path) if self.final is None else None
            if value and value.type == "int" and "either" not in value.tokens:
                return ("parallel", "(", *self.flow.used(value, self.mark), ")")
        return ("parallel", "(", self.rng.choice(("1", "2", "16")), ")")

    # --- inputs -------------------------------------------------------------------------------------------------------

    def input_lines(self) -> list[Item]:
        lines: list[Item] = []
        for _ in range(self.rng.choice((0, 1, 1, 2, 4))):
            scope = [value for value in self.flow.in_scope(self.path) if value.tokens[0][1:-1] not in self.inputs]
            if scope and self.flow.chance(0.3):
                value = self.rng.choice(scope)
                mark = value.tokens[0][1:-1]
                tokens = ("in", *value.tokens, *(("=", *value.tokens) if self.flow.chance(0.2) else ()))
            else:
                mark = self.flow.mark("i")
                value = self.flow.value(self.path) if self.final is None else self.final_value()
                tokens = ("in", f"«{mark}»", "=", *self.flow.used(value, self.mark))
            self.inputs[mark] = value.type
            lines.append(Line(tokens, self.flow.doc()))
        return lines

    def final_value(self) -> Value:
        """In `finally`: how it went, parameters, and what may have been made."""
        if self.flow.chance(0.4):
            return Value("string", ("run", ".", self.rng.choice(("status", "failed_step"))))
        outputs = [item for item in self.flow.outputs if "pickle" not in item.type]
        if outputs and self.flow.chance(0.7):
            value = self.flow.maybe_made(self.rng.choice(outputs))
            if value is not None:
                return value
        return self.flow.any_literal(())

    # --- outputs ------------------------------------------------------------------------------------------------------

    def choose_outputs(self, kind: str) -> None:
        if self.outputs:
            return
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            type_ = self.rng.choice(vocabulary.OUTPUTS)
            if type_ == "pickle" and kind not in ("call", "python"):
                continue
            each = self.gang and self.framework != "ray" and self.flow.chance(0.4)
            self.outputs.append(Output(self.mark, self.flow.mark("o"), type_, each, self.path, self.shaky))

    # --- the other lines ----------------------------------------------------------------------------------------------

    def after(self) -> list[Item]:
        if self.final is not None:
            known = self.final
        else:
            known = [step for step, path in self.flow.steps.items() if not divided(path, self.path)]
        if not known or not self.flow.chance(0.25):
            return []
        chosen = self.rng.sample(known, self.rng.randint(1, min(2, len(known))))
        self.flow.edges |= {(step, self.mark) for step in chosen}
        if self.flow.chance(0.5):
            return [Line(("after", f"«{step}»")) for step in chosen]
        return [Line(("after", *vocabulary.separated([(f"«{step}»",) for step in chosen], self.rng, ended=False)))]

    def env(self) -> list[Item]:
        values: list[tuple[str, ...]] = []
        for mark, type_ in self.inputs.items():
            if type_ in (*SCALARS, "file", "dir") and self.flow.chance(0.15):
                values.append((f"«{mark}»",))
            if type_ in SCALARS and self.flow.chance(0.1):
                values.append((f'"of ${{{f"«{mark}»"}}}"',))
        if self.flow.chance(0.1):
            values.append(("run", ".", "id"))
        if self.flow.chance(0.1):
            values.append(vocabulary.literal(self.rng.choice(SCALARS), self.rng))
        if self.flow.secrets and self.flow.chance(0.3):
            values.append(("secret", ".", f"«{self.rng.choice(self.flow.secrets)}»"))
        values += [("out", ".", f"«{output.name}»") for output in self.outputs if self.flow.chance(0.03)]
        return [Line(("env", f"VARIABLE_{number}", "=", *value)) for number, value in enumerate(values)]

    def settings(self) -> list[Item]:
        items: list[Item] = list(self.flow.settings(2))
        if self.gang and self.flow.chance(0.2):
            items.append(Line(("start_timeout", "=", "20m")))
        if self.shaky:
            items.append(Line(("allow_failure", "=", "true")))
        if self.outputs and self.flow.chance(0.1):
            items.append(Line(("cache", "=", self.rng.choice(("true", "false")))))
        return items

    def blocks(self) -> list[Item]:
        items: list[Item] = list(self.flow.on(0.08))
        if self.framework:
            rows = vocabulary.FRAMEWORKS[self.framework]
            chosen = self.rng.sample(rows, self.rng.randint(0, len(rows)))
            lines = tuple(Line((key, "=", *_words(self.rng.choice(values)))) for key, values in chosen)
            items.append(Block((self.framework,), lines))
        if self.gang and self.framework not in _BY_FILE and self.flow.chance(0.2):
            chosen = self.rng.sample(vocabulary.RESOURCES, self.rng.randint(1, 2))
            items.append(Block(("main",), tuple(Line((key, "=", self.rng.choice(values))) for key, values in chosen)))
        return items

    # --- the body -----------------------------------------------------------------------------------------------------

    def body(self, kind: str) -> tuple[str, ...]:
        match kind:
            case "argv":
                return ("run", "[", *self.argv(), "]")
            case "bash":
                return ("run", "bash", self.bash())
            case "python":
                return ("run", "python", self.python())
        return ("call", self.function())

    def argv(self) -> tuple[str, ...]:
        self.flow.files["work.py"] = "print('work')\n"
        by_file, others = (
            ('"work.py"', '"-m" "package.module"'),
            ('"tool"', '"python" "work.py"', '"python3" "-m" "x.y"'),
        )
        programs: tuple[str, ...] = by_file if self.framework in _BY_FILE else others
        items: list[tuple[str, ...]] = [(word,) for word in self.rng.choice(programs).split()]
        options: list[tuple[str, ...]] = []
        for mark, type_ in self.inputs.items():
            if type_ in SCALARS and self.flow.chance(0.2):
                options.append((f'"--{{}}=${{{f"«{mark}»"}}}"',))
            else:
                options.append((f"«{mark}»",))
        options += [("out", ".", f"«{output.name}»") for output in self.outputs]
        options += [("run", ".", "id")] if self.flow.chance(0.1) else []
        options += [('"run ${run.id}"',)] if self.flow.chance(0.1) else []
        options += [vocabulary.literal(self.rng.choice(SCALARS), self.rng) for _ in range(self.rng.choice((0, 0, 2)))]
        self.rng.shuffle(options)
        return vocabulary.separated([*items, *options], self.rng)

    def bash(self) -> str:
        lines = [f'echo "$in_«{mark}»" {{{{x}}}} ${{HOME}}' for mark in self.inputs]
        lines += [f'  printf %s 1 > "${{out_«{output.name}»}}"  # }} \\' for output in self.outputs]
        lines = lines or ["echo 'one'", '  echo "it\'s"']
        if len(lines) == 1 and self.flow.chance(0.5):
            return f"''' {lines[0]} '''"
        return "'''\n      " + "\n      ".join(lines) + "\n    '''"

    def python(self) -> str:
        lines = ["from flowc.runtime import current", ""]
        lines += [f"print(current.inputs.«{mark}», '')" for mark in self.inputs]
        lines += [f"current.outputs.«{output.name}» = None" for output in self.outputs]
        return "'''\n      " + "\n      ".join(lines) + "\n    '''"

    def function(self) -> str:
        """A Python file with it, beside the program."""
        parameters = [f"«{mark}»" for mark in self.inputs]
        if self.inputs:
            parameters = self.rng.choice((parameters, [*parameters, "other=None"], ["*", *parameters], ["**others"]))
        else:
            parameters = self.rng.choice(([], ["other=None"], ["**others"]))
        returned = ", ".join(f'"«{output.name}»": 1' for output in self.outputs)
        answer = "1" if len(self.outputs) == 1 else f"{{{returned}}}"
        text = f"def work({', '.join(parameters)}):\n    return {answer}\n"
        place = f"code_{self.mark}"
        if self.flow.chance(0.3):
            self.flow.files[f"package/{place}.py"] = text
            return f'"package.{place}:work"'
        self.flow.files[f"code/{place}.py"] = text
        return f'"code/{place}.py:work"'


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"[^"]*"|[\w.]+|[\[\],]', text))
