"""AWS Step Functions and Batch: a plan as a state machine, gangs as multi-node parallel jobs.

Three pure functions, called in this order: `limits(build)` gives diagnostics for everything this target cannot run,
`emit(build)` gives documents as plain data, `render(documents)` gives files: `template.yaml` (CloudFormation, with
everything in it), `state-machine.asl.json` and `job-definitions/STEP.json`. The same build gives the same bytes.

Nothing here is read from an account; what only a deployment knows stands in the documents as marks, see `marks`.
"""

from __future__ import annotations

from .emit import Documents, emit
from .limits import limits
from .render import render

__all__ = ["Documents", "emit", "limits", "render"]
