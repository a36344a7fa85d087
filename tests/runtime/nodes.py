"""Drives the runtime without compiler or engine: hand-made plans, bundles and environments; real supervisors.

A `Task` is one step of one run in a local store, or one instance (`ix`) of it; `changed` gives another one of the same
run. `Task.decide` runs a decision. `Task.start()` starts the supervisors of one attempt, each with its
own loopback address, as the local engine does; `finish` waits for them and gives exit codes and output.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from flowc.runtime import layout, plan
from flowc.runtime.commit import Commit, read_commit, read_outputs
from flowc.runtime.plan import PLAN_FILE, Plan, Step, dump
from flowc.runtime.run_record import start_run
from flowc.runtime.store import Store, open_store

SETTINGS = plan.Settings(
    image="", cpu=1.0, memory=1 << 30, gpu=0, shm=None, timeout=None, start_timeout=60, retries=0, retry_wait=1
)


def step(body: plan.Body, name: str = "work", **changes: Any) -> Step:
    """A step with nothing but a body, unless `changes` says otherwise; `settings` may be a mapping of changes."""
    settings = replace(SETTINGS, **changes.pop("settings", {}))
    plain = Step(name, 1, "", body, (), (), (), (), None, settings)
    return replace(plain, **changes)


def python(code: str) -> plan.Script:
    return plan.Script("python", code)


def bash(code: str) -> plan.Script:
    return plan.Script("bash", code)


def outputs(**types: str) -> tuple[plan.Output, ...]:
    return tuple(plan.Output(name, type_) for name, type_ in types.items())


def torchrun(nodes: int, procs: int, restarts: int = 0, port: int | None = None) -> plan.Gang:
    return plan.Gang(nodes, plan.Torchrun(procs, restarts, port))


@dataclass
class Result:
    """What one attempt's nodes gave, in node order."""

    codes: list[int]
    output: list[str]
    seconds: float

    @property
    def text(self) -> str:
        return "\n".join(self.output)


@dataclass
class Task:
    """One step of one run."""

    root: Path
    step: Step
    files: Mapping[str, str] = field(default_factory=dict)
    params: Sequence[tuple[str, str, plan.Json]] = ()
    more_steps: Sequence[Step] = ()
    run: str = "run-1"
    env: Mapping[str, str] = field(default_factory=dict)
    ix: str = ""
    # All nodes of the flow, where it is more than steps.
    nodes: Sequence[plan.Node] = ()
    finals: Sequence[plan.Node] = ()
    secrets: Sequence[plan.Secret] = ()
    # Where the step does not say it.
    gang: int | None = None

    def __post_init__(self) -> None:
        params = tuple(plan.Param(name, type_, True, None) for name, type_, _ in self.params)
        nodes = tuple(self.nodes) or (*self.more_steps, self.step)
        self.plan = Plan("demo", "demo.flow", None, params, nodes, tuple(self.finals), tuple(self.secrets))
        self.store: Store = open_store((self.root / "store").as_uri())
        data = _tar({PLAN_FILE: dump(self.plan), **self.files})
        self.bundle = sha256(data).hexdigest()
        self.store.put(layout.bundle_key("demo", self.bundle), data)
        start_run(self.store, self.plan, self.run, {n: v for n, _, v in self.params}, "local", self.bundle)

    def environment(self, attempt: str, node: int, nodes: int | None = None) -> dict[str, str]:
        """What the local engine says to a node."""
        block = int(sha256(attempt.encode()).hexdigest()[:4], 16)
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLOWC_ENGINE": "local",
            "FLOWC_STORE": self.store.url,
            "FLOWC_FLOW": "demo",
            "FLOWC_RUN": self.run,
            "FLOWC_BUNDLE": self.bundle,
            "FLOWC_ATTEMPT": attempt,
            "FLOWC_NODE": str(node),
            "FLOWC_NODES": str(nodes or self.size),
            "FLOWC_ADDRESS": f"127.{64 + block // 256 % 128}.{block % 256}.{node + 1}",
            **self.env,
        }

    @property
    def size(self) -> int:
        return self.gang or self.step.nodes

    def changed(self, **changes: Any) -> Task:
        return replace(self, **changes)

    def start(self, attempt: str | None = None, nodes: Sequence[int] | None = None) -> Attempt:
        attempt = attempt or f"try-{secrets.token_hex(4)}"
        return Attempt(self, attempt, tuple(nodes if nodes is not None else range(self.size)))

    def finish(self, timeout: float = 120) -> Result:
        with self.start() as attempt:
            return attempt.finish(timeout)

    def decide(self, name: str, ix: str = "", attempt: str = "decided") -> subprocess.CompletedProcess[str]:
        """Run a decision of the flow as a task of its own; its commit is `commit_of(name, ix)`."""
        command = [sys.executable, "-m", "flowc.runtime", "decide", name, *(("--ix", ix) if ix else ())]
        env = self.environment(attempt, 0)
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def commit_of(self, name: str, ix: str = "") -> Commit | None:
        return read_commit(self.store, "demo", self.run, name, ix)

    def commit(self) -> Commit | None:
        return read_commit(self.store, "demo", self.run, self.step.name, self.ix)

    def values(self) -> dict[str, Any]:
        """The committed outputs' entries."""
        commit = self.commit()
        assert commit is not None
        return dict(read_outputs(self.store, "demo", self.step.name, commit, self.ix))

    def failure(self, attempt: str) -> dict[str, Any]:
        data = self.store.get(layout.failure_key("demo", self.run, self.step.name, attempt, self.ix))
        assert data is not None, "no failure record was written"
        record: dict[str, Any] = json.loads(data)
        return record


class Attempt:
    """The supervisors of one attempt. On leaving, whatever is left of them is killed and fails the test."""

    def __init__(self, task: Task, attempt: str, nodes: tuple[int, ...]) -> None:
        self.task = task
        self.name = attempt
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self._logs: dict[int, Path] = {}
        self._seen: dict[int, psutil.Process] = {}
        self._began = time.monotonic()
        for node in nodes:
            self.add(node)

    def add(self, node: int, **env: str) -> None:
        self._logs[node] = self.task.root / f"{self.name}.{node}.log"
        with self._logs[node].open("wb") as log:
            self.processes[node] = subprocess.Popen(
                [sys.executable, "-m", "flowc.runtime", "step", self.task.step.name, "--ix", self.task.ix],
                env=self.task.environment(self.name, node) | env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self, node: int) -> str:
        return self._logs[node].read_text(errors="replace")

    def wait_for(self, node: int, text: str, timeout: float = 60) -> None:
        """Wait until a node's output holds `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.log(node):
            assert time.monotonic() < deadline, f"node {node} never said {text!r}:\n{self.log(node)}"
            assert self.processes[node].poll() is None, f"node {node} ended early:\n{self.log(node)}"
            time.sleep(0.02)
        self.note_descendants()

    def note_descendants(self) -> None:
        """Remember all processes of the attempt, to find any that outlives it."""
        for process in self.processes.values():
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    self._seen[child.pid] = child

    def descendants(self, node: int) -> list[psutil.Process]:
        return psutil.Process(self.processes[node].pid).children(recursive=True)

    def finish(self, timeout: float = 120) -> Result:
        deadline = time.monotonic() + timeout
        for node, process in self.processes.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise AssertionError(f"node {node} did not end within {timeout} s:\n{self.log(node)}") from None
        nodes = sorted(self.processes)
        return Result(
            [self.processes[node].returncode for node in nodes],
            [self.log(node) for node in nodes],
            time.monotonic() - self._began,
        )

    def survivors(self) -> list[psutil.Process]:
        """Processes of the attempt that still run, apart from supervisors."""
        return [process for process in self._seen.values() if process.is_running() and process.status() != "zombie"]

    def __enter__(self) -> Attempt:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        left = self.survivors()
        for survivor in left:
            survivor.kill()
        if exc[0] is None:
            assert not left, f"processes outlived their attempt: {left}"


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
