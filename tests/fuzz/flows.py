"""Random programs of the whole language that have no mistake in them.

`flow(rng)` gives a `tree.Program`. Written from the manual alone: nothing here looks at the compiler, so that the two
can disagree. Types are kept as they are written (`list[list[int]]`). What one place can see of another it sees in the
one way there is: plain beside it, a star for each loop around it, `either` with something always present where a
condition or `allow_failure` may leave it out, `previous` for what a loop made the turn before.

    python -m tests.fuzz.flows [SEED]

prints one.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from tests.fuzz import vocabulary
from tests.fuzz.scopes import Cond, Output, Path, Value, divided, is_certain, reference, shared
from tests.fuzz.steps import StepWriter
from tests.fuzz.tree import Block, Chain, Item, Line, Program, Region, name
from tests.fuzz.vocabulary import COMPARED, DOCS, SCALARS, SETTINGS, item_of, list_of, type_tokens

_STAR = ("[", "*", "]")


def flow(rng: random.Random, *, steps: int | None = None, depth: int | None = None) -> Program:
    """`steps` is about how many, `depth` how deep they may lie; by default small, and now and then wide or deep."""
    most, deepest = rng.choices(((rng.randint(1, 7), 3), (40, 2), (14, 9)), (20, 1, 2))[0]
    return FlowWriter(rng, most if steps is None else steps, deepest if depth is None else depth).program()


class FlowWriter:
    def __init__(self, rng: random.Random, steps: int, depth: int) -> None:
        self.rng = rng
        self.left = steps
        self.depth = depth
        self.names: dict[str, str] = {}
        self.params: list[tuple[str, str]] = []
        self.declared: list[Item] = []
        self.secrets: list[str] = []
        self.outputs: list[Output] = []
        self.conds: list[Cond] = []
        self.steps: dict[str, Path] = {}
        self.finals: list[str] = []
        self.promised: dict[str, list[Output]] = {}
        self.edges: set[tuple[str, str]] = set()
        self.files: dict[str, str] = {}
        self.scheduled = rng.random() < 0.2

    # --- small things -------------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def mark(self, kind: str) -> str:
        mark = f"{kind}{len(self.names)}"
        self.names[mark] = name(mark, self.rng)
        return mark

    def doc(self) -> str:
        return self.rng.choice(DOCS)

    def used(self, value: Value, reader: str) -> tuple[str, ...]:
        """The value's tokens, now that a step or a region reads it."""
        self.edges |= {(step, reader) for step in value.reads}
        return value.tokens

    # --- the flow -----------------------------------------------------------------------------------------------------

    def program(self) -> Program:
        mark = self.mark("f")
        for _ in range(self.rng.choice((0, 1, 3))):
            self.param(self.rng.choice(vocabulary.PARAMS))
        self.declared += [self.secret() for _ in range(self.rng.choice((0, 0, 1, 2)))]
        items = self.nodes((), self.left)
        if self.chance(0.3):
            items.append(self.finally_())
        items += self.declared
        if self.scheduled:
            zone = ("in", '"Europe/Paris"') if self.chance(0.5) else ()
            times = self.rng.choice(('"30 2 * * 1-5"', '"*/15 * * * *"', '"0 4 1 * *"'))
            items.append(Line(("schedule", times, *zone)))
        if self.chance(0.2):
            items.append(Line(("timeout", "=", "6h")))
        if self.chance(0.3):
            items.append(self.defaults())
        items += self.on(0.15)
        if self.chance(0.5):
            self.rng.shuffle(items)
        tree = Block(("flow", f"«{mark}»"), tuple(items), doc=self.doc())
        edges, finals = frozenset(self.edges), frozenset(self.finals)
        return Program(tree, self.chance(0.3), self.names, self.files, self.steps, finals, edges)

    def param(self, type_: str) -> str:
        mark = self.mark("p")
        default: tuple[str, ...] = ()
        if self.scheduled or self.chance(0.7):
            default = ("=", *vocabulary.literal(type_, self.rng, typed=True))
        self.params.append((mark, type_))
        self.declared.append(Line(("param", f"«{mark}»", ":", *type_tokens(type_), *default), self.doc()))
        return mark

    def secret(self) -> Item:
        mark = self.mark("k")
        self.secrets.append(mark)
        places = [("argo", '"hub/token"'), ("sfn", self.rng.choice(('"prod/hub:token"', '"ssm:/prod/hub"')))]
        places += [("local", '"HUB_TOKEN"')] if self.chance(0.5) else []
        items = tuple(Line((target, "=", place)) for target, place in places)
        return Block(("secret", f"«{mark}»"), items, doc=self.doc())

    def defaults(self) -> Item:
        items: list[Item] = [*self.settings(3), *self.on(0.2)]
        if self.chance(0.5):
            items.append(Line(("env", "LOG_LEVEL", "=", self.rng.choice(('"info"', "3", "true", "0.5")))))
        if self.secrets and self.chance(0.5):
            items.append(Line(("env", "TOKEN", "=", "secret", ".", f"«{self.rng.choice(self.secrets)}»")))
        return Block(("defaults",), tuple(items))

    def settings(self, most: int) -> Iterator[Line]:
        for setting, values in self.rng.sample(SETTINGS, self.rng.randint(0, most)):
            yield Line((setting, "=", self.rng.choice(values)))

    def on(self, share: float) -> Iterator[Block]:
        for target, settings in vocabulary.ON.items():
            if self.chance(share):
                yield Block(("on", target), tuple(Line((setting, "=", value)) for setting, value in settings))

    def finally_(self) -> Item:
        steps: list[Item] = []
        for _ in range(self.rng.choice((1, 1, 2))):
            mark = self.mark("s")
            steps.append(StepWriter(self, mark, (), [], self.finals).step())
            self.finals.append(mark)
        return Block(("finally",), tuple(steps))

    # --- nodes --------------------------------------------------------------------------------------------------------

    def nodes(self, path: Path, most: int) -> list[Item]:
        """At least one."""
        items: list[Item] = []
        while not items or (most > len(items) and self.left > 0):
            kinds: list[Callable[[Path], Item]] = [self.step] * 3
            if len(path) < self.depth and self.left > 0:
                kinds = [] if self.depth > 4 else kinds
                kinds += [self.foreach, self.cond, self.repeat]
            items.append(self.rng.choice(kinds)(path))
        return items

    def inside(self, path: Path) -> tuple[Item, ...]:
        return tuple(self.nodes(path, self.rng.choice((1, 1, 2, 3))))

    def step(self, path: Path) -> Item:
        return self.write_step(self.mark("s"), path, [])

    def write_step(self, mark: str, path: Path, made: list[Output]) -> Item:
        self.left -= 1
        writer = StepWriter(self, mark, path, made, None)
        block = writer.step()
        self.steps[mark] = path
        self.outputs += writer.outputs
        return block

    def foreach(self, path: Path) -> Item:
        mark = self.mark("v")
        values = self.some_list(path)
        region = Region(mark, "foreach", mark, mark, item_of(values.type))
        limit = ("max", self.rng.choice(("1", "8"))) if self.chance(0.4) else ()
        head = ("foreach", f"«{mark}»", "in", *self.used(values, mark), *limit)
        return Block(head, self.inside((*path, region)))

    def some_list(self, path: Path) -> Value:
        for _ in range(4):
            value = self.any_reference(path)
            if value and value.type.startswith("list[") and "pickle" not in value.type:
                return value
        if self.chance(0.5):
            type_ = self.rng.choice(("list[string]", "list[int]", "list[list[int]]", "list[json]"))
            return Value(type_, (f"«{self.param(type_)}»",))
        return self.list_of_values(self.rng.choice(("string", "int", "float")), path, least=1)

    def cond(self, path: Path) -> Item:
        mark = self.mark("c")
        arms: list[Block] = []
        regions: list[Region] = []
        for number in range(self.rng.choice((1, 1, 2, 3))):
            tokens = self.used(self.condition(path, 2), mark)
            regions.append(Region(f"{mark}_{number}", "arm", mark))
            arms.append(Block((*(("else",) if number else ()), "if", *tokens), ()))
        if total := self.chance(0.6):
            regions.append(Region(f"{mark}_else", "arm", mark))
            arms.append(Block(("else",), ()))
        filled = tuple(Block(arm.head, self.inside((*path, region))) for arm, region in zip(arms, regions, strict=True))
        if total:
            self.conds.append(Cond(path, tuple(regions)))
        return Chain(filled)

    def repeat(self, path: Path) -> Item:
        mark = self.mark("r")
        inner = (*path, Region(mark, "repeat", mark))
        # What the last step will make is known beforehand, so that the steps before it can read the turn before.
        last = self.mark("s")
        types = [self.rng.choice(("bool", "float", "int"))]
        types += [self.rng.choice((*SCALARS, "file", "list[int]")) for _ in range(self.rng.choice((1, 2)))]
        made = [Output(last, self.mark("o"), type_, False, inner, False) for type_ in types]
        self.promised[mark] = made
        items = self.inside(inner) if self.chance(0.5) else ()
        items = (*items, self.write_step(last, inner, made))
        about = Value(made[0].type, reference(made[0], 0), frozenset((last,)))
        until = self.condition(inner, 2, about)
        limit = ("repeat", "max", self.rng.choice(("1", "3", "1000")))
        return Block(limit, items, ("until", *self.used(until, mark)))

    # --- what can be read ---------------------------------------------------------------------------------------------

    def read(self, output: Output, path: Path) -> Value | None:
        """An output as `path` sees it; None where it does not, or where nothing can stand in for it."""
        if divided(output.path, path):
            return None
        place = shared(output.path, path)
        return self.read_inside(output, output.path[place:], output.path[:place], path)

    def read_inside(
        self, output: Output, inner: Path, at: Path, path: Path, reader: Path | None = None
    ) -> Value | None:
        """The output from `at`; `inner` is what it stands in from there on, and `path` sees what `at` does."""
        reader = path if reader is None else reader
        kinds = [region.kind for region in inner if region.kind != "repeat"] + (["maybe"] if output.shaky else [])
        outer = next((number for number, kind in enumerate(kinds) if kind != "foreach"), len(kinds))
        loops = [place for place, region in enumerate(inner) if region.kind == "foreach"]
        type_ = list_of(output.type) if output.each else output.type
        if outer == len(kinds):
            stars = outer + output.each
            return Value(list_of(type_, outer), reference(output, stars), frozenset((output.step,)))
        rest = kinds[outer:]
        if "foreach" in rest and set(rest[rest.index("foreach") :]) != {"foreach"}:
            # A condition in a loop in a condition: the inner one is read first, as far as the loop.
            deeper = loops[outer]
            value = self.read_inside(output, inner[deeper:], at + inner[:deeper], at + inner[:deeper], reader)
        else:
            stars = rest.count("foreach")
            tokens = reference(output, stars + output.each)
            value = Value(list_of(type_, stars), tokens, frozenset((output.step,)))
        # As if it stood inside the loops, just outside the condition.
        around = loops[:outer]
        inside = at + inner[: around[-1] + 1] if around else path
        last = value and self.certain(value.type, inside, output.step, reader)
        if value is None or last is None:
            return None
        tokens = ("either", "(", *value.tokens, ",", *last.tokens, ")", *_STAR * outer)
        return Value(list_of(value.type, outer), tokens, last.reads | value.reads)

    def certain(self, type_: str, path: Path, avoid: str = "", reader: Path = ()) -> Value | None:
        """Something of this type that is always present there, and not made by `avoid`.

        Nothing of a loop that is around the `reader` alone: from `path` its present turn cannot be read.
        """
        found = [item for item in self.in_scope(path) if item.type == type_]
        for output in self.rng.sample(self.outputs, min(4, len(self.outputs))):
            own = any(region in reader and region not in path for region in output.path)
            if output.step != avoid and not own and is_certain(output, path):
                value = self.read(output, path)
                if value and value.type == type_:
                    found.append(value)
        if type_.startswith("list[") and self.chance(0.3):
            return Value(type_, ("[", "]"))
        if found and self.chance(0.8):
            return self.rng.choice(found)
        return self.literal(type_) or (self.rng.choice(found) if found else None)

    def in_scope(self, path: Path) -> list[Value]:
        """Parameters and loop variables."""
        found = [Value(type_, (f"«{mark}»",)) for mark, type_ in self.params]
        return found + [Value(region.item, (f"«{region.variable}»",)) for region in path if region.variable]

    def literal(self, type_: str) -> Value | None:
        if re.search("file|dir|pickle", type_):
            return None
        return Value(type_, vocabulary.literal(type_, self.rng))

    def any_reference(self, path: Path) -> Value | None:
        """A parameter, a loop variable or what another step makes."""
        scope = self.in_scope(path)
        if scope and self.chance(0.35):
            return self.rng.choice(scope)
        if self.conds and self.chance(0.15):
            found = self.covered(self.rng.choice(self.conds), path)
            if found:
                return found
        if self.outputs:
            return self.read(self.rng.choice(self.outputs), path)
        return None

    def covered(self, cond: Cond, path: Path) -> Value | None:
        """`either` with a value from every arm."""
        between = [region.kind for region in cond.path[shared(cond.path, path) :]]
        if divided(cond.path, path) or any(arm in path for arm in cond.arms) or "arm" in between:
            return None
        for type_ in self.rng.sample(SCALARS, len(SCALARS)):
            found = self.arms(cond, type_)
            if found:
                tokens = [token for output in found for token in (",", *reference(output, 0))]
                loops = between.count("foreach")
                reads = frozenset(output.step for output in found)
                return Value(list_of(type_, loops), ("either", "(", *tokens[1:], ")", *_STAR * loops), reads)
        return None

    def arms(self, cond: Cond, type_: str) -> list[Output]:
        found: list[Output] = []
        for arm in cond.arms:
            here = (*cond.path, arm)
            inside = [item for item in self.outputs if item.path == here and item.type == type_]
            fits = [item for item in inside if not item.shaky and not item.each]
            nested = [deeper for other in self.conds if other.path == here and (deeper := self.arms(other, type_))]
            if not fits and not nested:
                return []
            found += [self.rng.choice(fits)] if fits else self.rng.choice(nested)
        return found

    def maybe_made(self, output: Output) -> Value | None:
        """An output as `finally` sees it: nothing is certain there but parameters and literals."""
        kinds = {region.kind for region in output.path} - {"repeat"} | ({"maybe"} if output.shaky else set())
        if len(kinds) > 1:
            return None
        stars = sum(region.kind == "foreach" for region in output.path) + output.each
        type_ = list_of(output.type, stars)
        found = [item for item in self.in_scope(()) if item.type == type_]
        last = self.rng.choice(found) if found else self.literal(type_)
        if type_.startswith("list[") and (last is None or self.chance(0.5)):
            last = Value(type_, ("[", "]"))
        if last is None:
            return None
        return Value(type_, ("either", "(", *reference(output, stars), ",", *last.tokens, ")"))

    def previous(self, path: Path) -> Value | None:
        """What a loop around `path` made the turn before."""
        repeats = [place for place, region in enumerate(path) if region.kind == "repeat"]
        if not repeats:
            return None
        inner = path[: self.rng.choice(repeats) + 1]
        output = self.rng.choice([*self.promised[inner[-1].id], *self.outputs])
        if output.path[: len(inner)] != inner:
            return None
        value = self.read(output, inner)
        if value is None or any(self.in_inner_loop(step, inner, path) for step in value.reads):
            return None
        first = self.certain(value.type, inner[:-1])
        # The step that makes it may be in the loop, as seen from outside.
        if first and any(self.steps[step][: len(inner)] == inner for step in first.reads):
            return None
        if first is None:
            return None
        tokens = ("previous", "(", *value.tokens, ",", *first.tokens, ")")
        outside = {step for step in value.reads if self.steps.get(step, inner)[: len(inner)] != inner}
        return Value(value.type, tokens, first.reads | outside)

    def in_inner_loop(self, step: str, outer: Path, path: Path) -> bool:
        """Whether the step shares with `path` a loop inside `outer`: it would be that loop's turn."""
        place = self.steps.get(step, outer)
        return any(region.kind == "repeat" for region in path[len(outer) : shared(place, path)])

    # --- expressions --------------------------------------------------------------------------------------------------

    def value(self, path: Path) -> Value:
        """Anything that an `in` may be."""
        kinds: tuple[Callable[[Path], Value | None], ...] = (
            *(self.any_reference,) * 6,
            *(self.previous,) * 3,
            *(self.any_literal, self.interpolated, self.some_object, self.any_list, self.any_condition),
        )
        for _ in range(5):
            value = self.rng.choice(kinds)(path)
            if value is not None:
                return value
        return self.any_literal(path)

    def any_literal(self, path: Path) -> Value:
        del path
        type_ = self.rng.choice((*SCALARS, "list[int]", "list[string]", "json"))
        return Value(type_, vocabulary.literal(type_, self.rng))

    def any_condition(self, path: Path) -> Value:
        return self.condition(path, 1)

    def scalar(self, path: Path, types: Sequence[str]) -> Value:
        """A reference to something that has a text."""
        for _ in range(4):
            value = self.any_reference(path)
            if value and value.type in types and "either" not in value.tokens:
                return value
        type_ = self.rng.choice(types)
        found = [value for value in self.in_scope(path) if value.type == type_]
        return self.rng.choice(found) if found else Value(type_, (f"«{self.param(type_)}»",))

    def interpolated(self, path: Path) -> Value:
        parts = [self.scalar(path, SCALARS) for _ in range(self.rng.choice((1, 1, 2)))]
        between = self.rng.choice(("/", " ", "", "\\t", "\\$", "é"))
        text = between.join(f"${{{''.join(part.tokens)}}}" for part in parts)
        text = self.rng.choice((f"s3://data/{text}", text, f"{text}\\n", f"a\\\\{text}"))
        return Value("string", (f'"{text}"',), _all_reads(parts))

    def any_list(self, path: Path) -> Value:
        return self.list_of_values(self.rng.choice((*SCALARS, "file", "list[int]")), path)

    def list_of_values(self, type_: str, path: Path, least: int = 2) -> Value:
        found = [self.certain(type_, path) for _ in range(self.rng.randint(least, 4))]
        # A list of empty lists would be a list of what?
        values = [value for value in found if value and value.tokens != ("[", "]")]
        if not values:
            type_ = "int"
            values = [Value("int", ("1",)), Value("int", ("2",))]
        tokens = vocabulary.separated([value.tokens for value in values], self.rng)
        return Value(list_of(type_), ("[", *tokens, "]"), _all_reads(values))

    def some_object(self, path: Path, depth: int = 2) -> Value:
        members: list[tuple[str, ...]] = []
        values: list[Value] = []
        for number in range(self.rng.randint(0, 3)):
            value: Value | None = None
            if depth and self.chance(0.2):
                value = self.some_object(path, depth - 1)
            elif self.chance(0.5):
                value = self.any_reference(path)
            if value is None or re.search("file|dir|pickle", value.type):
                value = self.any_literal(path)
            key = self.rng.choice((f"key_{number}", f'"key {number}"'))
            members.append((key, "=", *value.tokens))
            values.append(value)
        tokens = vocabulary.separated(members, self.rng, optional=True)
        return Value("json", ("{", *tokens, "}"), _all_reads(values))

    def condition(self, path: Path, depth: int, about: Value | None = None) -> Value:
        """A bool that depends on something, on `about` if given."""
        if depth and self.chance(0.3):
            left, right = self.condition(path, depth - 1, about), self.condition(path, depth - 1)
            reads = left.reads | right.reads
            match self.rng.randrange(4):
                case 0:
                    return Value("bool", ("not", *_grouped(left)), left.reads, simple=False)
                case 1:
                    return Value("bool", (*_grouped(left), "==", *_grouped(right)), reads, simple=False)
            word = self.rng.choice(("and", "or"))
            return Value("bool", (*_grouped(left), word, *_grouped(right)), reads, simple=False)
        value = about or self.scalar(path, SCALARS)
        if value.type == "bool" and self.chance(0.6):
            return value
        is_number = value.type in ("int", "float")
        types = ("int", "float") if is_number else (value.type,)
        if self.chance(0.2):
            other = self.scalar(path, types)
        else:
            other = Value(value.type, vocabulary.literal(self.rng.choice(types), self.rng))
        operator = self.rng.choice(COMPARED if is_number else COMPARED[:2])
        return Value("bool", (*value.tokens, operator, *other.tokens), value.reads | other.reads, simple=False)


def _grouped(value: Value) -> tuple[str, ...]:
    return value.tokens if value.simple else ("(", *value.tokens, ")")


def _all_reads(values: Sequence[Value]) -> frozenset[str]:
    return frozenset().union(*(value.reads for value in values))


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(2**32)
    sys.stdout.write(f"# seed {seed}\n{flow(random.Random(seed)).text()}")


if __name__ == "__main__":
    main()
