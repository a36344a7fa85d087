"""Names on AWS, all made here.

Takes names of the language (`[a-z][a-z0-9_]*`); gives state names, Batch names and logical ids. The mappings are
injective: names of the language hold no capital letter and no `-`, so states that flowc adds start with a capital,
and a capital X stands for `_` in logical ids, which may only hold letters and digits. Job definitions carry a hash of
their content, so that a name means one content for ever. Nothing is cut here: `limits` refuses what is too long.
"""

from __future__ import annotations

import hashlib
import json
import re

# States that flowc adds.
RECORD_INPUT = "RecordInput"
WITHIN_TIMEOUT = "WithinTimeout"
FINISHED = "Finished"
TIME_LIMIT = "TimeLimit"
TIMED_OUT = "TimedOut"
DONE = "Done"

# Errors that flowc's own Fail states raise.
ERROR_FINISHED = "flowc.Finished"
ERROR_TIMED_OUT = "flowc.TimedOut"


def state_name(step: str) -> str:
    return step


def fork_name(number: int) -> str:
    """The `number`th parallel block, from 1."""
    return f"Fork{number}"


def job_name(flow: str, step: str) -> str:
    return f"{flow}-{step}"


def definition_name(flow: str, step: str, content: object) -> str:
    """A job definition's name: who it belongs to, and 64 bits of what is in it."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{job_name(flow, step)}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def logical_id(step: str) -> str:
    """The job definition of a step in the CloudFormation template; also its mark in the state machine."""
    return "Job" + step.replace("_", "X")


def plain(text: str) -> str:
    """Text of a file name for comments: without quotes, braces or dollars, which templates and ASL would read."""
    return re.sub(r"[^A-Za-z0-9 ._/-]", "_", text)[:200]
