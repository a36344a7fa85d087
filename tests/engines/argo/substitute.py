"""Argo's substitution of `{{tags}}`: textual, over the JSON form of a template, in several passes.

Takes a template (plain dicts) and maps of dotted names; gives the template with the tags replaced. What follows from
Argo doing it this way, and a test relies on: the *values* are part of the text and are scanned again by the next pass,
so `{{` in a parameter or in a step's output is a program; a simple tag is escaped by Go's string quoting, not JSON's,
so a control character breaks the node; `{{` without an end breaks the parse; there is no escape.

Refuses nothing at run time that Argo lets pass: an unknown name leaves the tag as literal text. `leftovers` then finds
those that Argo knows by prefix and could not resolve, which the engine treats as an error. `check_tags` refuses, before
anything runs, every tag of a document that is outside the known vocabulary.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from . import expressions
from .errors import NodeError, UnsupportedField
from .expressions import ExpressionError, MissingNameError, Value

Json: TypeAlias = Any  # documents are what YAML gives: dict, list, str, int, float, bool, None
Scope: TypeAlias = Mapping[str, Value]

VOCABULARY = re.compile(
    r"""
    inputs\.parameters\.[-\w]+
    | outputs\.parameters\.[-\w]+\.path
    | workflow\.(?:name|namespace|uid|serviceAccountName|mainEntrypoint|status|failures)
    | workflow\.parameters\.[-\w]+
    | tasks\.(?:name|[-\w]+\.(?:status|id|exitCode|outputs\.parameters\.[-\w]+))
    | node\.name | pod\.name | item | retries
    | lastRetry\.(?:exitCode|status|duration|message)
    """,
    re.VERBOSE,
)
# `retries` and names outside these prefixes stay as literal text in Argo, so they are not errors here.
KNOWN_PREFIX = re.compile(r"=|(?:inputs|outputs|workflow|tasks|steps|item|pod|node|lastRetry)(?:\.|$)")


def go_quote(text: str) -> str:
    """Go's strconv.Quote without the outer quotes. Not JSON where it writes `\\a`, `\\v`, `\\x1b` or `\\U...`."""
    short = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    out = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            out.append("\\" + character)
        elif character in short:
            out.append(short[character])
        elif character == " " or unicodedata.category(character)[0] in "LMNPS":
            out.append(character)
        else:
            out.append(f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out)


def marshal(document: Json) -> str:
    """JSON as Go writes it, which is the text that the tags are searched in."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def replace(document: Json, scope: Scope) -> Json:
    """One pass over the whole document."""
    text = marshal(document)
    out: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise NodeError(f'Cannot find end tag="}}}}" in the template starting from {text[start : start + 60]!r}')
        out.append(text[position:start])
        tag = text[start + 2 : end]
        out.append(expression(tag, scope) if tag.startswith("=") else simple(tag, scope))
        position = end + 2
    out.append(text[position:])
    try:
        return json.loads("".join(out))
    except ValueError as error:
        message = "cannot finish template replacement because the result was invalid JSON"
        raise NodeError(f"{message}: {error}") from error


def simple(tag: str, scope: Scope) -> str:
    name = tag.strip()
    if name in scope:
        value = scope[name]
        if value is None:
            raise NodeError(f"failed to resolve {{{{{tag}}}}}: absent output of a skipped or omitted node")
        return go_quote(expressions.as_string(value))
    # A tag inside a tag: Argo resolves the inner one and leaves the outer opening for a later pass.
    outer, found, inner = tag.rpartition("{{")
    if found and outer and isinstance(value := scope.get(inner), str):
        return "{{" + outer + go_quote(value)
    return "{{" + tag + "}}"


def expression(tag: str, scope: Scope) -> str:
    try:
        text = json.loads(f'"{tag[1:]}"')
    except ValueError as error:
        raise NodeError(f"failed to unmarshal expression {tag!r}: {error}") from error
    tree = expressions.parse(text)
    try:
        for path in expressions.names(tree):
            expressions.look_up(path, scope)
        result = expressions.evaluate(tree, scope)
    except MissingNameError:
        return "{{" + tag + "}}"  # another pass may know the name; all names must be known in the same pass
    except ExpressionError as error:
        raise NodeError(f"failed to evaluate expression {text!r}: {error}") from error
    if result is None:
        raise NodeError(f"failed to evaluate expression {text!r}: nil")
    return expressions.go_json(result)[1:-1] if isinstance(result, str) else go_quote(expressions.go_json(result))


def process_arguments(template: Json, arguments: Mapping[str, str | None], scope: Scope) -> Json:
    """Fill a template's inputs, then substitute: globals and locals first, then the inputs as well.

    An argument of None is an absent output of a skipped task: the input's own default takes over.
    """
    filled = dict(template)
    inputs = [dict(p) for p in (template.get("inputs") or {}).get("parameters") or []]
    for parameter in inputs:
        name = parameter["name"]
        supplied = arguments.get(name)
        if supplied is not None:
            parameter["value"] = supplied
        elif "default" in parameter:
            parameter["value"] = parameter["default"]
        elif "value" not in parameter:
            absent = "argument references an absent optional (skipped/omitted node output with no default)"
            raise NodeError(
                f"inputs.parameters.{name}: {absent}"
                if name in arguments
                else f"inputs.parameters.{name} was not supplied"
            )
        if parameter.get("enum") and parameter["value"] not in parameter["enum"]:
            raise NodeError(f"inputs.parameters.{name}: {parameter['value']!r} is not in the enum")
    if inputs:
        filled["inputs"] = {**filled["inputs"], "parameters": inputs}
    return substitute_parameters(filled, scope)


def substitute_parameters(template: Json, scope: Scope) -> Json:
    """The two passes. Argo runs them again for each attempt of a template with a retryStrategy."""
    once = replace(template, scope)
    known = dict(scope)
    for parameter in (once.get("inputs") or {}).get("parameters") or []:
        known[f"inputs.parameters.{parameter['name']}"] = str(parameter["value"])
    for parameter in (once.get("outputs") or {}).get("parameters") or []:
        if "path" in (parameter.get("valueFrom") or {}):
            known[f"outputs.parameters.{parameter['name']}.path"] = parameter["valueFrom"]["path"]
    return replace(once, known)


def strings(document: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(document, str):
        yield path, document
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from strings(value, f"{path}.{key}")
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from strings(value, f"{path}[{index}]")


def tags(text: str) -> Iterator[str]:
    """The tags of one string; an opening without an end is yielded whole."""
    for piece in text.split("{{")[1:]:
        tag, _, _ = piece.partition("}}")
        yield tag


def leftovers(document: Json, path: str) -> None:
    """Argo knows these names by their prefix, and no pass could resolve them."""
    for where, text in strings(document, path):
        for tag in tags(text):
            if KNOWN_PREFIX.match(tag.strip()):
                raise NodeError(f"{where}: failed to resolve {{{{{tag}}}}}")


def check_tags(document: Json, path: str) -> None:
    """Refuse every tag, function or reference that this engine does not know."""
    for where, text in strings(document, path):
        if any("}}" not in piece for piece in text.split("{{")[1:]):
            raise UnsupportedField(where, f"an opening {{{{ has no end in {text!r}")
        for tag in tags(text):
            if tag.startswith("="):
                try:
                    paths = list(expressions.names(expressions.parse(tag[1:])))
                except UnsupportedField as error:
                    raise UnsupportedField(where, str(error)) from error
                for parts in paths:
                    if not VOCABULARY.fullmatch(".".join(parts)):
                        raise UnsupportedField(where, f"unknown reference {'.'.join(parts)}")
            elif not VOCABULARY.fullmatch(tag.strip()):
                raise UnsupportedField(where, f"unknown tag {{{{{tag}}}}}")
