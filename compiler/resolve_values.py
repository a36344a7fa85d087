"""resolve, third part: values in the scope of the flow.

Takes expressions of `in`, `if`, `foreach`, `until` and `parallel`; gives `Value`s with their types, and diagnostics.
These see parameters, the loop variables around them and steps. What cannot be resolved becomes `Unresolved`, which
agrees with everything, and is not complained about again.

`either(…)[*]` is read as if it stood inside the loops around its steps, one for each star; `previous(e, first)` reads
`e` where the loop's `until` stands, and `first` where the loop itself does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from flowc.dsl import ast
from flowc.dsl import faults as syntax_faults
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source, Span
from flowc.runtime.plan import Json

from . import constants, faults, scope_faults, type_faults
from .resolve_names import Block, Declared, Names, Scope
from .resolve_refs import At, References, fans, refs_in, through
from .values import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    PICKLE,
    STRING,
    UNKNOWN,
    Artifact,
    Compare,
    Constant,
    Either,
    ListOf,
    Logic,
    MakeList,
    MakeObject,
    Not,
    Previous,
    Scalar,
    Text,
    Type,
    Unresolved,
    Value,
    parts,
    walk,
)

# A longer piece of text is not repeated in a message.
_LONGEST_QUOTED = 40
# So many loops whose lists hold each other's variables are followed, last to first.
_DEEPEST = 40


class Values:
    def __init__(self, source: Source, names: Names, say: list[Diagnostic]) -> None:
        self.source = source
        self.names = names
        self.diagnostics = say
        self.say = say.append
        self.refs = References(names, self.item_type, self.say)
        self._items: dict[Block, Value] = {}
        self._depth = 0

    # --- what a place asks for ----------------------------------------------------------------------------------------

    def value(self, expr: ast.Expr, at: At, wanted: Type | None = None) -> Value:
        """A whole value; nothing about its type is open."""
        value = self._value(expr, at, wanted)
        empty = next(constants.vague(value), None)
        if empty is None or any(_is_broken(part) for part in walk(value)):
            return value
        self.say(faults.empty_list(empty.span))
        return Unresolved(expr.span)

    def condition(self, expr: ast.Expr, at: At) -> Value:
        value = self._value(expr, replace(at, single=True), None)
        if value.type in (BOOL, UNKNOWN):
            return value
        self.say(type_faults.not_a_condition(self.quoted(expr), value.type, expr.span))
        return Unresolved(expr.span)

    def items(self, block: Block) -> Value:
        """The list of a `foreach`; asked for by all who read its variable, resolved once."""
        assert isinstance(block.node, ast.Foreach)
        if block not in self._items:
            expr = block.node.items
            self._items[block] = Unresolved(expr.span)  # what waits for itself; the cycle is reported as one
            self._depth += 1
            if self._depth > _DEEPEST:
                self.say(syntax_faults.too_deep(expr.span))
                value: Value = Unresolved(expr.span)
            else:
                value = self.value(expr, At(block.outer))
            self._depth -= 1
            if value.type != UNKNOWN and not isinstance(value.type, ListOf):
                self.say(type_faults.not_a_list(self.quoted(expr), value.type, expr.span))
                value = Unresolved(expr.span)
            self._items[block] = value
        return self._items[block]

    def item_type(self, block: Block) -> Type:
        type_ = self.items(block).type
        return type_.item if isinstance(type_, ListOf) else UNKNOWN

    def count(self, expr: ast.Expr, at: At) -> Value:
        """The number of a gang's nodes, where it is no literal."""
        value = self.value(expr, replace(at, single=True))
        if value.type in (INT, UNKNOWN):
            return value
        self.say(type_faults.not_a_count(self.quoted(expr), value.type, expr.span))
        return Unresolved(expr.span)

    def quoted(self, expr: ast.Expr) -> str:
        text = self.source.text[slice(*expr.span)]
        return f"`{text}`" if len(text) <= _LONGEST_QUOTED and "\n" not in text else "this"

    # --- expressions --------------------------------------------------------------------------------------------------

    def _value(self, expr: ast.Expr, at: At, wanted: Type | None) -> Value:
        match expr:
            case ast.Ref():
                return self.refs.reference(expr, at)
            case ast.OwnRef():
                return self.refs.own(expr, at)
            case ast.Template():
                return self._text(expr, at)
            case ast.Either():
                return self._either(expr, at, wanted)
            case ast.Previous():
                return self._previous(expr, at)
            case ast.Not():
                return Not(self.condition(expr.operand, at), BOOL, expr.span)
            case ast.Logic():
                return Logic(expr.word, tuple(self.condition(one, at) for one in expr.operands), BOOL, expr.span)
            case ast.Compare():
                return self._compare(expr, at)
            case ast.List() if constants.not_literal(expr) is not None:
                return self._list(expr, at, wanted)
            case ast.Object() if constants.not_literal(expr) is not None:
                return self._object(expr, at)
        return constants.constant(expr, self.diagnostics, wanted)

    def _list(self, expr: ast.List, at: At, wanted: Type | None) -> Value:
        inner = JSON if wanted == JSON else wanted.item if isinstance(wanted, ListOf) else None
        items = tuple(self._value(item, at, inner) for item in expr.items)
        if wanted == JSON:
            return MakeList(tuple(map(self._in_json, items)), JSON, expr.span)
        type_ = constants.agreed(items)
        if isinstance(type_, tuple):
            self.say(constants.mixed(*type_))
            return Unresolved(expr.span)
        return MakeList(tuple(constants.fitted(item, type_) for item in items), ListOf(type_), expr.span)

    def _object(self, expr: ast.Object, at: At) -> Value:
        found = tuple((it.name.text, self._in_json(self._value(it.value, at, JSON))) for it in expr.members)
        return MakeObject(found, JSON, expr.span)

    def _in_json(self, value: Value) -> Value:
        inner = constants.innermost(value.type)
        if isinstance(inner, Artifact) or inner == PICKLE:
            self.say(type_faults.not_in_json(value.type, value.span))
            return Unresolved(value.span)
        return value

    def _text(self, expr: ast.Template, at: At) -> Value:
        found: list[Value] = []
        at = replace(at, single=True)
        for part in expr.parts:
            value = Constant(part, STRING, expr.span) if isinstance(part, str) else self._value(part, at, None)
            if value.type != UNKNOWN and not isinstance(value.type, Scalar):
                assert not isinstance(part, str)
                self.say(type_faults.not_a_text(self.quoted(part), value.type, value.span))
                value = Unresolved(value.span)
            found.append(value)
        return Text(tuple(found), STRING, expr.span)

    def _compare(self, expr: ast.Compare, at: At) -> Value:
        at = replace(at, single=True)
        left, right = self._value(expr.left, at, None), self._value(expr.right, at, None)
        unresolved = Unresolved(expr.span)
        ordered = expr.sign not in ("==", "!=")
        for side, value in ((expr.left, left), (expr.right, right)):
            other = right if value is left else left
            if value.type == UNKNOWN:
                continue
            if not isinstance(value.type, Scalar):
                self.say(type_faults.not_compared(self.quoted(side), value.type, side.span, expr.sign))
                return unresolved
            if ordered and value.type not in (INT, FLOAT):
                fixed = _number(side) if other.type in (INT, FLOAT, UNKNOWN) else None
                self.say(type_faults.not_ordered(self.quoted(side), value.type, side.span, expr.sign, fixed))
                return unresolved
        if constants.common(left.type, right.type) is None:
            self.say(self._differ(expr, left, right))
            return unresolved
        return Compare(expr.sign, left, right, BOOL, expr.span)

    def _differ(self, expr: ast.Compare, left: Value, right: Value) -> Diagnostic:
        fixed = None
        for side, other in ((expr.left, right), (expr.right, left)):
            if isinstance(side, ast.String) and (text := _literal(side.value, other.type)) is not None:
                fixed = (side.span, text)
            elif isinstance(side, (ast.Int, ast.Float, ast.Bool)) and other.type == STRING:
                fixed = (side.span, f'"{self.source.text[slice(*side.span)]}"')
        return type_faults.never_equal(left.type, right.type, right.span, left.span, expr.sign, fixed)

    # --- either and previous ------------------------------------------------------------------------------------------

    def _either(self, expr: ast.Either, at: At, wanted: Type | None) -> Value:
        inner: tuple[Scope, ...] = ()
        if expr.stars:
            found = self._read_through(expr, at)
            if found is None:
                return Unresolved(expr.span)
            inner, wanted = found, None
        elif (bare := self._bare(expr, at)) is not None:
            return self._star_missing(expr, at, *bare)
        inside = at.inside(inner[-1]) if inner else at
        args = tuple(self._value(arg, inside, wanted) for arg in expr.args)
        type_ = constants.agreed(args)
        if isinstance(type_, tuple):
            first, second = type_
            self.say(type_faults.either_differs(first.type, second.type, second.span, first.span))
            return Unresolved(expr.span)
        value: Value = Either(tuple(constants.fitted(arg, type_) for arg in args), type_, expr.span)
        return through(inner, value, expr.span)

    def _read_through(self, expr: ast.Either, at: At) -> tuple[Scope, ...] | None:
        """The regions that `either(…)[*]` is read out of: around its innermost step, up to as many loops as stars.

        A step of a loop further out has one value there, and so has one that is collected by its own stars.
        """
        found: tuple[ast.Ref, tuple[Scope, ...]] | None = None
        for ref, declared, collected in (one for arg in expr.args for one in self._collected(arg)):
            beyond = declared.scope.beyond(at.scope)
            scopes = _out_of(beyond, max(0, min(len(expr.stars), fans(beyond) - collected)))
            if not scopes:
                continue
            if found is None or found[1][-1] in scopes:
                found = ref, scopes
            elif scopes[-1] not in found[1]:
                two = _run_for(*found), _run_for(ref, scopes)
                self.say(scope_faults.several_loops(expr.span, *two, self._apart(expr, at.scope)))
                return None
        due = 0 if found is None else fans(found[1])
        if found is not None and due == len(expr.stars):
            if (running := at.running(found[1])) is not None:
                self.say(scope_faults.of_another_loop(self.quoted(found[0]), found[0].span, running.word, running.head))
                return None
            return found[1]
        if found is None and any(self._value(arg, at, None).type == UNKNOWN for arg in expr.args):
            return None  # whose loop it would be is not known
        text, stars = self.source.text[slice(*expr.span)], expr.stars
        fixed = text[: stars[due].start - expr.span.start]
        why = f"its arguments run in {due} loops" if due > 1 else "its arguments run in one loop"
        why = why if due else "none of its arguments runs in a loop that is over here"
        self.say(type_faults.star_too_many(text, due, why, fixed, stars[due].to(stars[-1]), expr.span))
        return None

    def _collected(self, expr: ast.Expr, around: int = 0) -> Iterator[tuple[ast.Ref, Declared, int]]:
        """The outputs that an expression reads, each with the number of loops that it is collected from in there."""
        if isinstance(expr, ast.Ref):
            for ref, declared in self.refs.steps_in(expr):
                output = declared.outputs.get(ref.field.text) if ref.field else None
                yield ref, declared, around + len(ref.stars) - (output is not None and output.each)
        around += len(expr.stars) if isinstance(expr, ast.Either) else 0
        for part in constants.expressions(expr):
            yield from self._collected(part, around)

    def _bare(self, expr: ast.Either, at: At) -> tuple[ast.Ref, tuple[Scope, ...]] | None:
        """`either(a.x, 0)` without any star, where all steps that need one run in the same loops: the first of them.

        The star was hardly forgotten inside: the others are single values, too.
        """
        if any(map(_collects, expr.args)):
            return None
        found: tuple[ast.Ref, tuple[Scope, ...]] | None = None
        for ref, declared in (pair for arg in expr.args for pair in self.refs.steps_in(arg)):
            beyond = declared.scope.beyond(at.scope)
            scopes = _out_of(beyond, fans(beyond))
            if ref.stars or (scopes and found is not None and scopes[-1] is not found[1][-1]):
                return None
            found = found or ((ref, scopes) if scopes else None)
        if found is not None and (at.running(found[1]) or self._belongs_here(expr, at, found[1][-1])):
            return None
        literal = [constants.not_literal(arg) is None and isinstance(arg, ast.List) for arg in expr.args]
        return None if any(literal) or at.single or at.scope.final else found

    def _belongs_here(self, expr: ast.Either, at: At, scope: Scope) -> bool:
        """Something in it is of a loop around the reader that the region is not in."""
        here = {it for it in at.scope.beyond(scope) if not (it.block and isinstance(it.block.node, ast.If))}
        variables = {it.variable for it in here}
        return any(
            ref.name.text in variables
            if ref.field is None
            else (declared := self.names.steps.get(ref.name.text)) is not None
            and not here.isdisjoint(declared.scope.way)
            for arg in expr.args
            for ref in refs_in(arg)
        )

    def _star_missing(self, expr: ast.Either, at: At, ref: ast.Ref, scopes: tuple[Scope, ...]) -> Value:
        before = len(self.diagnostics)
        starred = self._either(replace(expr, stars=(expr.span,) * fans(scopes)), at, None)
        if len(self.diagnostics) == before:
            one = self._value(ref, replace(at, scope=scopes[-1]), None).type
            loops = [(scope.variable, scope.block.head) for scope in scopes if scope.variable and scope.block]
            fixed = self.source.text[slice(*expr.span)] + "[*]" * fans(scopes)
            written = f"{ref.name.text}.{'' if ref.field is None else ref.field.text}"
            said = (written, fixed, loops, one, starred.type, ref.span)
            self.say(type_faults.star_missing(ref.name.text, *said, place=expr.span))
        return Unresolved(expr.span)

    def _apart(self, expr: ast.Either, scope: Scope) -> str:
        """`either(a.x, b.x)[*]` with a star in each argument instead."""
        texts = [self.source.text[slice(*arg.span)] for arg in expr.args]
        for number, arg in enumerate(expr.args):
            if isinstance(arg, ast.Ref) and arg.field:
                stars = "[*]" * sum(fans(step.scope.beyond(scope)) for _, step in self.refs.steps_in(arg))
                texts[number] = f"{arg.name.text}{stars}.{arg.field.text}"
        return f"either({', '.join(texts)})"

    def _previous(self, expr: ast.Previous, at: At) -> Value:
        unresolved = Unresolved(expr.span)
        loops = [scope for scope in at.scope.way if scope.loop is not None]
        if not loops:
            running = next((scope.block for scope in reversed(at.left) if scope.loop is not None), None)
            if running is None:
                self.say(scope_faults.previous_outside(expr.keyword))
            else:
                self.say(scope_faults.of_another_loop("`previous`", expr.keyword, running.word, running.head))
            return unresolved
        steps = [declared for _, declared in self.refs.steps_in(expr.value)]
        loop = next((it for it in reversed(loops) if any(it in step.scope.way for step in steps)), None)
        block = (loop or loops[-1]).block
        assert block is not None
        if loop is None:
            if all(part.type != UNKNOWN for part in walk(self._value(expr.value, at, None))):
                self.say(scope_faults.previous_of_nothing(self.quoted(expr.value), expr.value.span, block.head))
            return unresolved
        value = self._value(expr.value, at.turn_before(loop), None)
        for ref, declared in self.refs.steps_in(expr.first):
            if loop in declared.scope.way:
                self.say(scope_faults.first_inside(self.quoted(ref), ref.span, block.head))
                return unresolved
        first = self._value(expr.first, replace(at, scope=block.outer), value.type)
        type_ = constants.agreed((value, first))
        if isinstance(type_, tuple):
            self.say(type_faults.previous_differs(value.type, first.type, first.span, value.span))
            return unresolved
        return Previous(block.name, value, constants.fitted(first, type_), type_, expr.span)


def _is_broken(value: Value) -> bool:
    """Its type is not known because of something that was reported."""
    return not isinstance(value, Constant) and not parts(value) and not constants.is_known(value.type)


def _collects(expr: ast.Expr) -> bool:
    """Whether there is an `either(…)[*]` in it."""
    return (isinstance(expr, ast.Either) and bool(expr.stars)) or any(map(_collects, constants.expressions(expr)))


def _out_of(scopes: tuple[Scope, ...], stars: int) -> tuple[Scope, ...]:
    """The first of these regions, as far as so many stars lead out of them."""
    loops = [number for number, scope in enumerate(scopes) if scope.variable is not None][:stars]
    return scopes[: loops[-1] + 1] if loops else ()


def _run_for(ref: ast.Ref, scopes: Sequence[Scope]) -> tuple[str, Span]:
    """A step, and the head of the loop that it is read out of."""
    assert scopes[-1].block is not None
    return ref.name.text, scopes[-1].block.head


def _number(expr: ast.Expr) -> str | None:
    return _literal(expr.value, FLOAT) if isinstance(expr, ast.String) else None


def _literal(text: str, type_: Type) -> str | None:
    """A string's text where it is a literal of the type."""
    from flowc.runtime.values import BadValue, parse_text

    if type_ not in (INT, FLOAT, BOOL):
        return None
    try:
        value: Json = parse_text(str(type_), text)
    except BadValue:
        return None
    return text if isinstance(value, bool) or text.strip("-+.0123456789e") == "" else None
