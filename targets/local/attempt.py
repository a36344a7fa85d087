"""One attempt of one instance of a step: all its nodes, started together or not at all, and ended together.

`Attempt.start` starts the step's supervisors with the environment of the runtime's contract. Whoever drives it reads
the nodes' pipes and calls `check` now and then, which notices ended nodes, enforces the deadlines below and says
whether the attempt is over. Attempt names are random: no two attempts, of whatever run, ever share one.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowc.runtime.store import Store

from .addresses import loopback_addresses
from .instances import Task
from .machine import on_local
from .processes import Family, Node, kill_tree

# After one node of a gang failed, the others end themselves (within 5 s, as documented); then they are told to.
PEER_GRACE = 10.0
# From TERM to KILL. A supervisor gives its body 2 s.
END_GRACE = 4.0
# How long the pipe of an ended supervisor is read on, where something unknown still holds it open.
DRAIN = 0.5
# The runtime enforces `timeout`; this much later the engine does, for a supervisor that does not come to it.
BACKSTOP = 60.0

# Set by users for the runtime; everything else that begins with FLOWC_ says who a node is, and flowc may itself run
# inside a step of another flow.
_PASSED_ON = frozenset({"FLOWC_PEER_TIMEOUT"})

# From a Python, a step and the indexes of its instance to the argv of its supervisor.
Command = Callable[[str, str, str], tuple[str, ...]]


def runtime_command(python: str, step: str, ix: str) -> tuple[str, ...]:
    return (python, "-m", "flowc.runtime", "step", step, *(("--ix", ix) if ix else ()))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens. `folder` takes the logs; paths in the flow file are relative to `home`, None: to here."""

    store: Store
    flow: str
    run: str
    bundle: str
    folder: Path
    home: Path | None = None

    def log(self, task: Task, attempt: int, node: int) -> Path:
        """The whole output of a node. Names of steps have no dashes."""
        ix = "".join(f"-{index}" for index in task.path)
        return self.folder / f"{task.node.name}{ix}.{attempt}.{node}.log"


class Attempt:
    """`ended_because` is set once the engine ends the attempt for a reason that is not the step's own.

    `gpus` are those of each node, in node order; empty where they are not shared out.
    """

    def __init__(self, task: Task, place: Place, gpus: tuple[tuple[str, ...], ...] = ()) -> None:
        self.task = task
        self.step = task.step
        self.number = task.attempts
        self.name = secrets.token_hex(8)
        self.place = place
        self._gpus = gpus
        self.nodes: list[Node] = []
        self.ended_because: str | None = None
        self._drain_until: dict[int, float] = {}
        self._peer_deadline: float | None = None
        self._end_at: float | None = None
        self._kill_at: float | None = None
        self._killed = False

    def start(self, command: Command, lifeline: int, now: float) -> None:
        """Start every node; `OSError` where one cannot be started, with none left running."""
        timeout = self.step.settings.timeout
        if timeout is not None:
            self._end_at = now + timeout + self.step.settings.start_timeout + BACKSTOP
        addresses = loopback_addresses(self.task.nodes)
        python = self._python()
        try:
            for number, address in enumerate(addresses):
                log = self.place.log(self.task, self.number, number)
                env = self._environment(number, address, lifeline, python)
                argv = command(python, self.step.name, self.task.ix)
                self.nodes.append(Node.start(number, argv, env, self.place.folder, log, lifeline))
        except OSError:
            for node in self.nodes:
                node.kill()
                node.close()
            raise

    def marks(self, node: Node) -> Mapping[str, str]:
        """The variables by which a process is recognised as this node's."""
        return {"FLOWC_ATTEMPT": self.name, "FLOWC_NODE": str(node.number)}

    def end(self, because: str, now: float, grace: float = END_GRACE) -> None:
        """Ask all nodes to end; `check` kills those that have not after `grace` seconds."""
        if self._kill_at is None:
            self.ended_because = because
            self._kill_at = now + grace
            for node in self.nodes:
                node.terminate()

    def kill(self) -> None:
        self._killed = True
        for node in self.nodes:
            node.kill()

    def check(self, now: float, family: Family, *, reading: bool) -> bool:
        """Notice what happened; true when every node has ended and its output is read.

        `reading` is false while the caller does not read the pipes.
        """
        for node in self.nodes:
            if node.poll() is None:
                continue
            if node.number not in self._drain_until:
                self._node_ended(node, now, family)
            if not reading:
                self._drain_until[node.number] = now + DRAIN
            elif node.is_open and now >= self._drain_until[node.number]:
                node.is_open = False
        if len(self._drain_until) == len(self.nodes):
            return not any(node.is_open for node in self.nodes)
        if self._end_at is not None and now >= self._end_at:
            self.end(f"timed out after {self.step.settings.timeout} s", now)
        if self._peer_deadline is not None and now >= self._peer_deadline:
            self._tell_survivors(now)
        if self._kill_at is not None and now >= self._kill_at and not self._killed:
            self.kill()
        return False

    def _node_ended(self, node: Node, now: float, family: Family) -> None:
        self._drain_until[node.number] = now + DRAIN
        # What the supervisor left behind keeps the pipe open, and must not outlive its attempt anyway.
        for process in family.leftovers(self.marks(node)):
            kill_tree(process)
        if node.exit_code != 0 and self._peer_deadline is None:
            self._peer_deadline = now + PEER_GRACE

    def _tell_survivors(self, now: float) -> None:
        """A peer failed and these are still here: their own failure is not the one to report."""
        if self._kill_at is None:
            self._kill_at = now + END_GRACE
            for node in self.nodes:
                node.terminate()

    def next_deadline(self) -> float | None:
        """When `check` has to be called although nothing happened."""
        times = [] if self._killed or self._kill_at is None else [self._kill_at]
        if self._kill_at is None:
            times += [at for at in (self._end_at, self._peer_deadline) if at is not None]
        times += [self._drain_until[node.number] for node in self.nodes if node.is_open and node.exit_code is not None]
        return min(times, default=None)

    def exit_codes(self) -> tuple[int, ...]:
        return tuple(node.exit_code if node.exit_code is not None else 0 for node in self.nodes)

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _python(self) -> str:
        named = on_local(self.step.on).get("python")
        if not isinstance(named, str):
            return sys.executable
        # A bare word is looked for on PATH. Links are not followed: a virtual environment's Python is one.
        return str((self.place.home or Path()).absolute() / named) if os.sep in named else named

    def _environment(self, node: int, address: str, lifeline: int, python: str) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("FLOWC_") or name in _PASSED_ON}
        # `python` in a step's argv is the Python that runs its supervisor, with what is installed there.
        folder = str(Path(python if os.sep in python else sys.executable).parent)
        env["PATH"] = os.pathsep.join([folder, env["PATH"]] if env.get("PATH") else [folder, os.defpath])
        env["PYTHONUNBUFFERED"] = "1"
        if self._gpus and self._gpus[node]:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self._gpus[node])
        return env | {
            "FLOWC_ENGINE": "local",
            "FLOWC_STORE": self.place.store.url,
            "FLOWC_FLOW": self.place.flow,
            "FLOWC_RUN": self.place.run,
            "FLOWC_BUNDLE": self.place.bundle,
            "FLOWC_ATTEMPT": self.name,
            "FLOWC_NODE": str(node),
            "FLOWC_NODES": str(self.task.nodes),
            "FLOWC_ADDRESS": address,
            "FLOWC_LIFELINE_FD": str(lifeline),
        }
