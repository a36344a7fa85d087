"""Where everything lies in the artifact store: the one place that spells keys.

Keys are relative to the store's root and use `/`. A task is a step or a decision of a run; an instance of it is named
by `ix`, the path of indexes with dots between them ("3.0"), "" where no loop is around it. An attempt writes only under
its own prefix `a/{attempt}/`, so that two attempts that overlap never touch each other's objects. The single object
that they compete for is the instance's `commit.json`. Whatever refers to a blob stands in an object that ends in
`.json`: the collection of garbage reads no others.
"""

from __future__ import annotations

import re

# Identity travels through engines' templates and into keys: nothing that any of them could read as syntax.
TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# One spelling for each path: no leading zeros.
_INDEX = r"(?:0|[1-9][0-9]{0,8})"
INDEXES = re.compile(rf"(?:{_INDEX}(?:\.{_INDEX})*)?")


def ix_of(path: tuple[int, ...]) -> str:
    """The path of an instance as it stands in keys and on command lines."""
    return ".".join(map(str, path))


def path_of(ix: str) -> tuple[int, ...]:
    """The inverse of `ix_of`; `ix` must match INDEXES."""
    return tuple(map(int, ix.split("."))) if ix else ()


def instance_name(step: str, ix: str) -> str:
    """An instance as people read it: `tokenize[3][0]`."""
    return step + "".join(f"[{index}]" for index in path_of(ix))


def bundle_key(flow: str, digest: str) -> str:
    return f"{flow}/bundles/{digest}.tar"


def blob_folder(flow: str) -> str:
    return f"{flow}/blobs/sha256"


def blob_key(flow: str, digest: str) -> str:
    return f"{blob_folder(flow)}/{digest}"


def condemned_key(flow: str, digest: str) -> str:
    """The mark that a collection puts on a blob while it removes it."""
    return f"{flow}/gc/{digest}"


def clock_key(flow: str, token: str) -> str:
    """An object that is written only to see what time the store thinks it is."""
    return f"{flow}/gc/clock-{token}"


def run_key(flow: str, run: str) -> str:
    return f"{flow}/{run}/run.json"


def run_input_key(flow: str, run: str) -> str:
    """Where an engine that starts from a JSON document (Step Functions) leaves the parameters as it got them."""
    return f"{flow}/{run}/input.json"


def run_end_key(flow: str, run: str) -> str:
    return f"{flow}/{run}/end.json"


def run_marker_key(flow: str, run: str) -> str:
    return f"{flow}/runs/{run}"


def run_status_key(flow: str, run: str) -> str:
    """How the flow ended, for the steps of `finally`."""
    return f"{flow}/{run}/status.json"


def task_folder(flow: str, run: str, step: str, ix: str = "") -> str:
    return f"{flow}/{run}/{step}/{ix}" if ix else f"{flow}/{run}/{step}"


def commit_key(flow: str, run: str, step: str, ix: str = "") -> str:
    return f"{task_folder(flow, run, step, ix)}/commit.json"


def attempt_prefix(flow: str, run: str, step: str, attempt: str, ix: str = "") -> str:
    return f"{task_folder(flow, run, step, ix)}/a/{attempt}"


def outputs_key(flow: str, run: str, step: str, attempt: str, ix: str = "") -> str:
    return f"{attempt_prefix(flow, run, step, attempt, ix)}/outputs.json"


def node_outputs_key(flow: str, run: str, step: str, attempt: str, node: int, ix: str = "") -> str:
    """What one node of a gang gives to the attempt's outputs, where each has something."""
    return f"{attempt_prefix(flow, run, step, attempt, ix)}/outputs/{node}.json"


def node_key(flow: str, run: str, step: str, attempt: str, node: int, ix: str = "") -> str:
    """A gang node's entry for the meeting: address, port, certificate."""
    return f"{attempt_prefix(flow, run, step, attempt, ix)}/nodes/{node}.json"


def log_key(flow: str, run: str, step: str, attempt: str, node: int, chunk: int, ix: str = "") -> str:
    return f"{attempt_prefix(flow, run, step, attempt, ix)}/log/{node}/{chunk:06d}"


def failure_key(flow: str, run: str, step: str, attempt: str, ix: str = "") -> str:
    return f"{flow}/{run}/failures/{step}/{ix + '/' if ix else ''}{attempt}.json"
