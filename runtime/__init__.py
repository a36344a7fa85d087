"""What runs inside a node: fetch inputs, bring up the cluster, run the body, publish outputs.

The same code runs on a laptop, in an Argo pod and in an AWS Batch job. It imports nothing of the compiler; the plan
(`flowc.runtime.plan`) is all they share. User code imports `current` from here, which needs only the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowc.runtime.user_api import current as current

__all__ = ["current"]


def __getattr__(name: str) -> object:
    # Lazily, since the compiler imports `flowc.runtime.plan` and must not pay for more.
    if name == "current":
        from flowc.runtime.user_api import current

        return current
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
