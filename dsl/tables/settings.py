"""Settings of a step, of `defaults` and of the flow itself, and what `main { … }` may say."""

from __future__ import annotations

from .rows import Place, SettingRow

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
DAY = 86400
YEAR = 365 * DAY
TASK: tuple[Place, ...] = ("step", "defaults")
FLOW: tuple[Place, ...] = ("flow",)
ALL = (*TASK, *FLOW)

SETTINGS = {
    row.name: row
    for row in (
        SettingRow(
            "image",
            "string",
            None,
            "the container image, which holds what the step's program needs; the local target does not use it",
            TASK,
            rule="image",
            otherwise="flowc's own, by framework",
            aliases=("container", "docker", "docker_image"),
        ),
        SettingRow("cpu", "number", 1.0, "cores per node", TASK, 0.001, 10_000, aliases=("cpus", "cores", "vcpus")),
        SettingRow(
            "memory",
            "size",
            2 * GIB,
            "memory per node",
            TASK,
            4 * MIB,  # the least that container runtimes accept
            1024 * TIB,
            aliases=("mem", "ram"),
        ),
        SettingRow("gpu", "int", 0, "GPUs per node", TASK, 0, 1024, aliases=("gpus", "accelerators")),
        SettingRow(
            "shm",
            "size",
            None,
            "shared memory (`/dev/shm`) per node",
            TASK,
            64 * KIB,
            1024 * TIB,
            otherwise="the platform's own",
            aliases=("shared_memory", "shm_size"),
        ),
        SettingRow(
            "timeout",
            "duration",
            None,
            "in a step, for each attempt, from the start of the body; in the flow, for the whole run",
            (*TASK, "flow"),
            1,
            YEAR,
            otherwise="no limit",
            aliases=("deadline", "max_runtime"),
        ),
        SettingRow(
            "start_timeout",
            "duration",
            600,
            "until all nodes of a gang have met",
            TASK,
            1,
            YEAR,
            aliases=("join_timeout",),
        ),
        SettingRow(
            "retries", "int", 0, "further attempts after the first", TASK, 0, 1000, aliases=("retry", "max_retries")
        ),
        SettingRow(
            "retry_wait",
            "duration",
            10,
            "before the first retry; doubles with each further one",
            TASK,
            0,
            YEAR,
            aliases=("retry_delay", "backoff"),
        ),
        SettingRow(
            "allow_failure",
            "bool",
            False,
            "the run goes on when all attempts have failed",
            TASK,
            aliases=("continue_on_error", "ignore_failure", "optional"),
        ),
        SettingRow(
            "cache",
            "bool",
            False,
            "the outputs of an equal step of an earlier run are taken instead of running it again",
            TASK,
            aliases=("caching", "memoize", "memo"),
        ),
    )
}

# What node 0 of a gang may have otherwise than its other nodes.
MAIN_SETTINGS = ("image", "cpu", "memory", "gpu", "shm")

MOST_NODES = 10_000
# AWS Batch refuses to set variables of its own prefix; the runtime's own start with FLOWC_.
RESERVED_ENV_PREFIXES = ("AWS_BATCH", "FLOWC_")
