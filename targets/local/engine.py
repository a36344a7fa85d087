"""The engine: runs a plan's steps as processes until all are done, one has failed for good, or it is told to stop.

One thread drives everything: it waits for output, ended processes, signals and deadlines, and never for a terminal (the
screen has its own thread) or for the store (each attempt is judged in a thread of its own). Takes the plan, the place
of the run and a screen; gives an `Outcome`. When `run` returns, no process of the run is left, and when flowc dies, the
supervisors see the end of the lifeline pipe, whose write end only this process holds, and end everything themselves.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import threading
import time
from collections import deque

import psutil

from flowc.runtime.errors import BAD_PLAN, PEER_FAILED, PEER_LOST
from flowc.runtime.plan import Plan, Step
from flowc.runtime.processes import adopt_orphans

from .attempt import Attempt, Command, Place, runtime_command
from .interrupts import Interrupts
from .outcome import Failure, Outcome, Verdict, describe_exit, judge
from .processes import Family, Node
from .scheduler import Scheduler, State, cores_of
from .screen import Screen, duration

# An interrupted run is gone within 5 s: this long the steps have to end by themselves.
INTERRUPT_GRACE = 3.0
_SWEEP = 1.5
# Where ended processes cannot be waited for together with pipes (no pidfd), they are looked for this often.
_POLL = 0.1


class Engine:
    """One run. `command` starts a step's supervisor; tests put another one in its place."""

    def __init__(
        self,
        plan: Plan,
        place: Place,
        scheduler: Scheduler,
        screen: Screen,
        interrupts: Interrupts,
        command: Command = runtime_command,
    ) -> None:
        self._plan = plan
        self._place = place
        self._scheduler = scheduler
        self._screen = screen
        self._interrupts = interrupts
        self._command = command
        self._active: list[Attempt] = []
        self._judging: set[str] = set()
        self._verdicts: deque[tuple[Attempt, Verdict]] = deque()
        self._numbers = dict.fromkeys((step.name for step in plan.steps), 0)
        self._began: dict[str, float] = {}
        self._failure: Failure | None = None
        self._signal: signal.Signals | None = None
        self._heard = 0
        self._gives_up = 0.0

    def run(self) -> Outcome:
        adopt_orphans()
        self._family = Family()
        self._lifeline, holder = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._interrupts.wake, selectors.EVENT_READ)
        self._flow_ends = time.monotonic() + self._plan.timeout if self._plan.timeout is not None else None
        try:
            self._loop()
        finally:
            # Also on the way out of a fault of our own: nothing may stay behind.
            survivors = self._end_family()
            os.close(holder)
            os.close(self._lifeline)
            self._selector.close()
        return Outcome(self._failure, self._signal, survivors)

    # --- the loop -----------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            now = time.monotonic()
            self._heed_signals(now)
            self._heed_flow_timeout(now)
            self._check_attempts(now)
            self._take_verdicts(now)
            self._start_steps(now)
            if self._is_over():
                return
            self._wait()

    def _is_over(self) -> bool:
        if self._signal is not None:
            return not self._active or time.monotonic() >= self._gives_up
        if self._active or self._judging or self._verdicts:
            return False
        return self._stopping or self._scheduler.all_done()

    @property
    def _stopping(self) -> bool:
        return self._failure is not None or self._signal is not None

    def _wait(self) -> None:
        reading = not self._screen.is_full
        self._watch_pipes(reading=reading)
        # A pipe that became readable is read once per turn, so one that floods cannot starve the others.
        for key, _ in self._selector.select(self._patience()):
            if isinstance(key.data, tuple):
                attempt, node = key.data
                self._read(attempt, node)
        self._interrupts.clear()

    def _watch_pipes(self, *, reading: bool) -> None:
        watched = self._selector.get_map()
        for attempt in self._active:
            for node in attempt.nodes:
                if reading and node.is_open and node.pipe not in watched:
                    self._selector.register(node.pipe, selectors.EVENT_READ, (attempt, node))
                elif not reading and node.pipe in watched:
                    self._selector.unregister(node.pipe)

    def _patience(self) -> float | None:
        now = time.monotonic()
        times = [attempt.next_deadline() for attempt in self._active]
        if not self._stopping:
            times += [self._scheduler.next_retry(now), self._flow_ends]
        if self._signal is not None:
            times.append(self._gives_up)
        known = [max(at - now, 0.0) for at in times if at is not None]
        if any(node.watch is None for attempt in self._active for node in attempt.nodes):
            known.append(_POLL)
        return min(known, default=None)

    def _read(self, attempt: Attempt, node: Node) -> None:
        lines = node.read()
        if lines:
            self._screen.lines(attempt.step.name, node.number, lines)
        if not node.is_open:
            with contextlib.suppress(KeyError):
                self._selector.unregister(node.pipe)

    # --- starting -----------------------------------------------------------------------------------------------------

    def _start_steps(self, now: float) -> None:
        while not self._stopping and (step := self._scheduler.next_step(now)) is not None:
            self._start(step, now)
            if self._interrupts.received:
                return

    def _start(self, step: Step, now: float) -> None:
        self._numbers[step.name] += 1
        attempt = Attempt(step, self._numbers[step.name], self._place)
        self._scheduler.started(step)
        self._began.setdefault(step.name, now)
        try:
            attempt.start(self._command, self._lifeline, now)
        except OSError as error:
            reason = error.strerror or str(error)
            self._fail(attempt, f"step {step.name!r} could not be started: {reason}", (), None, now)
            return
        self._active.append(attempt)
        for node in attempt.nodes:
            self._family.owned.add(node.pid)
            if node.watch is not None:
                self._selector.register(node.watch, selectors.EVENT_READ)
        details = [f"{step.nodes} nodes"] if step.nodes > 1 else []
        if attempt.number > 1:
            details.append(f"attempt {attempt.number} of {step.settings.retries + 1}")
        self._screen.step(step.name, State.RUNNING, "started" + (f" ({', '.join(details)})" if details else ""))

    # --- ending -------------------------------------------------------------------------------------------------------

    def _check_attempts(self, now: float) -> None:
        # Somebody who wants the run to end does not wait for a reader that takes nothing.
        reading = not self._screen.is_full or self._signal is not None
        for attempt in list(self._active):
            over = attempt.check(now, self._family, reading=reading)
            for node in attempt.nodes:
                node.flush()
                if node.exit_code is not None and node.pid in self._family.owned:
                    self._family.owned.discard(node.pid)
                    if node.watch is not None:
                        self._selector.unregister(node.watch)
            if over:
                self._attempt_over(attempt)

    def _attempt_over(self, attempt: Attempt) -> None:
        self._active.remove(attempt)
        for node in attempt.nodes:
            with contextlib.suppress(KeyError):
                self._selector.unregister(node.pipe)
        attempt.close()
        self._family.reap()
        if self._signal is not None:
            self._scheduler.ended(attempt.step, State.ENDED)
            self._screen.step(attempt.step.name, State.ENDED, "ended")
            return
        self._judging.add(attempt.name)
        # The store may be far away or out of order; signals must be heard meanwhile.
        threading.Thread(target=self._judge, args=(attempt,), daemon=True).start()

    def _judge(self, attempt: Attempt) -> None:
        place = self._place
        verdict = judge(place.store, place.flow, place.run, attempt.step.name, attempt.name)
        self._verdicts.append((attempt, verdict))
        self._interrupts.poke()

    def _take_verdicts(self, now: float) -> None:
        while self._verdicts:
            attempt, verdict = self._verdicts.popleft()
            self._judging.discard(attempt.name)
            step = attempt.step
            if verdict.done:
                self._scheduler.ended(step, State.DONE)
                took = duration(now - self._began[step.name])
                self._screen.step(step.name, State.DONE, f"done in {took}")
            elif self._stopping:
                self._scheduler.ended(step, State.ENDED)
                self._screen.step(step.name, State.ENDED, f"ended because {self._why()}")
            else:
                self._attempt_failed(attempt, verdict, now)

    def _why(self) -> str:
        if self._failure is None:
            return "the run was interrupted"
        return f"{self._failure.step} failed" if self._failure.step else "the flow's time is over"

    def _attempt_failed(self, attempt: Attempt, verdict: Verdict, now: float) -> None:
        step = attempt.step
        node = _culprit(attempt)
        if verdict.record is not None and verdict.record.node < len(attempt.nodes):
            node = attempt.nodes[verdict.record.node]
        headline, reason = _explain(attempt, verdict, node)
        final = (
            attempt.number > step.settings.retries or BAD_PLAN in attempt.exit_codes() or verdict.trouble is not None
        )
        if not final:
            wait = step.settings.retry_wait * 2.0 ** (attempt.number - 1)
            self._scheduler.retries(step, now + wait)
            note = f"{reason}; attempt {attempt.number + 1} of {step.settings.retries + 1} in {duration(wait)}"
            self._screen.step(step.name, State.RETRYING, note, always=True)
            return
        lines = verdict.record.last_lines if verdict.record is not None else ()
        self._fail(attempt, headline, lines or tuple(node.tail), node, now, reason)

    def _fail(
        self,
        attempt: Attempt,
        headline: str,
        last_lines: tuple[str, ...],
        node: Node | None,
        now: float,
        reason: str = "could not be started",
    ) -> None:
        """The step failed for good, and the run with it."""
        step = attempt.step
        self._scheduler.ended(step, State.FAILED)
        self._screen.step(step.name, State.FAILED, f"failed: {reason}", always=True)
        log = node.log if node is not None else None
        self._failure = Failure(step.name, attempt.number, step.settings.retries + 1, headline, last_lines, log)
        self._end_others(now)

    def _end_others(self, now: float) -> None:
        for attempt in self._active:
            attempt.end("the run failed", now)

    # --- being told to stop -------------------------------------------------------------------------------------------

    def _heed_signals(self, now: float) -> None:
        received = self._interrupts.received
        if len(received) == self._heard:
            return
        again, self._heard = self._signal is not None or len(received) > 1, len(received)
        if self._signal is None:
            self._signal = received[0]
            self._gives_up = now + INTERRUPT_GRACE + 0.5
            names = ", ".join(attempt.step.name for attempt in self._active)
            what = f"ending {names}" if names else "no step is running"
            self._screen.say(f"interrupted by {self._signal.name}: {what}")
            for attempt in self._active:
                attempt.end("the run was interrupted", now, INTERRUPT_GRACE)
        if again:
            for attempt in self._active:
                attempt.kill()

    def _heed_flow_timeout(self, now: float) -> None:
        if self._flow_ends is not None and now >= self._flow_ends and not self._stopping:
            headline = f"the flow's timeout of {duration(float(self._plan.timeout or 0))} is over"
            self._failure = Failure("", 0, 0, headline, (), None)
            self._screen.say(headline)
            self._end_others(now)

    def _end_family(self) -> tuple[int, ...]:
        """KILL whatever is left below this process; gives the processes that even KILL does not end."""
        deadline = time.monotonic() + _SWEEP
        for attempt in self._active:
            attempt.kill()
        while (alive := self._family.alive()) and time.monotonic() < deadline:
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._collect()
            time.sleep(0.01)
        self._collect()
        for attempt in self._active:
            attempt.close()
        return tuple(process.pid for process in alive)

    def _collect(self) -> None:
        for attempt in self._active:
            for node in attempt.nodes:
                if node.poll() is not None:
                    self._family.owned.discard(node.pid)
        with contextlib.suppress(psutil.Error):
            self._family.reap()


def _culprit(attempt: Attempt) -> Node:
    """Where no record says which node failed: the first that did not merely follow another."""
    failed = [node for node in attempt.nodes if node.exit_code != 0]
    own = [node for node in failed if node.exit_code not in (PEER_FAILED, PEER_LOST)]
    return (own or failed or attempt.nodes)[0]


def _explain(attempt: Attempt, verdict: Verdict, node: Node) -> tuple[str, str]:
    """Headline and reason of a failed attempt."""
    step = attempt.step
    where = f"step {step.name!r}" + (f", node {node.number}" if step.nodes > 1 else "")
    if verdict.record is not None and attempt.ended_because is None:
        return verdict.record.message, verdict.record.reason
    if attempt.ended_because is not None:
        return f"{where}: {attempt.ended_because}", attempt.ended_because
    if verdict.trouble is not None:
        return f"{where}: {verdict.trouble}", verdict.trouble
    code = node.exit_code or 0
    if code == 0:
        reason = "its supervisor ended without committing the step's outputs"
    elif code == BAD_PLAN:
        reason = f"{describe_exit(code)} (the plan, an input or an output is wrong)"
    else:
        reason = f"its supervisor ended without a report ({describe_exit(code)})"
    return f"{where}: {reason}", reason


def large_steps_note(scheduler: Scheduler, cores: float) -> str | None:
    """One line about steps that ask for more than this machine has."""
    large = scheduler.too_large()
    if not large:
        return None
    listed = ", ".join(f"{step.name} ({cores_of(step):g})" for step in large[:3]) + (", …" if large[3:] else "")
    return (
        f"more cores asked for than this machine's {cores:g}: {listed}; such a step runs alone and shares what is there"
    )
