"""Which step starts next: the part of the engine that needs no processes.

Takes a plan, the cores to share out and a bound on steps at once; is told what started and how it ended, and
`next_step` names a step whose needs are done and whose whole gang fits beside what runs. A step that asks for more
than the machine has starts when nothing else runs, so every plan can proceed. Ready steps are tried in declaration
order; a smaller one may overtake a larger one that does not fit yet, which delays the larger one at most until the
smaller ones of this flow are done.
"""

from __future__ import annotations

from bisect import insort
from enum import Enum

from flowc.runtime.plan import Plan, Step

_SLACK = 1e-9  # ten steps of 0.1 cores fit on one core


class State(Enum):
    """The life of a step within a run. `RETRYING` waits for its next attempt; `ENDED` ran when the run ended."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"


def cores_of(step: Step) -> float:
    """What the whole gang asks for."""
    return step.settings.cpu * step.nodes


class Scheduler:
    """The state of every step; time is passed in, in seconds of one monotonic clock."""

    def __init__(self, plan: Plan, cores: float, jobs: int | None) -> None:
        self._steps = plan.steps
        self._cores = cores
        self._jobs = jobs
        self._index = {step.name: index for index, step in enumerate(plan.steps)}
        self._missing = {step.name: len(set(step.needs)) for step in plan.steps}
        self._needed_by: dict[str, list[str]] = {step.name: [] for step in plan.steps}
        for step in plan.steps:
            for need in dict.fromkeys(step.needs):
                self._needed_by[need].append(step.name)
        # Indexes into the plan, in declaration order: steps that lack nothing but cores or the time of their retry.
        self._ready = [self._index[name] for name, missing in self._missing.items() if missing == 0]
        self._retry_at: dict[str, float] = {}
        self._running: dict[str, float] = {}
        self.states = {step.name: State.WAITING for step in plan.steps}

    def next_step(self, now: float) -> Step | None:
        if self._jobs is not None and len(self._running) >= self._jobs:
            return None
        used = sum(self._running.values())
        for index in self._ready:
            step = self._steps[index]
            fits = not self._running or used + cores_of(step) <= self._cores + _SLACK
            if fits and self._retry_at.get(step.name, now) <= now:
                return step
        return None

    def started(self, step: Step) -> None:
        self._ready.remove(self._index[step.name])
        self._running[step.name] = cores_of(step)
        self.states[step.name] = State.RUNNING

    def retries(self, step: Step, at: float) -> None:
        """The running step's attempt failed; the next one may start at `at`."""
        del self._running[step.name]
        self._retry_at[step.name] = at
        insort(self._ready, self._index[step.name])
        self.states[step.name] = State.RETRYING

    def ended(self, step: Step, state: State) -> None:
        """The running step is over, as DONE, FAILED or ENDED."""
        del self._running[step.name]
        self.states[step.name] = state
        if state is State.DONE:
            for name in self._needed_by[step.name]:
                self._missing[name] -= 1
                if self._missing[name] == 0:
                    insort(self._ready, self._index[name])

    def next_retry(self, now: float) -> float | None:
        """When the next waiting attempt comes due; one that is due already waits for cores, not for time."""
        times = (self._retry_at.get(self._steps[index].name, now) for index in self._ready)
        return min((at for at in times if at > now), default=None)

    def all_done(self) -> bool:
        return not self._running and not self._ready and State.RETRYING not in self.states.values()

    def too_large(self) -> list[Step]:
        """Steps that ask for more than there is; each will run alone."""
        return [step for step in self._steps if cores_of(step) > self._cores + _SLACK]
