"""Where everything lies in the artifact store: the one place that spells keys.

Keys are relative to the store's root and use `/`. A task instance is a step of a run; an attempt writes only under its
own prefix `a/{attempt}/`, so that two attempts that overlap never touch each other's objects. The single object that
they compete for is the task's `commit.json`. Whatever refers to a blob stands in an object that ends in `.json`: the
collection of garbage reads no others.
"""

from __future__ import annotations

import re

# Identity travels through engines' templates and into keys: nothing that any of them could read as syntax.
TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


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


def commit_key(flow: str, run: str, step: str) -> str:
    return f"{flow}/{run}/{step}/commit.json"


def attempt_prefix(flow: str, run: str, step: str, attempt: str) -> str:
    return f"{flow}/{run}/{step}/a/{attempt}"


def outputs_key(flow: str, run: str, step: str, attempt: str) -> str:
    return f"{attempt_prefix(flow, run, step, attempt)}/outputs.json"


def node_key(flow: str, run: str, step: str, attempt: str, node: int) -> str:
    """A gang node's entry for the meeting: address, port, certificate."""
    return f"{attempt_prefix(flow, run, step, attempt)}/nodes/{node}.json"


def log_key(flow: str, run: str, step: str, attempt: str, node: int, chunk: int) -> str:
    return f"{attempt_prefix(flow, run, step, attempt)}/log/{node}/{chunk:06d}"


def failure_key(flow: str, run: str, step: str, attempt: str) -> str:
    return f"{flow}/{run}/failures/{step}/{attempt}.json"
