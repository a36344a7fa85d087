"""Words, units and types of the language."""

from __future__ import annotations

from dataclasses import dataclass

EDITION = 1

# --- words ------------------------------------------------------------------------------------------------------------

KEYWORDS = frozenset(
    {
        "after",
        "and",
        "call",
        "defaults",
        "each",
        "edition",
        "either",
        "else",
        "env",
        "false",
        "finally",
        "flow",
        "foreach",
        "if",
        "in",
        "main",
        "max",
        "not",
        "on",
        "or",
        "out",
        "parallel",
        "param",
        "previous",
        "repeat",
        "run",
        "schedule",
        "secret",
        "step",
        "true",
        "until",
    }
)
# Kept free for later editions, so that no file breaks when they come.
RESERVED = frozenset({"import", "packages", "template", "trigger", "while"})

# What other languages call it.
KEYWORD_ALIASES = {
    "cmd": "run",
    "command": "run",
    "depends_on": "after",
    "environment": "env",
    "input": "in",
    "inputs": "in",
    "job": "step",
    "needs": "after",
    "outputs": "out",
    "parameter": "param",
    "pipeline": "flow",
    "stage": "step",
    "task": "step",
    "workflow": "flow",
}

# What is a setting of a step elsewhere: how it is written here, and an example of its `{value}`.
FORMS: dict[str, tuple[str, str]] = (
    dict.fromkeys(
        ("nodes", "nnodes", "num_nodes", "node_count", "replicas", "workers", "num_workers"),
        ("the number of nodes stands in the step's head: `step NAME parallel({value}) {{`", "2"),
    )
    | dict.fromkeys(
        ("when", "condition", "only_if", "run_if"),
        ("a condition stands around the step: `if {value} {{ step NAME {{ … }} }}`", "CONDITION"),
    )
    | dict.fromkeys(
        ("for_each", "with_items", "with_param", "matrix"),
        ("for each item of a list, in a loop around it: `foreach item in {value} {{ step NAME {{ … }} }}`", "LIST"),
    )
    | dict.fromkeys(
        ("dependencies", "depends", "depends_on", "needs", "requires", "wait_for"),
        ("write `after {value}`, or nothing where an input of the step comes from there", "STEP"),
    )
    | dict.fromkeys(("description", "documentation"), ("write it above, in lines that begin with `##`", ""))
    | dict.fromkeys(("cron",), ('write `schedule "30 2 * * *" in "UTC"` in the flow', ""))
    | dict.fromkeys(("secrets",), ("write `env NAME = secret.NAME`", ""))
)

SCRIPT_LANGUAGES = ("bash", "python")

# --- units ------------------------------------------------------------------------------------------------------------

SIZE_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_SECONDS, _MINUTES, _HOURS, _DAYS = "s sec secs second seconds", "m min mins minute minutes", "h hr hrs hour hours", "d"
# What people write for them, in lower case.
UNIT_ALIASES = (
    {f"{letter}{rest}": f"{letter.upper()}iB" for letter in "kmgt" for rest in ("", "b", "i", "ib", "bytes")}
    | dict.fromkeys(_SECONDS.split(), "s")
    | dict.fromkeys(_HOURS.split(), "h")
    | dict.fromkeys(_MINUTES.split()[1:], "m")
    | dict.fromkeys([_DAYS, "day", "days"], "d")
)

# --- types ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeRow:
    """`scalar`: its text may stand in argv and in the environment. `artifact`: its value is a path."""

    name: str
    doc: str
    scalar: bool = False
    artifact: bool = False
    aliases: tuple[str, ...] = ()


TYPES = {
    row.name: row
    for row in (
        TypeRow("string", "text", scalar=True, aliases=("str", "text", "char")),
        TypeRow("int", "a whole number of 64 bits", scalar=True, aliases=("integer", "long", "int32", "int64", "uint")),
        TypeRow(
            "float",
            "a number of 64 bits (IEEE 754); an int may stand where a float is wanted",
            scalar=True,
            aliases=("double", "number", "real", "float32", "float64"),
        ),
        TypeRow("bool", "`true` or `false`", scalar=True, aliases=("boolean",)),
        TypeRow(
            "file", "a file; a body gets the path of its copy", artifact=True, aliases=("path", "artifact", "blob")
        ),
        TypeRow(
            "dir",
            "a folder with all that is in it; a body gets its path",
            artifact=True,
            aliases=("folder", "directory"),
        ),
        TypeRow("list", "a list of values of one type, written `list[string]`", aliases=("array", "tuple", "sequence")),
        TypeRow("json", "any JSON value; the language does not look inside", aliases=("dict", "map", "object")),
        TypeRow("pickle", "any Python value, between `call` and `run python` only", aliases=("any",)),
    )
}
