"""One node of one attempt of one task: `python -m flowc.runtime step NAME`.

The order of things (the manual's reliability page explains it to users):

1. who am I; is there a commit already, then there is nothing to do;
2. the code bundle, the plan, the run's record;
3. meet the gang; fetch the inputs; start the framework; run the body;
4. on success all nodes report, node 0 commits and leaves last; on failure node 0 judges which came first, every node
   ends its whole process tree, and one message names the node and rank.

`supervise` gives the node's exit code and never raises for what a user, a body or a platform did.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flowc.runtime import layout
from flowc.runtime.body import TRAMPOLINE, Body, Part, Workspace, prepare, secret_variables
from flowc.runtime.bundle import fetch_bundle
from flowc.runtime.commit import commit_done, read_attempt_outputs, read_commit
from flowc.runtime.decide import check_depth, gang_size, own_controls
from flowc.runtime.errors import BAD_PLAN, FAULT, INTERNAL, PEER_FAILED, PEER_LOST, STORE, Stop
from flowc.runtime.failures import record_failure
from flowc.runtime.frameworks import Launch, Node, framework_of
from flowc.runtime.gang import AlreadyCommitted, Cause, Gang, GangEnded, Solo, Timing, describe_exit
from flowc.runtime.identity import Identity, own_address
from flowc.runtime.inputs import fetch_inputs
from flowc.runtime.logs import LineReader, LogSink, read_lines
from flowc.runtime.plan import Json, Plan, PlanError, Step
from flowc.runtime.processes import adopt_orphans, die_with_parent, end_descendants
from flowc.runtime.publication import Report, gather, publish_node
from flowc.runtime.ranks import RankServer
from flowc.runtime.run_record import Run, ensure_run
from flowc.runtime.store import Store, StoreError

T = TypeVar("T")

# A body that was told to end has this long before it is killed; Batch itself gives 30 s, Kubernetes as much.
GRACE = 2.0
# As timeout(1) has it: no code of ours, since it is the body that ran out of time.
TIMED_OUT = 124
# Enough that a few calls to a store that hangs leave threads for ending the node.
_THREADS = 16
# What is wrong with this machine or its image, not with flowc.
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


def supervise(identity: Identity, store: Store, timing: Timing, start_deadline_from: float) -> int:
    """Run this node to its end; `start_deadline_from` is the monotonic time at which it started."""
    adopt_orphans()
    try:
        scratch = Path(tempfile.mkdtemp(prefix="flowc-"))
    except OSError as error:
        raise Stop(BAD_PLAN, f"this node has no place for its scratch folder: {error}") from None
    sink = LogSink(_chunk_writer(identity, store))
    supervisor = _Supervisor(identity, store, timing, Workspace(scratch), sink, start_deadline_from)
    try:
        return asyncio.run(supervisor.run())
    finally:
        end_descendants(0)
        sink.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _chunk_writer(identity: Identity, store: Store) -> Callable[[int, bytes], None]:
    def write(number: int, data: bytes) -> None:
        of = identity
        store.put(layout.log_key(of.flow, of.run, of.step, of.attempt, of.node, number, of.ix), data)

    return write


class _Threads(ThreadPoolExecutor):
    """The event loop's threads; its end does not wait for one that hangs in a store that is away."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - its base
        super().shutdown(wait=False, cancel_futures=cancel_futures)


@dataclass(frozen=True, slots=True)
class _Started:
    """A body that runs: its launcher or its only process."""

    process: subprocess.Popen[bytes]
    output: LineReader
    ranks: RankServer | None


class _Supervisor:
    def __init__(
        self,
        identity: Identity,
        store: Store,
        timing: Timing,
        workspace: Workspace,
        sink: LogSink,
        started: float,
    ) -> None:
        self._identity = identity
        self._store = store
        self._timing = timing
        self._workspace = workspace
        self._sink = sink
        self._began = started
        self._gang: Gang | None = None
        self._owned: set[int] = set()

    async def run(self) -> int:
        asyncio.get_running_loop().set_default_executor(_Threads(_THREADS))
        try:
            self._watch_signals()
            return await self._run()
        except AlreadyCommitted:
            self._say(f"step {self._identity.name!r} is already done")
            return 0
        except Stop as stop:
            return await self._failed(self._cause_of(stop))
        except StoreError as error:
            return await self._failed(self._cause_of(Stop(STORE, str(error))))
        except GangEnded:
            assert self._gang is not None
            return await self._failed(None)
        except OSError as error:
            if error.errno not in _DISK_FAULTS:
                return await self._failed(self._fault(error))
            return await self._failed(self._cause_of(Stop(BAD_PLAN, f"a file of this node cannot be used: {error}")))
        except Exception as error:
            # The gang is told, so that it ends now and names this node; the process below us is ended.
            return await self._failed(self._fault(error))

    async def _run(self) -> int:
        identity, store = self._identity, self._store
        if await self._guard(self._is_committed()):
            raise AlreadyCommitted
        plan = await self._thread(fetch_bundle, store, identity.flow, identity.bundle, self._workspace.code)
        step = self._step_of(plan)
        run = await self._thread(ensure_run, store, plan, identity)
        await self._check_size(plan, run, step)
        secrets = secret_variables(step, plan, identity)
        self._sink.hide(secrets.values())
        self._gang = await self._join(step)
        addresses = await self._guard(self._gang.meet())
        values = await self._thread(fetch_inputs, step, plan, run, store, self._workspace.inputs, identity.ix)
        body = await self._thread(prepare, step, identity, values, secrets, addresses, self._workspace)
        node = self._node(step, addresses, body)
        framework = framework_of(step)
        shared = await self._guard(self._gang.start(lambda: framework.share(node)))
        first = await self._run_body(step, body, framework.launch(node, shared))
        report = await self._thread(self._publish, step, first)
        reports = await self._guard(self._gang.finish(dict(report)))
        if identity.node == 0:
            await self._thread(self._commit, plan, run, step, reports)
        await self._gang.leave()
        return 0

    def _step_of(self, plan: Plan) -> Step:
        try:
            step = plan.step(self._identity.step)
        except PlanError as error:
            raise Stop(BAD_PLAN, str(error)) from None
        check_depth(plan, step.name, self._identity.ix)
        return step

    async def _check_size(self, plan: Plan, run: Run, step: Step) -> None:
        size = step.nodes
        if step.gang is not None and step.gang.decided is not None:
            size = await self._thread(gang_size, plan, run, self._store, step, self._identity.ix)
        if size != self._identity.nodes:
            name, nodes = self._identity.name, self._identity.nodes
            raise Stop(BAD_PLAN, f"step {name!r} runs on {size} nodes, this is a gang of {nodes}")

    async def _is_committed(self) -> bool:
        of = self._identity
        commit = await asyncio.to_thread(read_commit, self._store, of.flow, of.run, of.step, of.ix)
        if commit is not None and commit.status != "done":
            raise self._given_up(commit.reason)
        return commit is not None

    def _given_up(self, reason: str) -> Stop:
        """For an attempt that is too late: others have been told that there will be no outputs."""
        return Stop(BAD_PLAN, f"too late: step {self._identity.name!r} was given up ({reason or 'its failure counts'})")

    async def _join(self, step: Step) -> Gang:
        identity = self._identity
        address = own_address(identity) if identity.nodes > 1 or step.gang is not None else "127.0.0.1"
        if identity.nodes == 1:
            return self._heed(Solo(address))
        # Only gangs pay for TLS.
        from flowc.runtime.gang.head import Head
        from flowc.runtime.gang.trust import make_certificate
        from flowc.runtime.gang.worker import Worker

        own = await asyncio.to_thread(make_certificate, self._workspace.root)
        deadline = self._began + step.settings.start_timeout
        if identity.node == 0:
            return self._heed(Head(identity, address, self._store, own, deadline, self._timing))
        return self._heed(
            Worker(identity, address, self._store, own, deadline, self._timing, committed=self._is_committed)
        )

    def _heed(self, gang: Gang) -> Gang:
        """From now on a verdict of the gang cuts every wait short."""
        self._told_to_stop.add_done_callback(lambda told: gang.fail(told.result(), at_once=True))
        return gang

    def _node(self, step: Step, addresses: tuple[str, ...], body: Body) -> Node:
        return Node(
            index=self._identity.node,
            addresses=addresses,
            attempt=self._identity.attempt,
            step=step,
            body=body.argv_for(self._workspace.outputs / "0"),
            trampoline=(sys.executable, "-I", "-S", str(TRAMPOLINE)),
            python=body.python,
            start_timeout=step.settings.start_timeout,
            scratch=str(self._workspace.scratch),
        )

    # --- the body ---

    async def _run_body(self, step: Step, body: Body, launch: Launch) -> int | None:
        """Run the body to its good end; gives the local rank of the gang's first process, None where it has none."""
        started = await self._start(body, launch)
        process = started.process
        ended = asyncio.ensure_future(asyncio.to_thread(process.wait))
        assert self._gang is not None
        either: list[asyncio.Future[Any]] = [ended, self._gang.verdict]
        await asyncio.wait(either, timeout=step.settings.timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._gang.verdict.done():
            raise GangEnded
        if not ended.done():
            reason = f"timed out after {step.settings.timeout} s"
            lines = tuple(started.output.last_lines())
            self._gang.fail(Cause(self._identity.node, None, TIMED_OUT, None, reason, lines, time.monotonic()))
            await self._gang.verdict
            raise GangEnded
        self._owned.discard(process.pid)
        at = time.monotonic()
        if process.returncode != 0:
            await self._body_failed(started, at)
        await self._output_ended(started)
        if started.ranks is None:
            return 0 if self._identity.node == 0 else None
        return started.ranks.first

    async def _start(self, body: Body, launch: Launch) -> _Started:
        workspace = self._workspace
        out_dir = workspace.outputs / "0"
        ranks: RankServer | None = None
        env = {**body.env, **launch.env}
        if launch.ranks is None:
            out_dir.mkdir(parents=True)
            env |= body.env_for(out_dir)
        else:
            assert self._gang is not None
            ranks = RankServer(workspace.socket, self._identity.node, launch.restarts, self._sink, self._gang.fail)
            ranks.start()
            workspace.launch.write_text(json.dumps(_launch_document(workspace, body, launch)), encoding="utf-8")
        reader, writer = os.pipe()
        try:
            process = subprocess.Popen(
                launch.argv,
                cwd=workspace.code,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                process_group=0,
                preexec_fn=die_with_parent,  # see there why it is safe
            )
        except (OSError, ValueError) as error:
            os.close(reader)
            raise Stop(64, _cannot_start(launch.argv[0], error)) from None
        finally:
            os.close(writer)
        self._owned.add(process.pid)
        return _Started(process, await read_lines(reader, self._sink), ranks)

    async def _body_failed(self, started: _Started, at: float) -> None:
        """The body's process ended badly: report it, unless one of its ranks has already said more. Raises."""
        assert self._gang is not None
        if started.ranks is not None:
            # The ranks' own reports name the rank; a launcher only repeats them, later.
            await started.ranks.settle()
            await asyncio.sleep(0.1)
        await self._output_ended(started)
        code = started.process.returncode
        exit_code, killed_by = (code, None) if code > 0 else (None, -code)
        prefix = "the launcher ended with " if started.ranks is not None else ""
        lines = tuple(started.output.last_lines())
        cause = Cause(
            self._identity.node, None, exit_code, killed_by, prefix + describe_exit(exit_code, killed_by), lines, at
        )
        self._gang.fail(cause)
        await self._gang.verdict
        raise GangEnded

    async def _output_ended(self, started: _Started) -> None:
        """Read to its end what the body wrote; a verdict cuts short the wait for a reader who takes his time."""
        assert self._gang is not None
        # What the body left running in the background keeps the pipe open; it ends with the step.
        waits = [asyncio.ensure_future(started.output.drain(0.3))]
        if started.ranks is not None:
            waits.append(asyncio.ensure_future(started.ranks.drain()))
        for wait in waits:
            either: list[asyncio.Future[Any]] = [wait, self._gang.verdict]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            wait.cancel()

    # --- the end ---

    def _publish(self, step: Step, first: int | None) -> Report:
        # A node's own first process has its local rank 0, also where the gang's first one has another.
        out_dir = self._workspace.outputs / str(first or 0)
        return publish_node(step, self._store, self._identity, out_dir, first=first is not None)

    def _commit(self, plan: Plan, run: Run, step: Step, reports: list[Report]) -> None:
        of, store = self._identity, self._store
        digest = gather(step, store, of, reports)
        control: dict[str, Json] = {}
        if step.controls:
            outputs = read_attempt_outputs(store, of.flow, of.run, of.step, of.attempt, digest, ix=of.ix)
            control = own_controls(plan, run, store, step, of.ix, outputs)
        commit = commit_done(store, of.flow, of.run, of.step, of.attempt, digest, control, ix=of.ix)
        if commit.status != "done":
            raise self._given_up(commit.reason)
        if commit.attempt != of.attempt:
            self._say(f"step {of.name!r}: another attempt was first; this one's outputs are discarded")

    async def _failed(self, cause: Cause | None) -> int:
        """End this node's processes and its part of the gang; gives the exit code."""
        identity = self._identity
        if self._gang is None:
            assert cause is not None
            verdict = cause
        else:
            if cause is not None:
                self._gang.fail(cause)
            verdict = await self._gang.verdict
        await asyncio.to_thread(end_descendants, GRACE, self._owned)
        if self._gang is None or self._gang.speaks:
            await self._tell(verdict)
        if self._gang is not None:
            await self._gang.close()
        if identity.node in (0, verdict.node):
            return verdict.code
        return PEER_LOST if verdict.node == 0 and verdict.code == PEER_LOST else PEER_FAILED

    async def _tell(self, verdict: Cause) -> None:
        """The one message, and the record that the engine and `flowc show` read."""
        identity = self._identity
        message = verdict.message(identity.name, identity.nodes)
        with contextlib.suppress(StoreError, asyncio.TimeoutError):
            put = asyncio.to_thread(record_failure, self._store, identity, verdict, message)
            if not await asyncio.wait_for(put, 2):
                return  # another survivor has told it
        self._say(message)
        if verdict.last_lines:
            self._say("its last lines:\n" + "\n".join(f"    {line}" for line in verdict.last_lines))

    def _fault(self, error: Exception) -> Cause:
        self._sink.write("".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace"))
        self._say(FAULT)
        return self._cause_of(Stop(INTERNAL, f"{type(error).__name__}: {error}"))

    def _cause_of(self, stop: Stop) -> Cause:
        message = self._sink.masked(stop.message.encode("utf-8", "backslashreplace")).decode()
        return Cause(self._identity.node, None, stop.code, None, message, (), time.monotonic())

    # --- waiting ---

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        self._told_to_stop: asyncio.Future[Cause] = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, f"was told to stop ({number.name})", number)
        lifeline = os.environ.get("FLOWC_LIFELINE_FD")
        if lifeline is not None:
            descriptor = int(lifeline)
            os.set_inheritable(descriptor, False)
            loop.add_reader(descriptor, self._engine_gone, descriptor)

    def _engine_gone(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        self._stop("was ended because flowc itself ended", signal.SIGTERM)

    def _stop(self, reason: str, number: signal.Signals) -> None:
        if not self._told_to_stop.done():
            cause = Cause(self._identity.node, None, None, int(number), reason, (), time.monotonic())
            self._told_to_stop.set_result(cause)

    async def _guard(self, waiting: Awaitable[T]) -> T:
        """Wait, unless the gang's verdict or a signal comes first."""
        task = asyncio.ensure_future(waiting)
        either: list[asyncio.Future[Any]] = [task, self._gang.verdict if self._gang else self._told_to_stop]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        if self._gang is not None:
            raise GangEnded
        cause = self._told_to_stop.result()
        raise Stop(cause.code, cause.reason)

    async def _thread(self, function: Callable[..., T], *args: Any) -> T:
        """A blocking call that must not hold up the link; what it still does after a verdict is discarded."""
        return await self._guard(asyncio.to_thread(function, *args))

    def _say(self, message: str) -> None:
        self._sink.write(f"flowc: {message}\n".encode())


def _launch_document(workspace: Workspace, body: Body, launch: Launch) -> dict[str, Any]:
    """What the trampoline reads, see `flowc.runtime.rank`."""
    assert launch.ranks is not None
    return {
        "argv": [_open(part) for part in body.argv],
        "env": {name: _open(part) for name, part in body.open_env.items()},
        "out_base": str(workspace.outputs),
        "socket": str(workspace.socket),
        "rank_variable": launch.ranks.rank,
        "local_rank_variable": launch.ranks.local_rank,
        "restart_variable": launch.ranks.restart,
    }


def _open(part: Part) -> list[Any]:
    """The pieces of a text, in which an output's path is `{"out": name}`."""
    pieces = (part,) if isinstance(part, str) else part
    return [piece if isinstance(piece, str) else {"out": piece.name} for piece in pieces]


def _cannot_start(program: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"cannot start {program!r}: there is no such program in the step's image, or its folder is not on PATH"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot start {program!r}: {reason}"
