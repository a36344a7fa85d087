"""The closed vocabularies of the language: words, types, units, settings, frameworks.

Tables of frozen dataclasses and nothing else. Parser, checker and messages read the same rows, so that a setting is
known everywhere or nowhere. `since` is None for what is part of the language but is not built in this version; the
checker answers it with one diagnostic instead of "unknown".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

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

SCRIPT_LANGUAGES = ("bash", "python")
TARGETS = ("argo", "sfn", "local")

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
    since: str | None = "0.1.0"
    aliases: tuple[str, ...] = ()


TYPES = {
    row.name: row
    for row in (
        TypeRow("string", "text", scalar=True, aliases=("str", "text", "char")),
        TypeRow("int", "a whole number", scalar=True, aliases=("integer", "long", "int32", "int64", "uint")),
        TypeRow("float", "a number", scalar=True, aliases=("double", "number", "real", "float32", "float64")),
        TypeRow("bool", "true or false", scalar=True, aliases=("boolean",)),
        TypeRow("file", "a file", artifact=True, aliases=("path", "artifact", "blob")),
        TypeRow("dir", "a folder", artifact=True, aliases=("folder", "directory")),
        TypeRow("list", "a list of values of one type, as in list[string]", aliases=("array", "tuple", "sequence")),
        TypeRow("json", "any JSON value", since=None, aliases=("dict", "map", "object")),
        TypeRow("pickle", "any Python value", since=None, aliases=("any",)),
    )
}

# --- settings ---------------------------------------------------------------------------------------------------------

Kind: TypeAlias = Literal["int", "number", "size", "duration", "string", "bool"]
Place: TypeAlias = Literal["step", "defaults", "flow", "torchrun"]

KIND_WORDS: dict[Kind, str] = {
    "int": "a whole number, such as `2`",
    "number": "a number, such as `0.5`",
    "size": "a size, such as `16GiB`",
    "duration": "a duration, such as `30s` or `2h`",
    "string": "a string in double quotes",
    "bool": "`true` or `false`",
}

_KIB, _MIB, _TIB = 1 << 10, 1 << 20, 1 << 40
_YEAR = 365 * 86400
_TASK: tuple[Place, ...] = ("step", "defaults")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting. Sizes are in bytes, durations in seconds.

    `default` None means that there is none: no limit, the platform's own, or computed (the doc says which).
    """

    name: str
    kind: Kind
    default: int | float | str | bool | None
    places: tuple[Place, ...]
    doc: str
    least: float | None = None
    most: float | None = None
    since: str | None = "0.1.0"
    aliases: tuple[str, ...] = ()


SETTINGS = {
    row.name: row
    for row in (
        SettingRow("image", "string", None, _TASK, "container image; the default is the runtime image, see IMAGES"),
        SettingRow("cpu", "number", 1.0, _TASK, "cores per node", 0.001, 10_000, aliases=("cpus", "cores", "vcpus")),
        # 4 MiB is the least that container runtimes accept.
        SettingRow("memory", "size", 2 << 30, _TASK, "memory per node", 4 * _MIB, 1024 * _TIB, aliases=("mem", "ram")),
        SettingRow("gpu", "int", 0, _TASK, "GPUs per node", 0, 1024, aliases=("gpus", "accelerators")),
        SettingRow(
            "shm",
            "size",
            None,
            _TASK,
            "shared memory (/dev/shm) per node; the default is the platform's own",
            64 * _KIB,
            1024 * _TIB,
            aliases=("shared_memory", "shm_size"),
        ),
        SettingRow(
            "timeout",
            "duration",
            None,
            (*_TASK, "flow"),
            "of a step: for each attempt, from the start of the body; of the flow: for the whole run; none by default",
            1,
            _YEAR,
            aliases=("deadline", "max_runtime"),
        ),
        SettingRow("start_timeout", "duration", 600, _TASK, "for all nodes of a gang to have met", 1, _YEAR),
        SettingRow(
            "retries", "int", 0, _TASK, "further attempts after the first", 0, 1000, aliases=("retry", "max_retries")
        ),
        SettingRow(
            "retry_wait",
            "duration",
            10,
            _TASK,
            "before the first retry; doubles with each",
            0,
            _YEAR,
            aliases=("retry_delay", "backoff"),
        ),
        SettingRow("allow_failure", "bool", False, _TASK, "the run goes on when the step fails", since=None),
        SettingRow("cache", "bool", False, _TASK, "reuse the outputs of an equal earlier step", since=None),
    )
}

# The images that steps run in when they name none; `{version}` is flowc's.
IMAGES = {"base": "flowc/runtime:{version}-base", "torchrun": "flowc/runtime:{version}-torch"}

# --- frameworks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FrameworkRow:
    """A block that says which launcher starts the body of a gang."""

    name: str
    doc: str
    settings: tuple[SettingRow, ...] = ()
    since: str | None = "0.1.0"
    aliases: tuple[str, ...] = ()

    def setting(self, name: str) -> SettingRow | None:
        return next((row for row in self.settings if row.name == name), None)


_IN_TORCHRUN: tuple[Place, ...] = ("torchrun",)

FRAMEWORKS = {
    row.name: row
    for row in (
        FrameworkRow(
            "torchrun",
            "torch's elastic launcher on every node; they meet by a c10d rendezvous on node 0, which is not a setting",
            (
                SettingRow(
                    "procs_per_node",
                    "int",
                    None,
                    _IN_TORCHRUN,
                    "processes on each node; by default one per GPU, or one",
                    1,
                    1024,
                    aliases=("nproc_per_node", "nproc", "processes", "slots", "ppn", "procs"),
                ),
                SettingRow(
                    "max_restarts",
                    "int",
                    0,
                    _IN_TORCHRUN,
                    "restarts of all processes within one attempt of the step",
                    0,
                    100,
                    aliases=("restarts",),
                ),
                SettingRow(
                    "port",
                    "int",
                    None,
                    _IN_TORCHRUN,
                    "of the rendezvous on node 0; by default 29500 or, where that is taken, any",
                    1024,
                    65535,
                    aliases=("master_port", "rdzv_port"),
                ),
            ),
            aliases=("torch", "pytorch", "ddp", "torch_distributed"),
        ),
        FrameworkRow("deepspeed", "the DeepSpeed launcher", since=None),
        FrameworkRow("ray", "a Ray cluster; the body is the driver on node 0", since=None),
        FrameworkRow("tensorflow", "TF_CONFIG on every node", since=None, aliases=("tf",)),
        FrameworkRow("mpi", "mpirun over all nodes", since=None, aliases=("mpirun", "openmpi")),
    )
}

# --- gangs and environments -------------------------------------------------------------------------------------------

MOST_NODES = 10_000
# AWS Batch refuses to set variables of its own prefix; the runtime's own start with FLOWC_.
RESERVED_ENV_PREFIXES = ("AWS_BATCH", "FLOWC_")


def by_alias(word: str, rows: tuple[TypeRow | SettingRow | FrameworkRow, ...]) -> str | None:
    """The name of the row that goes by `word` elsewhere."""
    return next((row.name for row in rows if word.lower() in row.aliases), None)
