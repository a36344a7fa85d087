"""Marks: what is known only where a stack is deployed, written `${Name}` in every document of this target.

| mark | stands for |
|---|---|
| `${SubmitJob}` | `arn:PARTITION:states:::batch:submitJob.sync`, the partition being `aws`, `aws-cn`, … |
| `${PutObject}` | `arn:PARTITION:states:::aws-sdk:s3:putObject` |
| `${Region}` | where the stack is: `eu-west-1`, … |
| `${JobQueue}` | ARN of the Batch job queue, a parameter of the stack |
| `${StoreBucket}`, `${StorePrefix}` | the store, parameters of the stack; the prefix is empty or ends in `/` |
| `${LogGroup}` | name of the log group of all jobs |
| `${JobRole}`, `${ExecutionRole}` | ARNs of the roles of the jobs' code, and of the agent that starts them |
| `${Job…}` | ARN, with revision, of a step's job definition; see `names.logical_id` |

In `template.yaml` they are CloudFormation's own references, and the state machine gets them as substitutions. In
`state-machine.asl.json` and `job-definitions/` they stay: whoever deploys those without the template replaces them.
Only `Marked` text is looked at, so a `${…}` in an image's name stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


class Marked(str):
    """Text with marks in it."""

    __slots__ = ()


# Resources of states. Whole ARNs are marks because cfn-lint knows substitutions only for whole values.
_INTEGRATIONS = {"SubmitJob": "batch:submitJob.sync", "PutObject": "aws-sdk:s3:putObject"}

# A mark and the CloudFormation expression for it, as `Fn::Sub` writes it; a dot asks for an attribute.
_IN_STACK = {
    "Region": "AWS::Region",
    "JobRole": "JobRole.Arn",
    "ExecutionRole": "ExecutionRole.Arn",
}
_MARK = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def marks_in(text: str) -> list[str]:
    """The marks of a text in order, once each."""
    return list(dict.fromkeys(_MARK.findall(text)))


def intrinsic(text: Marked) -> Any:
    """Marked text as a CloudFormation intrinsic function."""
    whole = _MARK.fullmatch(text)
    if whole:
        return _reference(whole[1])
    return {"Fn::Sub": _MARK.sub(lambda mark: f"${{{_IN_STACK.get(mark[1], mark[1])}}}", text)}


def substitutions(names: Iterable[str]) -> dict[str, Any]:
    """`DefinitionSubstitutions` for these marks."""
    return {name: _reference(name) for name in names}


def _reference(name: str) -> Any:
    if name in _INTEGRATIONS:
        return {"Fn::Sub": f"arn:${{AWS::Partition}}:states:::{_INTEGRATIONS[name]}"}
    target = _IN_STACK.get(name, name)
    if "." in target:
        return {"Fn::GetAtt": target.split(".")}
    return {"Ref": target}
