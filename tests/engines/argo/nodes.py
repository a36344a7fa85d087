"""The nodes of a running workflow, as its status shows them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .pods import Pod

if TYPE_CHECKING:
    from .jobset import JobSet

FULFILLED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
COMPLETED = ("Succeeded", "Failed", "Error")


@dataclass(slots=True, eq=False)
class Node:
    """One node. `type` is Pod, Resource, Suspend, DAG, TaskGroup, Retry or Skipped."""

    name: str
    display_name: str
    type: str
    template: str
    depth: int = 0
    phase: str = "Running"
    message: str = ""
    started: float = field(default_factory=time.time)
    finished: float | None = None
    children: list[Node] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    jobset: JobSet | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None
    executor_lost: bool = False

    @property
    def fulfilled(self) -> bool:
        return self.phase in FULFILLED

    @property
    def attempts(self) -> list[Node]:
        """The attempts of a template with a retryStrategy; the node itself otherwise."""
        return self.children if self.type == "Retry" else [self]

    def end(self, phase: str, message: str = "") -> None:
        self.phase, self.message, self.finished = phase, message, time.time()

    def child(self, name: str, display_name: str, kind: str, template: str) -> Node:
        node = Node(name, display_name, kind, template, depth=self.depth + 1)
        self.children.append(node)
        return node

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


def any_string(value: Any) -> str:
    """Argo's AnyString: a parameter's value may be written as a number or boolean and is always text."""
    return value if isinstance(value, str) else "true" if value is True else "false" if value is False else str(value)
