"""Frameworks: one module each behind one small interface.

Meeting, the link, deadlines, output and shutdown are shared machinery; a framework adds what is its own: what node 0
must tell all nodes (`share`) and what each node starts (`launch`). `framework_of` is the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flowc.runtime import plan
from flowc.runtime.plan import Json


@dataclass(frozen=True, slots=True)
class Node:
    """What a framework may know of the node it starts on. `scratch` is a folder that goes with the node."""

    index: int
    addresses: tuple[str, ...]
    attempt: str
    step: plan.Step
    body: tuple[str, ...]
    trampoline: tuple[str, ...]
    python: str
    start_timeout: float
    scratch: str

    @property
    def address(self) -> str:
        return self.addresses[self.index]


@dataclass(frozen=True, slots=True)
class RankVariables:
    """Environment variables in which a launcher tells a rank who it is."""

    rank: str
    local_rank: str
    restart: str


@dataclass(frozen=True, slots=True)
class Launch:
    """A command to start on this node and the environment to add.

    With `ranks` the command is a launcher that starts the trampoline once per rank, and `restarts` is how often it
    restarts failed ranks by itself; without, the command is the body itself.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    ranks: RankVariables | None
    restarts: int


class Framework(Protocol):
    def share(self, node: Node) -> dict[str, Json]:
        """On node 0, once all nodes have met: what every node has to know before it launches."""

    def launch(self, node: Node, shared: Mapping[str, Json]) -> Launch:
        """On every node: what to start."""


def framework_of(step: plan.Step) -> Framework:
    """The framework that brings up the step's body; a step without a gang is a plain gang of one."""
    from flowc.runtime.frameworks.plain import PlainGang
    from flowc.runtime.frameworks.torchrun import TorchrunGang

    settings = step.gang.framework if step.gang else plan.Plain()
    if isinstance(settings, plan.Torchrun):
        return TorchrunGang(settings)
    return PlainGang()
