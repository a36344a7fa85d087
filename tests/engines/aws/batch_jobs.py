"""A Batch job and its attempts, as DescribeJobs shows them and as a test handles them.

Takes a checked request with its definition and the containers that result; gives status, history, nodes, logs and the
two ways to hurt a node. What moves a job from one status to the next is in `batch.Batch`.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from .batch_nodes import Node
from .batch_rules import Json

TERMINAL = ("SUCCEEDED", "FAILED")


def now() -> int:
    return int(time.time() * 1000)


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt: nodes in index order; a child that has not started yet has no process."""

    number: int
    nodes: list[Node]
    started: int = 0
    stopped: int = 0
    status_reason: str = ""

    def describe(self, index: int) -> Json:
        node = self.nodes[index]
        container: Json = {
            "containerInstanceArn": f"arn:aws:ecs:::container-instance/{node.context.address}",
            "taskArn": f"arn:aws:ecs:::task/{node.context.address}",
            "logStreamName": str(node.log),
            "networkInterfaces": [{"privateIpv4Address": node.context.address}],
        }
        if node.exit_code is not None and not node.lost:
            container["exitCode"] = node.exit_code
        if node.reason:
            container["reason"] = node.reason
        return {
            "container": container,
            "startedAt": self.started,
            "stoppedAt": self.stopped,
            "statusReason": self.status_reason,
        }


@dataclass(slots=True, eq=False)
class Job:
    """A job and everything it ran. `history` holds every status in order; `wait` returns when no process is left."""

    id: str
    request: Json = field(repr=False)
    definition: Json = field(repr=False)
    containers: list[Json] = field(repr=False)
    parameters: dict[str, str]
    arn: str
    created: int = field(default_factory=now)
    status: str = "SUBMITTED"
    history: list[str] = field(default_factory=lambda: ["SUBMITTED"])
    status_reason: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    started: int = 0
    stopped: int = 0
    terminated: str | None = None
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    clean: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def name(self) -> str:
        return str(self.request["jobName"])

    @property
    def multinode(self) -> bool:
        return bool(self.definition["type"] == "multinode")

    @property
    def main_index(self) -> int:
        return int(self.definition["nodeProperties"]["mainNode"]) if self.multinode else 0

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the latest attempt."""
        return self.attempts[-1].nodes if self.attempts else []

    @property
    def all_nodes(self) -> list[Node]:
        return [node for attempt in self.attempts for node in attempt.nodes]

    def wait(self, timeout: float = 30) -> str:
        if not self.clean.wait(timeout):
            raise TimeoutError(f"job {self.name} is {self.status} after {timeout} s\n{self.logs()}")
        return self.status

    def wait_status(self, status: str, timeout: float = 30) -> None:
        """Waits until the job has been in `status` at least once."""
        deadline = time.monotonic() + timeout
        while status not in self.history:
            if self.over.is_set() or time.monotonic() > deadline:
                raise TimeoutError(f"job {self.name} never was {status}: {self.history}\n{self.logs()}")
            time.sleep(0.01)

    def wait_nodes(self, count: int | None = None, timeout: float = 30) -> list[Node]:
        """Waits until `count` nodes (all, by default) of the latest attempt have been started; gives them."""
        deadline = time.monotonic() + timeout
        while True:
            started = [node for node in self.nodes if node.process is not None]
            if self.nodes and len(started) >= (len(self.nodes) if count is None else count):
                return started
            if self.over.is_set() or time.monotonic() > deadline:
                raise TimeoutError(f"job {self.name}: {len(started)} nodes started\n{self.logs()}")
            time.sleep(0.01)

    def kill_node(self, index: int) -> None:
        """Kills one node of the latest attempt, whole."""
        self.nodes[index].kill()

    def lose_host(self, index: int) -> None:
        """Takes one node's EC2 instance away: its container never reports an exit code."""
        self.nodes[index].lost = True
        self.nodes[index].kill()

    def logs(self) -> str:
        """Every node's output, for a failing test's message."""
        return "\n".join(
            f"--- {self.name} attempt {node.context.attempt} node {node.index}: exit {node.exit_code}\n{node.output()}"
            for node in self.all_nodes
        )

    def describe(self, index: int | None = None) -> Json:
        """A member of DescribeJobs' `jobs`. For a node (`<id>#<n>`) the status is the node's own."""
        node = self.main_index if index is None else index
        record: Json = {
            "jobArn": self.arn,
            "jobName": self.name,
            "jobId": self.id if index is None else f"{self.id}#{index}",
            "jobQueue": self.request["jobQueue"],
            "status": self.status,
            "createdAt": self.created,
            "jobDefinition": self.definition["jobDefinitionArn"],
            "parameters": self.parameters,
            "retryStrategy": self.retry_strategy,
            "dependsOn": [],
            "tags": self.request.get("tags", {}),
            "attempts": [attempt.describe(node) for attempt in self.attempts],
            "isTerminated": self.terminated is not None,
            "isCancelled": False,
        }
        for key, value in (
            ("statusReason", self.status_reason),
            ("startedAt", self.started),
            ("stoppedAt", self.stopped),
            ("timeout", self.timeout),
        ):
            if value:
                record[key] = value
        if self.multinode and index is None:
            record["nodeProperties"] = {**self.definition["nodeProperties"], "numNodes": len(self.containers)}
            return record
        if self.multinode:
            record["nodeDetails"] = {"nodeIndex": index, "isMainNode": index == self.main_index}
            record["status"] = self._node_status(node)
        container = {key: value for key, value in self.containers[node].items() if key != "environment"}
        container["environment"] = self.containers[node]["environment"]
        if self.attempts:
            container.update(self.attempts[-1].describe(node)["container"])
        record["container"] = container
        return record

    def _node_status(self, index: int) -> str:
        if not self.nodes or self.nodes[index].process is None:
            return self.status if self.status in ("SUBMITTED", "PENDING", "RUNNABLE") else "RUNNABLE"
        code = self.nodes[index].exit_code
        return "RUNNING" if code is None else "SUCCEEDED" if code == 0 else "FAILED"

    @property
    def retry_strategy(self) -> Json:
        strategy: Json = self.request.get("retryStrategy") or self.definition.get("retryStrategy") or {"attempts": 1}
        return strategy

    @property
    def timeout(self) -> Json | None:
        timeout: Json | None = self.request.get("timeout") or self.definition.get("timeout")
        return timeout
