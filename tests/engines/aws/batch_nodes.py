"""One node of a Batch job: a container, played by a process of this machine.

Takes a command, an environment, an own loopback address and a folder; gives a process in a session of its own whose
output goes to a file. Stops it the way ECS stops a container: SIGTERM to the first process alone, SIGKILL to every
process in it after the grace period, and SIGKILL to what is left as soon as the first process is gone.

A container cannot leak processes; a process tree can, because a descendant may start its own session and be orphaned
(torchrun's ranks do). So a node is recognised by its descendants, looked at again and again while it runs, by their
sessions, and by the AWS_BATCH_* variables that a descendant inherits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What a test may need to know to add to a node's environment."""

    job_id: str
    job_name: str
    attempt: int
    index: int
    num_nodes: int
    is_main: bool
    address: str
    folder: Path


@dataclass(slots=True, eq=False)
class Node:
    """A node of one attempt. `exit_code` is as a shell reports it: 128 + signal for a killed process."""

    context: NodeContext
    command: Sequence[str] = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    exit_code: int | None = None
    reason: str = ""
    lost: bool = False
    _seen: dict[int, psutil.Process] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def index(self) -> int:
        return self.context.index

    @property
    def pid(self) -> int | None:
        return None if self.process is None else self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        """Starts the process. A command that cannot be started leaves a reason and no exit code, as in ECS."""
        self.context.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            try:
                self.process = subprocess.Popen(
                    list(self.command),
                    env=dict(self.environment),
                    cwd=self.context.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError, IndexError) as error:
                self.reason = f"CannotStartContainerError: {error}"
                log.write(self.reason.encode())

    def poll(self) -> bool:
        """Whether the node is over; the first call that sees it over removes what it left behind."""
        with self._lock:
            if self.exit_code is not None or self.process is None:
                return True
            code = self.process.poll()
            if code is None:
                self.look()
                return False
            kill_all([self])
            self.exit_code = 128 - code if code < 0 else code
            return True

    def look(self, max_age: float = 0.2) -> None:
        """Remembers descendants: one that is orphaned later can be found by nothing else if it changed its session
        and its environment."""
        assert self.process is not None
        children = _family.children(max_age)
        todo = [self.process.pid]
        while todo:
            for pid in children.get(todo.pop(), ()):
                todo.append(pid)
                if pid not in self._seen:
                    with contextlib.suppress(psutil.Error):
                        self._seen[pid] = psutil.Process(pid)

    def terminate(self) -> None:
        """SIGTERM to the first process alone: ECS signals a container's process 1."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to everything in the node, as when its host is lost."""
        kill_all([self])


class _Family:
    """Who is whose parent, read from /proc at most five times a second for all nodes together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = 0.0
        self._children: dict[int, list[int]] = {}

    def children(self, max_age: float) -> dict[int, list[int]]:
        with self._lock:
            if time.monotonic() - self._read > max_age:
                found: dict[int, list[int]] = {}
                for entry in Path("/proc").iterdir():
                    if entry.name.isdigit():
                        with contextlib.suppress(OSError):
                            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                            found.setdefault(parent, []).append(int(entry.name))
                self._children, self._read = found, time.monotonic()
            return self._children


_family = _Family()


def stop_nodes(nodes: Sequence[Node], grace: float) -> None:
    """TERM, wait up to `grace` seconds, KILL; returns when no process of the nodes is left."""
    for node in nodes:
        if node.running:
            node.look(max_age=0)
        node.terminate()
    deadline = time.monotonic() + grace
    while not all(node.poll() for node in nodes) and time.monotonic() < deadline:
        time.sleep(0.01)
    kill_all(nodes)
    for node in nodes:
        if node.process is not None:
            node.process.wait(10)
        node.poll()


def kill_all(nodes: Iterable[Node]) -> None:
    """Kills every process that belongs to one of the nodes, wherever it has gone, until a scan finds none."""
    nodes = [node for node in nodes if node.process is not None]
    for _ in range(20):
        victims = processes_of(nodes)
        if not victims:
            return
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.kill()
        deadline = time.monotonic() + 1  # an orphan may stay a zombie for good: its new parent has to reap it
        while any(_alive(victim) for victim in victims) and time.monotonic() < deadline:
            time.sleep(0.005)
    raise RuntimeError(f"processes outlive their node: {processes_of(nodes)}")


def processes_of(nodes: Iterable[Node]) -> list[psutil.Process]:
    """Living processes of the nodes: descendants now or earlier, members of their sessions, bearers of their marks."""
    started = [node for node in nodes if node.process is not None]
    roots = {node.pid for node in started}
    marks = {(n.environment["AWS_BATCH_JOB_ID"], n.environment["AWS_BATCH_JOB_ATTEMPT"]) for n in started}
    if not started:
        return []
    found: dict[int, psutil.Process] = {}
    for seen in [process for node in started for process in list(node._seen.values())]:
        if _alive(seen):
            found[seen.pid] = seen
    own_user = os.getuid()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in found or process.uids().real != own_user:
                continue
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getsid(process.pid) in roots or _mark(process) in marks:
                found[process.pid] = process
                found.update({child.pid: child for child in process.children(recursive=True)})
    return [process for process in found.values() if _alive(process)]


def _mark(process: psutil.Process) -> tuple[str | None, str | None]:
    environment = process.environ()
    return environment.get("AWS_BATCH_JOB_ID"), environment.get("AWS_BATCH_JOB_ATTEMPT")


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
