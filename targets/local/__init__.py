"""The embedded engine: runs a plan on this machine as plain processes.

Takes a plan, its code bundle, the parameters' values and `RunOptions`; gives processes, live progress and a finished
run in the store. Returns the exit code: 0 the run succeeded, 1 a step failed, 2 it could not be started (usage, store),
130 and 143 it was interrupted.

Importing this package is cheap; the engine itself, psutil and rich are loaded by `run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .limits import limits
from .options import RunOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowc.compiler.bundle import Bundle
    from flowc.runtime.plan import Json, Plan

__all__ = ["RunOptions", "limits", "run"]


def run(plan: Plan, bundle: Bundle, params: Mapping[str, Json], options: RunOptions) -> int:
    """Run `plan` to its end on this machine and return the exit code of `flowc run`.

    `params` holds the value of every parameter of the plan, defaults filled in.
    """
    from .launch import launch

    return launch(plan, bundle, params, options)
