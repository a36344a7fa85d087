"""Which task starts when, without any process."""

from __future__ import annotations

import gc
import time
import tracemalloc

from flowc.runtime.plan import BEGIN, Decided, Decision, FanOut, FromParam, Items, Param, Plan, Step
from flowc.targets.local.instances import LOOKAHEAD, Task
from flowc.targets.local.machine import Machine, notes
from flowc.targets.local.scheduler import Scheduler

from .support import plan, step


class Driver:
    """A scheduler on a machine with much memory; tasks by their names."""

    def __init__(self, steps: Plan, cores: float, jobs: int | None = None, gpus: int = 0) -> None:
        names = tuple(f"g{number}" for number in range(gpus))
        self.scheduler = Scheduler(steps, Machine(cores, 1 << 50, names), jobs)
        self.scheduler.begin()
        self.running: dict[str, Task] = {}
        self.gpus: dict[str, tuple[tuple[str, ...], ...]] = {}

    def start_all(self, now: float = 0.0) -> list[str]:
        names = []
        while (task := self.scheduler.next_task(now)) is not None:
            self.gpus[task.name] = self.scheduler.started(task)
            self.running[task.name] = task
            names.append(task.name)
        return names

    def ended(self, name: str) -> None:
        self.scheduler.ended(self.running.pop(name), {})


def diamond() -> Plan:
    return plan(
        step("a", cpu=1.0),
        step("b", cpu=1.0, needs=("a",)),
        step("c", cpu=1.0, needs=("a", "a")),
        step("d", cpu=1.0, needs=("b", "c")),
    )


def test_a_step_starts_once_all_its_needs_are_done() -> None:
    driver = Driver(diamond(), cores=8)
    assert driver.start_all() == ["a"]
    driver.ended("a")
    assert driver.start_all() == ["b", "c"]
    driver.ended("b")
    assert driver.start_all() == []
    driver.ended("c")
    assert driver.start_all() == ["d"]
    assert not driver.scheduler.is_idle
    driver.ended("d")
    assert driver.scheduler.is_idle


def test_nothing_follows_a_failed_step() -> None:
    driver = Driver(diamond(), cores=8)
    driver.start_all()
    driver.scheduler.failed(driver.running["a"])
    assert driver.start_all() == []
    assert driver.scheduler.is_idle


def test_what_waits_for_a_step_that_may_fail_goes_on() -> None:
    driver = Driver(diamond(), cores=8)
    driver.start_all()
    driver.scheduler.failed(driver.running["a"], allowed=True)
    assert driver.start_all() == ["b", "c"]


def test_cores_are_counted_for_the_whole_gang() -> None:
    driver = Driver(plan(step("small", cpu=0.5), step("gang", nodes=4, cpu=0.5), step("other", cpu=1.5)), cores=2)
    assert driver.start_all() == ["small", "other"], "what fits may overtake the gang"
    driver.ended("small")
    assert driver.start_all() == []
    driver.ended("other")
    assert driver.start_all() == ["gang"]


def test_memory_counts_as_cores_do() -> None:
    driver = Driver(plan(*(step(name, memory=1 << 49) for name in "abc")), cores=8)
    assert driver.start_all() == ["a", "b"]
    driver.ended("a")
    assert driver.start_all() == ["c"]


def test_gpus_are_shared_out_by_name() -> None:
    driver = Driver(plan(step("a", gpu=1), step("gang", nodes=2, gpu=1), step("b", gpu=1), step("none")), 8, gpus=3)
    assert driver.start_all() == ["a", "gang", "none"]
    assert driver.gpus == {"a": (("g0",),), "gang": (("g1",), ("g2",)), "none": ()}
    driver.ended("gang")
    assert driver.start_all() == ["b"]
    assert driver.gpus["b"] == (("g1",),)


def test_a_step_larger_than_the_machine_runs_alone() -> None:
    steps = plan(step("large", nodes=4, cpu=4.0), step("small", cpu=0.1))
    driver = Driver(steps, cores=2)
    assert driver.start_all() == ["large"]
    driver.ended("large")
    assert driver.start_all() == ["small"]


def test_what_the_machine_lacks_is_said_once_per_kind() -> None:
    steps = plan(step("large", nodes=2, cpu=4.0, memory=3 << 30), step("deep", gpu=8), step("small"))
    alone = "; such a step runs alone and shares what is there"
    assert notes(steps, Machine(2, 4 << 30, ("0",))) == (
        f"more cores asked for than this machine's 2: large (8){alone}",
        f"more memory asked for than this machine's 4.0 GiB: large (6 GiB){alone}",
        f"more GPUs asked for than this machine's 1: deep (8){alone}",
    )


def test_tenths_of_cores_add_up() -> None:
    steps = plan(*(step(f"s{index}", cpu=0.1) for index in range(11)))
    assert len(Driver(steps, cores=1).start_all()) == 10


def test_jobs_bounds_steps_at_once() -> None:
    steps = plan(*(step(f"s{index}", cpu=0.1) for index in range(5)))
    assert Driver(steps, cores=8, jobs=2).start_all() == ["s0", "s1"]


def test_a_retry_waits_for_its_time_and_gives_its_cores_away_meanwhile() -> None:
    driver = Driver(plan(step("a", cpu=2.0), step("b", cpu=2.0)), cores=2)
    assert driver.start_all() == ["a"]
    driver.scheduler.retries(driver.running["a"], at=10.0)
    assert driver.scheduler.next_retry() == 10.0
    assert driver.start_all(5.0) == ["b"]
    assert driver.start_all(10.0) == []
    assert driver.scheduler.next_retry() is None, "it waits for cores now"
    driver.ended("b")
    assert not driver.scheduler.is_idle
    assert driver.start_all(10.0) == ["a"]
    assert driver.running["a"].attempts == 2


def test_thousands_of_steps_are_quick() -> None:
    steps = plan(*(step(f"s{index}", needs=(f"s{index - 1}",) if index % 100 else ()) for index in range(5000)))
    scheduler = Driver(steps, cores=16, jobs=8).scheduler
    count = 0
    while (ready := scheduler.next_task(0.0)) is not None:
        scheduler.started(ready)
        scheduler.ended(ready, {})
        count += 1
    assert count == 5000


# --- many items -------------------------------------------------------------------------------------------------------


def fan_of(*steps: Step, limit: int | None = None) -> Plan:
    """A list that `begin.params` knows, then a foreach over it with these steps."""
    items = FromParam("items")
    begin = Decision(BEGIN, (), (Items("i", items),))
    fan = FanOut("i", 1, "", items, limit, Decided(BEGIN, "i"), (BEGIN,), steps)
    return Plan("demo", "demo.flow", None, (Param("items", "list[int]", True, None),), (begin, fan))


def opened(of_flow: Plan, count: int, cores: float, jobs: int | None = None) -> Driver:
    driver = Driver(of_flow, cores, jobs)
    [begin] = driver.scheduler.questions()
    driver.scheduler.ended(begin, {"i": list(range(count))})
    return driver


def test_iterations_exist_only_when_their_turn_comes() -> None:
    driver = opened(fan_of(step("s", cpu=1.0)), 10_000, cores=8)
    assert driver.start_all() == [f"s[{index}]" for index in range(8)]
    alive = [task for task in gc.get_objects() if type(task) is Task]
    assert len(alive) <= 8 + LOOKAHEAD


def test_ten_thousand_items_take_no_memory_to_speak_of_and_little_time() -> None:
    driver = opened(fan_of(step("a", cpu=1.0), step("b", cpu=1.0, needs=("a",))), 10_000, cores=8)
    gc.collect()
    tracemalloc.start()
    began, tasks, most = time.process_time(), 0, 0
    while names := driver.start_all():
        for name in names:
            driver.ended(name)
        tasks += len(names)
        driver.scheduler.news()
        driver.gpus.clear()
        most = max(most, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert tasks == 20_000
    assert driver.scheduler.is_idle
    assert most < 200_000
    assert time.process_time() - began < 20


def test_an_iteration_that_began_is_ended_before_others_begin() -> None:
    driver = opened(fan_of(step("a", cpu=1.0), step("b", cpu=1.0, needs=("a",))), 4, cores=1)
    order = []
    while names := driver.start_all():
        order += names
        for name in names:
            driver.ended(name)
    assert order == [f"{name}[{index}]" for index in range(4) for name in "ab"]
