"""The gang: nodes meet through the store and live over a link to node 0.

Each node publishes its address and a throw-away certificate under the attempt's prefix. Workers read node 0's entry
and connect to it by mutual TLS with pinned certificates; the store's write right is the root of trust, and no name
service is needed. From then on the store is not on the path: beats, failures and the end travel over the link, so an
outage of the store does not kill a gang.

`Gang` is what the supervisor sees; `Solo` (one node), `Head` (node 0) and `Worker` are its three kinds.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flowc.runtime.errors import INTERNAL, PEER_LOST, Stop

# A signal and an exit code this close together: the signal came first, and the exit code is its echo in another rank
# that lost its peer. TERM is what launchers send to the survivors and proves nothing.
SIGNAL_FIRST = 0.05


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a node cannot go on. `at` is on node 0's monotonic clock once node 0 has it."""

    node: int
    rank: int | None
    exit_code: int | None
    signal: int | None
    reason: str
    last_lines: tuple[str, ...]
    at: float

    @property
    def code(self) -> int:
        """The exit code of a node that ends by this cause: the body's own, or 128 + the signal."""
        if self.signal is not None:
            return 128 + self.signal
        return self.exit_code if self.exit_code else PEER_LOST

    def message(self, step: str, nodes: int) -> str:
        """One line for the user: step, node, rank and what happened."""
        where = f"step {step!r}"
        if nodes > 1:
            where += f", node {self.node}"
        if self.rank is not None:
            where += f", rank {self.rank}"
        return f"{where}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "rank": self.rank,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason,
            "last_lines": list(self.last_lines),
            "at": self.at,
        }


def cause_from_json(data: Mapping[str, Any]) -> Cause:
    return Cause(**{**data, "last_lines": tuple(data["last_lines"])})


def first_cause(causes: list[Cause]) -> Cause:
    """The cause that came first; a signal beats an exit code that is at most 50 ms older."""
    earliest = min(causes, key=lambda cause: cause.at)
    killed = [
        cause
        for cause in causes
        if cause.signal not in (None, signals.SIGTERM) and cause.at - earliest.at <= SIGNAL_FIRST
    ]
    return min(killed, key=lambda cause: cause.at) if killed else earliest


def fault_of(error: BaseException) -> tuple[int, str]:
    """Exit code and reason for an exception that ended one of the link's tasks."""
    return (error.code, error.message) if isinstance(error, Stop) else (INTERNAL, f"{type(error).__name__}: {error}")


def describe_exit(exit_code: int | None, signal: int | None) -> str:
    """`exit code 3` or `killed by SIGKILL`."""
    if signal is not None:
        try:
            name = signals.Signals(signal).name
        except ValueError:
            name = f"signal {signal}"
        hint = " (out of memory is the usual reason)" if signal == signals.SIGKILL else ""
        return f"killed by {name}{hint}"
    return f"exit code {exit_code}"


class GangEnded(Exception):
    """A wait for the gang was cut short: `Gang.verdict` is set and says why."""


class AlreadyCommitted(Exception):
    """The task has a commit: this attempt has nothing to do and ends well."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times of the link, in seconds. The defaults are the documented ones; tests shorten them."""

    beat: float = 1.0
    peer_timeout: float = 15.0
    collect: float = 1.0
    leave: float = 4.0


class Gang(Protocol):
    """One node's view of its gang.

    `verdict` is set once the gang has to end: it holds the first failure, the same one on every node.
    """

    verdict: asyncio.Future[Cause]

    @property
    def speaks(self) -> bool:
        """Whether this node tells the user about the verdict: node 0 does, or whoever had to judge without it."""

    async def meet(self) -> tuple[str, ...]:
        """Wait until all nodes are there; gives their addresses in node order. `Stop` at the deadline."""

    async def start(self, share: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Wait until all nodes are ready to launch; gives what node 0's `share` gave."""

    async def finish(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        """Report this node's success. On node 0: waits for all reports and gives them in node order."""

    async def leave(self) -> None:
        """End well: node 0 lets the workers go once it has committed, and leaves last."""

    def fail(self, cause: Cause, *, at_once: bool = False) -> None:
        """Report this node's failure; `verdict` follows, `at_once` without waiting for what other nodes may say."""

    async def close(self) -> None:
        """End the link, in whatever state."""


class Solo:
    """A gang of one: nobody to meet."""

    def __init__(self, address: str) -> None:
        self.verdict: asyncio.Future[Cause] = asyncio.get_running_loop().create_future()
        self._address = address
        self.speaks = True

    async def meet(self) -> tuple[str, ...]:
        return (self._address,)

    async def start(self, share: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return share()

    async def finish(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        return [report]

    async def leave(self) -> None:
        return

    def fail(self, cause: Cause, *, at_once: bool = False) -> None:  # noqa: ARG002 - there is nobody to wait for
        if not self.verdict.done():
            self.verdict.set_result(cause)

    async def close(self) -> None:
        return
