"""What the generator of programs knows of the language's tables and literals, on its own and from the manual.

Every entry is known to be good; the compiler's tables have more.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

# Settings of targets, with the places where they may stand.
ON = {"argo": (("queue", '"gpu-team"'),), "sfn": (("queue", '"gpu-mnp"'),)}

SETTINGS = (
    *(("image", ('"acme/train:2.5"', '"ghcr.io/acme/tool:1"')), ("cpu", ("1", "0.5", "96"))),
    *(("memory", ("2GiB", "900MiB", "1TiB")), ("gpu", ("0", "8")), ("shm", ("64MiB", "1GiB"))),
    *(("timeout", ("30s", "5m", "12h", "2d")), ("retries", ("0", "3")), ("retry_wait", ("1s", "1m"))),
)
RESOURCES = tuple(row for row in SETTINGS if row[0] in ("cpu", "memory", "gpu"))

_MPI_ARGS = ('["--bind-to", "none"]',)
FRAMEWORKS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "torchrun": (("procs_per_node", ("1", "8")), ("max_restarts", ("0", "2")), ("port", ("29555",))),
    "deepspeed": (("procs_per_node", ("2",)), ("launcher", ('"torchrun"', '"pdsh"', '"openmpi"'))),
    "tensorflow": (("port", ("12345",)), ("chief", ("true", "false"))),
    "ray": (("port", ("6380",)), ("dashboard", ("true", "false")), ("object_store_memory", ("100MiB",))),
    "mpi": (("procs_per_node", ("4",)), ("implementation", ('"openmpi"', '"mpich"')), ("args", _MPI_ARGS)),
}

SCALARS = ("string", "int", "float", "bool")
OUTPUTS = (*SCALARS, *SCALARS, "file", "dir", "json", "pickle", "list[string]", "list[int]", "list[list[float]]")
PARAMS = (*SCALARS, *SCALARS, "json", "list[string]", "list[int]", "list[float]", "list[list[int]]", "list[json]")
COMPARED = ("==", "!=", "<", "<=", ">", ">=")
DOCS = ("", "", "", "", "Says what it is.", "Two lines,\nthe second of them.", "ends with a brace }", "a `mark` # more")

_STRINGS = (
    '""',
    '"a"',
    '"s3://bucket/key"',
    '"# no { comment }"',
    '"it\'s"',
    '"tab\\t \\"q\\" \\\\ \\n"',
    '"\\${x} é漢"',
)
_INTS = ("0", "1", "7", "-3", "9223372036854775807", "-9223372036854775808")
_FLOATS = ("0.5", "-2.0", "1e5", "1.5e-3", "-0.0", "3.25E+2")


def list_of(type_: str, depth: int = 1) -> str:
    return f"list[{list_of(type_, depth - 1)}]" if depth else type_


def item_of(type_: str) -> str:
    return type_.removeprefix("list[")[:-1]


def type_tokens(type_: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+|[\[\]]", type_))


def literal(type_: str, rng: random.Random, *, typed: bool = False, depth: int = 2) -> tuple[str, ...]:
    """`typed`: where the type is known, so that a list may be empty and an int a float."""
    match type_:
        case "string":
            return (rng.choice(_STRINGS),)
        case "int":
            return (rng.choice(_INTS),)
        case "float":
            return (rng.choice((*_FLOATS, "3") if typed else _FLOATS),)
        case "bool":
            return (rng.choice(("true", "false")),)
        case "json":
            return _json(rng, depth)
    count = rng.randint(0 if typed else 1, 4)
    items = [literal(item_of(type_), rng, typed=typed, depth=depth) for _ in range(count)]
    return ("[", *separated(items, rng), "]")


def _json(rng: random.Random, depth: int) -> tuple[str, ...]:
    members: list[tuple[str, ...]] = []
    for number in range(rng.randint(0, 3)):
        key = rng.choice((f"key_{number}", f'"key {number}"'))
        members.append((key, "=", *_json_value(rng, depth)))
    return ("{", *separated(members, rng, optional=True), "}")


def _json_value(rng: random.Random, depth: int) -> tuple[str, ...]:
    if not depth or rng.random() < 0.6:
        return literal(rng.choice(SCALARS), rng)
    if rng.random() < 0.5:
        return _json(rng, depth - 1)
    items = [_json_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return ("[", *separated(items, rng), "]")


def separated(
    items: Sequence[tuple[str, ...]], rng: random.Random, *, optional: bool = False, ended: bool = True
) -> tuple[str, ...]:
    """With commas between them (`optional`: perhaps), and perhaps (`ended`) one behind the last."""
    tokens: list[str] = []
    for number, item in enumerate(items):
        if number and not (optional and rng.random() < 0.3):
            tokens.append(",")
        tokens += item
    return (*tokens, ",") if tokens and ended and rng.random() < 0.2 else tuple(tokens)
