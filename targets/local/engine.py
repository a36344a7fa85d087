"""The engine: runs a plan's tasks as processes until all are over, one has failed for good, or it is told to stop.

One thread drives everything: it waits for output, ended processes, signals and deadlines, and never for a terminal (the
screen has its own thread) or for the store (`workers`). Takes the plan, the place of the run and a screen; gives an
`Outcome`. The flow comes first and `finally` after it, whatever happened; a first signal ends the flow, a second one
everything. When `run` returns, no process of the run is left, and when flowc dies, the supervisors see the end of the
lifeline pipe, whose write end only this process holds, and end everything themselves.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import psutil

from flowc.runtime.commit import Commit
from flowc.runtime.errors import BAD_PLAN
from flowc.runtime.plan import Decision, Json, Plan, PlanError, Step
from flowc.runtime.processes import adopt_orphans
from flowc.runtime.run_record import Status

from .attempt import Attempt, Command, Place, runtime_command
from .instances import Task
from .interrupts import Interrupts
from .outcome import Failure, Outcome, Verdict, explain, failed_node, judge
from .processes import Family, Node
from .questions import Trouble, controls_of, note_status, seal_failure, size_of
from .scheduler import Scheduler, State
from .screen import Screen, duration
from .workers import Workers

# An interrupted run is gone within 5 s: this long the steps have to end by themselves.
INTERRUPT_GRACE = 3.0
_SWEEP = 1.5
# Where ended processes cannot be waited for together with pipes (no pidfd), they are looked for this often.
_POLL = 0.1
_NAMED = 5


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
        self._workers = Workers(interrupts.poke)
        self._active: dict[str, Attempt] = {}
        self._failures: list[Failure] = []
        self._signal: signal.Signals | None = None
        self._heard = 0
        # `finally` has begun; the flow was interrupted; everything is to end at once.
        self._in_finally = False
        self._was_cut = False
        self._at_once = False
        self._gives_up = 0.0

    def run(self) -> Outcome:
        adopt_orphans()
        self._family = Family()
        self._lifeline, holder = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._interrupts.wake, selectors.EVENT_READ)
        self._flow_ends = time.monotonic() + self._plan.timeout if self._plan.timeout is not None else None
        try:
            self._scheduler.begin()
            self._loop()
            if self._plan.finals and not self._at_once:
                self._begin_finally()
                self._loop()
        finally:
            # Also on the way out of a fault of our own: nothing may stay behind.
            survivors = self._end_family()
            self._workers.forget()
            os.close(holder)
            os.close(self._lifeline)
            self._selector.close()
        return Outcome(tuple(self._failures), self._signal, self._was_cut, survivors)

    def _begin_finally(self) -> None:
        self._abandon()
        self._workers.forget()
        self._in_finally = True
        failed = bool(self._failures) or self._was_cut
        status = Status("failed" if failed else "succeeded", self._failures[0].step if self._failures else "")
        self._workers.submit(partial(note_status, self._place, status), self._status_noted)

    def _status_noted(self, noted: Status | Trouble) -> None:
        if isinstance(noted, Trouble):
            # What does not read the status can clean up all the same.
            self._screen.say(f"the run's status could not be written down for `finally`: {noted.reason}")
        self._scheduler.begin(final=True)

    # --- the loop -----------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            now = time.monotonic()
            self._heed_signals(now)
            self._heed_flow_timeout(now)
            self._check_attempts(now)
            self._workers.take()
            self._ask_questions()
            self._start_steps(now)
            self._tell_news()
            if self._is_over():
                return
            self._wait()

    def _is_over(self) -> bool:
        if self._is_interrupted:
            return not self._active or time.monotonic() >= self._gives_up
        if self._active or not self._workers.is_idle:
            return False
        return self._is_stopping or self._scheduler.is_idle

    @property
    def _is_interrupted(self) -> bool:
        """Processes are being ended because somebody wants it."""
        return self._at_once or (self._was_cut and not self._in_finally)

    @property
    def _is_stopping(self) -> bool:
        """Nothing more is started. In `finally` what does not depend on a failed step goes on."""
        return self._is_interrupted or (bool(self._failures) and not self._in_finally)

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
        for attempt in self._active.values():
            for node in attempt.nodes:
                if reading and node.is_open and node.pipe not in watched:
                    self._selector.register(node.pipe, selectors.EVENT_READ, (attempt, node))
                elif not reading and node.pipe in watched:
                    self._selector.unregister(node.pipe)

    def _patience(self) -> float | None:
        now = time.monotonic()
        times = [attempt.next_deadline() for attempt in self._active.values()]
        if not self._is_stopping:
            times.append(self._scheduler.next_retry())
        if not self._is_stopping and not self._in_finally:
            times.append(self._flow_ends)
        if self._is_interrupted:
            times.append(self._gives_up)
        known = [max(at - now, 0.0) for at in times if at is not None]
        if any(node.watch is None for attempt in self._active.values() for node in attempt.nodes):
            known.append(_POLL)
        return min(known, default=None)

    def _read(self, attempt: Attempt, node: Node) -> None:
        lines = node.read()
        if lines:
            self._screen.lines(attempt.task, node.number, lines)
        if not node.is_open:
            with contextlib.suppress(KeyError):
                self._selector.unregister(node.pipe)

    def _tell_news(self) -> None:
        for news in self._scheduler.news():
            self._screen.news(news)

    # --- starting -----------------------------------------------------------------------------------------------------

    def _ask_questions(self) -> None:
        if self._is_stopping:
            return
        for task in self._scheduler.questions():
            if isinstance(task.node, Decision):
                self._workers.submit(partial(controls_of, self._plan, self._place, task), partial(self._decided, task))
            else:
                self._workers.submit(partial(size_of, self._plan, self._place, task), partial(self._sized, task))

    def _decided(self, task: Task, found: Mapping[str, Json] | Trouble) -> None:
        if self._is_stopping:
            self._scheduler.failed(task)
        elif isinstance(found, Trouble):
            self._scheduler.failed(task)
            self._flow_failed(task.name, f"how the run goes on could not be decided: {found.reason}")
        else:
            self._done(task, found)

    def _sized(self, task: Task, found: int | Trouble) -> None:
        if self._is_stopping:
            self._scheduler.failed(task)
        elif isinstance(found, Trouble):
            self._failed_for_good(task, "", found.reason, found.reason, may_go_on=found.is_lasting)
        else:
            self._scheduler.sized(task, found)

    def _start_steps(self, now: float) -> None:
        while not self._is_stopping and (task := self._scheduler.next_task(now)) is not None:
            self._start(task, now)
            if self._interrupts.received[self._heard :]:
                return

    def _start(self, task: Task, now: float) -> None:
        gpus = self._scheduler.started(task)
        attempt = Attempt(task, self._place, gpus)
        if task.began is None:
            task.began = now
        try:
            attempt.start(self._command, self._lifeline, now)
        except OSError as error:
            reason = f"could not be started: {error.strerror or error}"
            self._failed_for_good(task, attempt.name, f"step {task.name!r} {reason}", "could not be started")
            return
        self._active[attempt.name] = attempt
        for node in attempt.nodes:
            self._family.owned.add(node.pid)
            if node.watch is not None:
                self._selector.register(node.watch, selectors.EVENT_READ)
        details = [f"{task.nodes} nodes"] if task.nodes > 1 else []
        if attempt.number > 1:
            details.append(f"attempt {attempt.number} of {task.step.settings.retries + 1}")
        self._screen.task(task, State.RUNNING, "started" + (f" ({', '.join(details)})" if details else ""))

    # --- ending -------------------------------------------------------------------------------------------------------

    def _check_attempts(self, now: float) -> None:
        # Somebody who wants the run to end does not wait for a reader that takes nothing.
        reading = not self._screen.is_full or self._is_interrupted
        for attempt in list(self._active.values()):
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
        del self._active[attempt.name]
        for node in attempt.nodes:
            with contextlib.suppress(KeyError):
                self._selector.unregister(node.pipe)
        attempt.close()
        self._family.reap()
        if self._is_interrupted:
            self._scheduler.failed(attempt.task)
            self._screen.task(attempt.task, State.ENDED, "ended")
            return
        # The store may be far away or out of order; signals must be heard meanwhile.
        work = partial(judge, self._place, attempt.task, attempt.name)
        self._workers.submit(work, partial(self._judged, attempt))

    def _judged(self, attempt: Attempt, verdict: Verdict) -> None:
        task = attempt.task
        if verdict.done:
            self._done(task, verdict.controls)
        elif self._is_stopping:
            self._scheduler.failed(task)
            self._screen.task(task, State.ENDED, f"ended because {self._why()}")
        else:
            self._attempt_failed(attempt, verdict)

    def _done(self, task: Task, controls: Mapping[str, Json]) -> None:
        if isinstance(task.node, Step):
            took = duration(time.monotonic() - (task.began or 0.0))
            self._screen.task(task, State.DONE, f"done in {took}")
        try:
            self._scheduler.ended(task, controls)
        except PlanError as error:
            self._flow_failed(task.name, f"the run cannot go on after {task.name!r}: {error}")

    def _why(self) -> str:
        return f"{self._failures[0].what} failed" if self._failures else "the run was interrupted"

    def _attempt_failed(self, attempt: Attempt, verdict: Verdict) -> None:
        task, settings = attempt.task, attempt.step.settings
        node = failed_node(attempt, verdict)
        headline, reason = explain(attempt, verdict, node)
        if attempt.number <= settings.retries and BAD_PLAN not in attempt.exit_codes() and verdict.trouble is None:
            wait = settings.retry_wait * 2.0 ** (attempt.number - 1)
            self._scheduler.retries(task, time.monotonic() + wait)
            note = f"{reason}; attempt {attempt.number + 1} of {settings.retries + 1} in {duration(wait)}"
            self._screen.task(task, State.RETRYING, note, always=True)
            return
        lines = (verdict.record.last_lines if verdict.record is not None else ()) or tuple(node.tail)
        may_go_on = verdict.trouble is None
        self._failed_for_good(task, attempt.name, headline, reason, lines, node.log, may_go_on=may_go_on)

    def _failed_for_good(
        self,
        task: Task,
        attempt: str,
        headline: str,
        reason: str,
        last_lines: tuple[str, ...] = (),
        log: Path | None = None,
        *,
        may_go_on: bool = True,
    ) -> None:
        """No other attempt will be made. `may_go_on` is false where the store could not say what happened."""
        fail = partial(self._fail, task, headline, reason, last_lines, log)
        if task.step.settings.allow_failure and may_go_on:
            seal = partial(seal_failure, self._place, task, attempt, reason)
            self._workers.submit(seal, partial(self._sealed, task, reason, fail))
        else:
            fail()

    def _sealed(self, task: Task, reason: str, fail: partial[None], found: Commit | Trouble) -> None:
        if isinstance(found, Trouble):
            fail()
        elif found.status == "done":  # an attempt that seemed lost was quicker
            self._done(task, found.control)
        else:
            self._screen.task(task, State.FAILED, f"failed, and the run goes on: {reason}", always=True)
            try:
                self._scheduler.failed(task, allowed=True)
            except PlanError as error:
                self._flow_failed(task.name, f"the run cannot go on after {task.name!r}: {error}")

    def _fail(
        self, task: Task, headline: str, reason: str, last_lines: tuple[str, ...] = (), log: Path | None = None
    ) -> None:
        """The step failed for good, and the run with it."""
        self._scheduler.failed(task)
        self._screen.task(task, State.FAILED, f"failed: {reason}", always=True)
        attempts = task.step.settings.retries + 1
        self._add(Failure(task.node.name, task.name, headline, task.attempts, attempts, last_lines, log))

    def _flow_failed(self, what: str, headline: str) -> None:
        """Something that is no step."""
        self._screen.say(headline)
        self._add(Failure("", what, headline))

    def _add(self, failure: Failure) -> None:
        self._failures.append(failure)
        if not self._in_finally:
            now = time.monotonic()
            for attempt in self._active.values():
                attempt.end("the run failed", now)

    # --- being told to stop -------------------------------------------------------------------------------------------

    def _heed_signals(self, now: float) -> None:
        new = self._interrupts.received[self._heard :]
        if not new:
            return
        self._heard += len(new)
        again = self._signal is not None or len(new) > 1
        if self._signal is None:
            self._signal = new[0]
            self._first_signal(new[0], now)
        if again:
            self._at_once = True
            self._was_cut = True
            self._gives_up = now + 0.5
            for attempt in self._active.values():
                attempt.kill()

    def _first_signal(self, number: signal.Signals, now: float) -> None:
        if self._in_finally:
            self._screen.say(f"interrupted by {number.name}: `finally` goes on; another signal ends it")
            return
        self._was_cut = True
        self._gives_up = now + INTERRUPT_GRACE + 0.5
        names = [attempt.task.name for attempt in self._active.values()]
        listed = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
        then = "; then `finally` runs, and another signal ends it" if self._plan.finals else ""
        what = f"ending {listed}" if names else "no step is running"
        self._screen.say(f"interrupted by {number.name}: {what}{then}")
        for attempt in self._active.values():
            attempt.end("the run was interrupted", now, INTERRUPT_GRACE)

    def _heed_flow_timeout(self, now: float) -> None:
        over = self._flow_ends is not None and now >= self._flow_ends
        if over and not self._is_stopping and not self._in_finally:
            words = f"the flow's timeout of {duration(float(self._plan.timeout or 0))} is over"
            self._screen.say(words)
            self._failures.append(Failure("", "the flow", words))
            for attempt in self._active.values():
                attempt.end("the flow's time is over", now)

    def _abandon(self) -> None:
        """KILL what the flow has left behind, and forget it."""
        for attempt in list(self._active.values()):
            attempt.kill()
            for node in attempt.nodes:
                for watched in (node.pipe, node.watch):
                    if watched is not None:
                        with contextlib.suppress(KeyError):
                            self._selector.unregister(watched)
            self._scheduler.failed(attempt.task)
        self._end_family()
        self._active.clear()

    def _end_family(self) -> tuple[int, ...]:
        """KILL whatever is left below this process; gives the processes that even KILL does not end."""
        deadline = time.monotonic() + _SWEEP
        for attempt in self._active.values():
            attempt.kill()
        while (alive := self._family.alive()) and time.monotonic() < deadline:
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._collect()
            time.sleep(0.01)
        self._collect()
        for attempt in self._active.values():
            attempt.close()
        return tuple(process.pid for process in alive)

    def _collect(self) -> None:
        for attempt in self._active.values():
            for node in attempt.nodes:
                if node.poll() is not None:
                    self._family.owned.discard(node.pid)
        with contextlib.suppress(psutil.Error):
            self._family.reap()
