"""Remedies for what people write who know other languages. Takes the tokens around a syntax error; gives help lines."""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token

from . import tables
from .faults import IN_HEAD

COMMENT = ("comments begin with `#`",)
_TEXTS = ("STRING", "BAD_STRING", "BAD_QUOTE")


def syntax(before_last: Token | None, last: Token | None, found: Token, accepts: set[str]) -> tuple[str, ...]:
    return tuple(_syntax(before_last, last, found, accepts))


def _syntax(before_last: Token | None, last: Token | None, found: Token, accepts: set[str]) -> Iterator[str]:
    opener = before_last.type if before_last is not None else ""
    kind = last.type if last is not None else ""
    if kind == "RUN" and found.type in (*_TEXTS, "EQUAL", "COLON", "LPAR", "LBRACE"):
        yield 'a command is a list: run ["program", "argument"]'
        yield "a script is named after its language: run bash '''…'''"
    elif kind == "RUN" and found.type in ("RAW", "BAD_RAW"):
        yield "say what the script is written in: run bash '''…''' or run python '''…'''"
    elif opener == "RUN" and found.type in _TEXTS:
        yield "scripts stand between ''' and '''"
    elif opener == "RUN" and found.type == "NAME":
        yield 'a command is a list: run ["program", "argument"]'
    elif kind == "CALL":
        yield 'for example: call "file.py:function"'
    elif kind == "NAME" and last in _HOLDERS and found.type in ("COLON", "EQUAL", "LBRACE"):
        yield "steps stand in the flow itself: step NAME { … }"
    elif kind == "NAME" and last in tables.FRAMEWORKS and found.type == "LBRACE":
        yield f"a framework stands in a step of several nodes: step NAME parallel(2) {{ {last} {{ … }} }}"
    elif kind == "NAME" and found.type == "LBRACE" and accepts == {"EQUAL"}:
        yield "settings stand each on its line: `name = value`"
    elif opener == "SECRET" and found.type in ("EQUAL", "COLON"):
        yield f'where its value comes from stands in braces: secret {last} {{ argo = "…" }}'
    elif kind in ("OUT", "RUN", "SECRET") and accepts == {"DOT"}:
        yield f"a name follows: `{last}.name`"
    elif kind == "EACH" and found.type == "COLON":
        yield "`each` stands before the name: write `out each name: type`"
    elif kind == "LPAR" and opener in ("EITHER", "PREVIOUS") and found.type == "RPAR":
        yield f"write `{before_last}(a, b)`"
    elif found.type == "COMMA" and accepts <= {"LSQB", "RSQB"}:
        yield "only lists have a type in brackets, one; anything with names and values is `json`"
    elif found.type == "COLON" and kind == "NAME" and "EQUAL" in accepts and opener not in ("IN", "OUT", "ENV"):
        yield "a value follows on the same line: `name = value`"
    elif found.type in ("IN", "NOT") and (accepts == {"LBRACE"} or accepts & {"EQ", "OR"}) and kind in _ENDS:
        sign, word = ("==", "or") if found.type == "IN" else ("!=", "and")
        yield f"compare with each: `x {sign} a {word} x {sign} b`"
    elif found.type in ("COLON", *_NODES) and "LBRACE" in accepts and "EQUAL" not in accepts:
        yield "a block stands in braces: `{ … }`"
    elif opener == "IN" and found.type == "COLON":
        yield "an input takes the type of its value: write `in name = value`"
    elif opener in ("OUT", "PARAM") and kind == "NAME" and found.type == "NAME" and last in tables.TYPES:
        yield "the type follows the name: write `name: type`"
    elif opener == "OUT" and kind == "NAME" and found.type != "COMMA":
        yield "an output has a type: write `out name: type`"
    elif opener == "PARAM" and kind == "NAME" and found.type != "COMMA":
        yield "a parameter has a type: write `param name: type = value`"
    elif opener in ("IN", "OUT") and found.type == "COMMA":
        yield "write one on each line"
    elif "ENV" in (opener, kind):
        yield "write `env NAME = value`"
    elif kind == "AFTER" or opener == "AFTER":
        yield "write `after step_a, step_b`"
    elif kind == "SCHEDULE":
        yield 'write `schedule "30 2 * * *" in "Europe/Paris"`'
    elif "FOREACH" in (opener, kind):
        yield "write `foreach item in list { … }`"
    elif found.type == "PARALLEL":
        yield (
            IN_HEAD
            if "MAX" not in accepts
            else "how many run at once is the `max` of the loop: foreach item in list max 8"
        )
    elif "PARALLEL" in (kind, opener):
        yield "write `parallel(2)`"
    elif kind in ("EITHER", "PREVIOUS"):
        yield f"write `{last}(a, b)`"
    elif kind == "MAX":
        yield "write `max 8`"
    elif kind == "NAME" and found.type == "LPAR" and (opener in _IN_VALUE or opener == "IN"):
        yield "there are no functions but `either` and `previous`; compute in a step"
    elif found.type == "STAR":
        yield "there is no arithmetic; compute in a step"
    elif found.type == "NOT" and kind in _COMPARATORS:
        yield "put it in parentheses: `(not x)`"
    elif found.type == "IF" and kind != "IF":
        yield "values do not depend on conditions; `if` chooses steps, and `either(a, b)` is the result that there is"
    elif found.type == "COLON" and opener in _IN_VALUE and kind == "NAME":
        yield "text stands in double quotes"
    elif kind == "NAME" and found.type == "LPAR" and opener not in ("FLOW", "STEP"):
        yield f"a block stands in braces: {last} {{ … }}"
    elif kind == "NUMBER" and found.type == "NAME" and _is_unit(found):
        yield "a unit follows its number without a blank"
    elif found.type == "COMMA" and opener in ("EQUAL", "COLON"):
        yield "lines end without a sign"
    elif found.type == "DOT" and kind != "NAME":
        yield "a number begins with a digit: write `0.5`, not `.5`"
    elif found.type in _IN_STEP and "IN" not in accepts and accepts & {"STEP", "ENV"}:
        yield f"`{found}` stands in a step: step NAME {{ … }}"
    elif found == "for" and "CALL" in accepts:
        yield "loops stand in the flow, around steps: foreach item in list { … }"
    elif found.type in _BELONGING:
        yield _BELONGING[found.type]


# What holds the steps in other languages.
_HOLDERS = {"dag", "jobs", "nodes", "stages", "steps", "tasks"}
_NODES = ("STEP", "FOREACH", "IF", "REPEAT")
_IN_STEP = {"IN", "OUT", "RUN", "CALL", "AFTER", "MAIN"}
_COMPARATORS = {"EQ", "NE", "LE", "GE", "LANGLE", "RANGLE"}
# With which a value that is compared may end.
_ENDS = {"NAME", "STRING", "NUMBER"}
_IN_VALUE = {"EQUAL", "AND", "OR", "NOT", "IF", "UNTIL", "COMMA", "LSQB", "LPAR", *_COMPARATORS}
_BELONGING = {
    "ELSE": "`else` follows the `}` of an `if`",
    "UNTIL": "`until` follows the `}` of a `repeat`",
    "MAX": "`max` belongs to the head of `foreach` and `repeat`",
    "EDITION": "the edition stands before `flow`",
}


def reserved(word: str, *, is_end: bool) -> tuple[str, ...]:
    if word != "while":
        return ()
    if is_end:
        return ("write `until` and when to stop: `repeat max 10 { … } until condition`",)
    return ("write `repeat max 10 { … } until condition`",)


def _is_unit(word: str) -> bool:
    return word in tables.SIZE_UNITS or word.lower() in tables.UNIT_ALIASES


def character(text: str) -> tuple[str, ...]:
    if text.startswith(("//", "/")):
        return COMMENT
    if text[0] in "@":
        return ("there are no decorators: what belongs to a step stands in its braces, step NAME { … }",)
    if text[0] in ";":
        return ("lines end without a sign",)
    if text[0] in "$":
        return ("names stand for themselves: write `epochs`, not `$epochs`",)
    if text[0] in "-":
        return ("an option stands in double quotes, as all text; there is no arithmetic",)
    if text[0] in "&|!":
        return ("write `and`, `or`, `not`",)
    if text[0] in "?":
        return ("there is no `?`: a parameter may have a default, and `either(a, b)` is the result that there is",)
    if text[0] in "\u201c\u201d\u201e\u00ab\u00bb":
        return ('strings stand in double quotes: "',)
    if text[0] in "+%^~":
        return ("there is no arithmetic; compute in a step",)
    return ()
