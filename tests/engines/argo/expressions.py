"""The subset of expr-lang that `{{=...}}` tags may use.

Takes expression text and an environment of dotted names (`{"workflow.uid": "..."}`); gives a value: string, integer,
float, boolean or nil. Property access is `a.b` or `a['b']`, the only way to write a name with a hyphen. Literals,
`== != < <= > >= + - && || ! ?? ?:` and the functions in `FUNCTIONS`.

Refuses, by `UnsupportedField`, every other operator, function or token. `ExpressionError` is an evaluation that fails,
among them a comparison of a string with a number, which expr-lang answers with a quiet false. `MissingNameError` is a
name that the environment lacks: Argo leaves such a tag in place for another pass.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias, TypeVar

from .errors import UnsupportedField

Value: TypeAlias = str | int | float | bool | None
Tree: TypeAlias = "Value | dict[str, Tree]"


class ExpressionError(Exception):
    """The expression is legal but its evaluation fails."""


class MissingNameError(Exception):
    """The environment has no such name."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str


T = TypeVar("T")

TOKENS = re.compile(
    r"""\s*(?:
    (?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
    |(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<op>==|!=|<=|>=|&&|\|\||\?\?|[-+!<>?:.,()\[\]])
    )""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def tokens(text: str) -> list[Token]:
    found = []
    position = 0
    while text[position:].strip():
        match = TOKENS.match(text, position)
        if match is None or match.lastgroup is None:
            raise UnsupportedField(f"{{{{={text}}}}}", f"not in the expression subset at {text[position:]!r}")
        found.append(Token(match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


def unquote(literal: str) -> str:
    def escape(match: re.Match[str]) -> str:
        if match[1] not in ESCAPES:
            raise UnsupportedField(literal, f"escape \\{match[1]} is not in the expression subset")
        return ESCAPES[match[1]]

    return re.sub(r"\\(.)", escape, literal[1:-1], flags=re.DOTALL)


# Nodes of the syntax tree


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted path: `inputs.parameters['my-param']` is ("inputs", "parameters", "my-param")."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Literal | Name | Operation | Call

# The order of expr-lang's operator table: the later binds tighter.
PRECEDENCE: Mapping[str, int] = {
    "||": 10, "&&": 15, "==": 20, "!=": 20, "<": 20, "<=": 20, ">": 20, ">=": 20, "+": 30, "-": 30, "??": 500,
}  # fmt: skip
KEYWORDS: Mapping[str, Value] = {"true": True, "false": False, "nil": None}


class Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.position = 0

    def parse(self) -> Node:
        node = self.ternary()
        if self.position < len(self.tokens):
            raise self.refuse(f"unexpected {self.tokens[self.position].text!r}")
        return node

    def refuse(self, reason: str) -> UnsupportedField:
        return UnsupportedField(f"{{{{={self.text}}}}}", reason)

    def peek(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else ""

    def take(self) -> Token:
        if self.position >= len(self.tokens):
            raise self.refuse("ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, text: str) -> None:
        token = self.take()
        if token.text != text or token.kind == "string":
            raise self.refuse(f"expected {text!r}, found {token.text!r}")

    def ternary(self) -> Node:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take()
        yes = self.ternary()
        self.expect(":")
        return Operation("?:", (condition, yes, self.ternary()))

    def binary(self, least: int) -> Node:
        left = self.unary()
        while (power := PRECEDENCE.get(self.peek(), -1)) >= least:
            operator = self.take().text
            left = Operation(operator, (left, self.binary(power + 1)))
        return left

    def unary(self) -> Node:
        if self.peek() in ("!", "-"):
            return Operation("unary" + self.take().text, (self.unary(),))
        return self.primary()

    def primary(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return Literal(int(token.text) if token.text.isdigit() else float(token.text))
        if token.kind == "string":
            return Literal(unquote(token.text))
        if token.text == "(":
            inner = self.ternary()
            self.expect(")")
            return inner
        if token.kind != "name":
            raise self.refuse(f"unexpected {token.text!r}")
        if token.text in KEYWORDS:
            return Literal(KEYWORDS[token.text])
        return self.path_or_call([token.text])

    def path_or_call(self, path: list[str]) -> Node:
        while True:
            if self.peek() == ".":
                self.take()
                part = self.take()
                if part.kind != "name":
                    raise self.refuse(f"expected a name after '.', found {part.text!r}")
                path.append(part.text)
            elif self.peek() == "[":
                self.take()
                part = self.take()
                if part.kind != "string":
                    raise self.refuse("only a literal name may stand in [ ]")
                path.append(unquote(part.text))
                self.expect("]")
            elif self.peek() == "(":
                return self.call(".".join(path))
            else:
                return Name(tuple(path))

    def call(self, function: str) -> Node:
        if function not in FUNCTIONS:
            raise self.refuse(f"unknown function {function}")
        self.take()
        arguments: list[Node] = []
        while self.peek() != ")":
            if arguments:
                self.expect(",")
            arguments.append(self.ternary())
        self.take()
        return Call(function, tuple(arguments))


def parse(text: str) -> Node:
    return Parser(text).parse()


def names(node: Node) -> Iterator[tuple[str, ...]]:
    """Every path that the expression reads."""
    match node:
        case Name(path):
            yield path
        case Operation(_, children) | Call(_, children):
            for child in children:
                yield from names(child)
        case Literal():
            return


# Values


def go_number(value: int | float) -> str:
    """A number as Go's JSON encoder writes it: no exponent between 1e-6 and 1e21."""
    if isinstance(value, int) or value.is_integer():
        return str(int(value)) if isinstance(value, int) or abs(value) < 1e21 else repr(value)
    if abs(value) >= 1e-6:
        return format(Decimal(repr(value)), "f")
    return repr(value).replace("e-0", "e-")


def go_json(value: Value) -> str:
    """JSON as Go writes it: compact, and with `<`, `>`, `&` and the two line separators escaped."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return go_number(value)
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def as_int(value: Value) -> Value:
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+", value):
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    raise ExpressionError(f"asInt: cannot convert {value!r}")


def as_float(value: Value) -> Value:
    if isinstance(value, bool) or value is None:
        raise ExpressionError(f"asFloat: cannot convert {value!r}")
    try:
        return float(value)
    except ValueError as error:
        raise ExpressionError(f"asFloat: cannot convert {value!r}") from error


def wants(value: Value, kind: type[T], who: str) -> T:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ExpressionError(f"{who}: {value!r} has the wrong type")
    return value


def number(value: Value, who: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"{who}: {value!r} is not a number")
    return value


def as_string(value: Value) -> str:
    return value if isinstance(value, str) else go_json(value)


def trunc(length: Value, text: Value) -> Value:
    count, whole = wants(length, int, "sprig.trunc"), wants(text, str, "sprig.trunc")
    return whole[:count] if count >= 0 else whole[count:]


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Value]]] = {
    "toJson": (1, go_json),
    "asInt": (1, as_int),
    "asFloat": (1, as_float),
    "string": (1, as_string),
    "sprig.b64enc": (1, lambda v: base64.b64encode(wants(v, str, "b64enc").encode()).decode()),
    "sprig.sha256sum": (1, lambda v: hashlib.sha256(wants(v, str, "sha256sum").encode()).hexdigest()),
    "sprig.trunc": (2, trunc),
}


def expand(environment: Mapping[str, Value]) -> dict[str, Tree]:
    """Dotted names as nested maps, which is what the expression sees. A map wins over a value of the same name."""
    root: dict[str, Tree] = {}
    for name in sorted(environment, key=lambda n: n.count(".")):
        place = root
        *parents, last = name.split(".")
        for part in parents:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[last] = environment[name]
    return root


def look_up(path: tuple[str, ...], environment: Mapping[str, Value]) -> Tree:
    place: Tree = expand(environment)
    for part in path:
        if not isinstance(place, dict) or part not in place:
            raise MissingNameError(".".join(path))
        place = place[part]
    return place


def evaluate(node: Node, environment: Mapping[str, Value]) -> Value:
    match node:
        case Literal(value):
            return value
        case Name(path):
            found = look_up(path, environment)
            if isinstance(found, dict):
                raise ExpressionError(f"{'.'.join(path)} is a map, not a value")
            return found
        case Call(function, arguments):
            arity, body = FUNCTIONS[function]
            if len(arguments) != arity:
                raise ExpressionError(f"{function} takes {arity} argument(s), {len(arguments)} given")
            return body(*(evaluate(argument, environment) for argument in arguments))
        case Operation(operator, operands):
            return operate(operator, operands, environment)


def operate(operator: str, operands: tuple[Node, ...], environment: Mapping[str, Value]) -> Value:
    first = evaluate(operands[0], environment)
    match operator:
        case "?:":
            return evaluate(operands[1 if wants(first, bool, "?:") else 2], environment)
        case "&&" | "||":
            if wants(first, bool, operator) is (operator == "||"):
                return first
            return wants(evaluate(operands[1], environment), bool, operator)
        case "??":
            return evaluate(operands[1], environment) if first is None else first
        case "unary!":
            return not wants(first, bool, "!")
        case "unary-":
            return -number(first, "-")
    second = evaluate(operands[1], environment)
    if first is None or second is None:
        if operator not in ("==", "!="):
            raise ExpressionError(f"nil {operator} is not defined")
        return (first is second) is (operator == "==")
    kinds = {"str" if isinstance(v, str) else "bool" if isinstance(v, bool) else "number" for v in (first, second)}
    if len(kinds) > 1:
        # expr-lang answers `'1' == 1` with false and lets a condition go wrong in silence.
        raise ExpressionError(f"{first!r} {operator} {second!r}: the types differ")
    if operator in ("==", "!="):
        return (first == second) is (operator == "==")
    if isinstance(first, str) and isinstance(second, str):
        if operator == "-":
            raise ExpressionError(f"{first!r} - {second!r} is not defined")
        return first + second if operator == "+" else compare(operator, first, second)
    one, two = number(first, operator), number(second, operator)
    if operator in ("+", "-"):
        return one + two if operator == "+" else one - two
    return compare(operator, one, two)


Ordered = TypeVar("Ordered", str, float)


def compare(operator: str, one: Ordered, two: Ordered) -> bool:
    return {"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[operator]
