"""Which step starts when, without any process."""

from __future__ import annotations

from flowc.runtime.plan import Plan
from flowc.targets.local.scheduler import Scheduler, State

from .support import plan, step


def start_all(scheduler: Scheduler, now: float = 0.0) -> list[str]:
    names = []
    while (ready := scheduler.next_step(now)) is not None:
        scheduler.started(ready)
        names.append(ready.name)
    return names


def diamond() -> Plan:
    return plan(
        step("a", cpu=1.0),
        step("b", cpu=1.0, needs=("a",)),
        step("c", cpu=1.0, needs=("a", "a")),
        step("d", cpu=1.0, needs=("b", "c")),
    )


def test_a_step_starts_once_all_its_needs_are_done() -> None:
    steps = diamond()
    scheduler = Scheduler(steps, cores=8, jobs=None)
    assert start_all(scheduler) == ["a"]
    scheduler.ended(steps.step("a"), State.DONE)
    assert start_all(scheduler) == ["b", "c"]
    scheduler.ended(steps.step("b"), State.DONE)
    assert start_all(scheduler) == []
    scheduler.ended(steps.step("c"), State.DONE)
    assert start_all(scheduler) == ["d"]
    assert not scheduler.all_done()
    scheduler.ended(steps.step("d"), State.DONE)
    assert scheduler.all_done()


def test_nothing_follows_a_failed_step() -> None:
    steps = diamond()
    scheduler = Scheduler(steps, cores=8, jobs=None)
    start_all(scheduler)
    scheduler.ended(steps.step("a"), State.FAILED)
    assert start_all(scheduler) == []
    assert scheduler.states["d"] is State.WAITING


def test_cores_are_counted_for_the_whole_gang() -> None:
    steps = plan(step("small", cpu=0.5), step("gang", nodes=4, cpu=0.5), step("other", cpu=1.5))
    scheduler = Scheduler(steps, cores=2, jobs=None)
    assert start_all(scheduler) == ["small", "other"], "what fits may overtake the gang"
    scheduler.ended(steps.step("small"), State.DONE)
    assert start_all(scheduler) == []
    scheduler.ended(steps.step("other"), State.DONE)
    assert start_all(scheduler) == ["gang"]


def test_a_step_larger_than_the_machine_runs_alone() -> None:
    steps = plan(step("large", nodes=4, cpu=4.0), step("small", cpu=0.1))
    scheduler = Scheduler(steps, cores=2, jobs=None)
    assert [large.name for large in scheduler.too_large()] == ["large"]
    assert start_all(scheduler) == ["large"]
    scheduler.ended(steps.step("large"), State.DONE)
    assert start_all(scheduler) == ["small"]


def test_tenths_of_cores_add_up() -> None:
    steps = plan(*(step(f"s{index}", cpu=0.1) for index in range(11)))
    assert len(start_all(Scheduler(steps, cores=1, jobs=None))) == 10


def test_jobs_bounds_steps_at_once() -> None:
    steps = plan(*(step(f"s{index}", cpu=0.1) for index in range(5)))
    assert start_all(Scheduler(steps, cores=8, jobs=2)) == ["s0", "s1"]


def test_a_retry_waits_for_its_time_and_gives_its_cores_away_meanwhile() -> None:
    steps = plan(step("a", cpu=2.0), step("b", cpu=2.0))
    scheduler = Scheduler(steps, cores=2, jobs=None)
    assert start_all(scheduler) == ["a"]
    scheduler.retries(steps.step("a"), at=10.0)
    assert scheduler.next_retry(0.0) == 10.0
    assert start_all(scheduler, 5.0) == ["b"]
    assert start_all(scheduler, 10.0) == []
    assert scheduler.next_retry(10.0) is None, "it waits for cores now"
    scheduler.ended(steps.step("b"), State.DONE)
    assert not scheduler.all_done()
    assert start_all(scheduler, 10.0) == ["a"]


def test_thousands_of_steps_are_quick() -> None:
    steps = plan(*(step(f"s{index}", needs=(f"s{index - 1}",) if index % 100 else ()) for index in range(5000)))
    scheduler = Scheduler(steps, cores=16, jobs=8)
    count = 0
    while (ready := scheduler.next_step(0.0)) is not None:
        scheduler.started(ready)
        scheduler.ended(ready, State.DONE)
        count += 1
    assert count == 5000
