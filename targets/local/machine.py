"""What this machine has and what a step asks of it: cores, memory, GPUs.

`machine(cores)` looks at the machine; `demand_of` adds up what all nodes of a step's gang ask for, with `main` for
node 0 and with what `on local` says instead of the step's own settings. Amounts are whole numbers (thousandths of a
core, bytes, GPUs), so that they add up exactly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowc.runtime.plan import Plan, Settings, Step, TargetSettings

_MILLI = 1000
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Demand:
    """`cpu` in thousandths of a core, `memory` in bytes."""

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def __add__(self, other: Demand) -> Demand:
        return Demand(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)

    def __sub__(self, other: Demand) -> Demand:
        return Demand(self.cpu - other.cpu, self.memory - other.memory, self.gpu - other.gpu)

    def __mul__(self, count: int) -> Demand:
        return Demand(self.cpu * count, self.memory * count, self.gpu * count)

    def fits(self, room: Demand) -> bool:
        return self.cpu <= room.cpu and self.memory <= room.memory and self.gpu <= room.gpu


@dataclass(frozen=True, slots=True)
class Machine:
    """`gpus` are the names by which CUDA knows the GPUs that may be used."""

    cores: float
    memory: int
    gpus: tuple[str, ...] = ()

    @property
    def room(self) -> Demand:
        return Demand(round(self.cores * _MILLI), self.memory, len(self.gpus))


def machine(cores: float | None, env: Mapping[str, str]) -> Machine:
    """`cores` are to be shared out; None: what this process may use."""
    if cores is None:
        # Containers and taskset give less than the machine has.
        cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return Machine(cores, _memory(), _gpus(env))


def _memory() -> int:
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def _gpus(env: Mapping[str, str]) -> tuple[str, ...]:
    visible = env.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        # CUDA takes what stands before the first name that is none, such as -1.
        end = next((at for at, name in enumerate(names) if not name or name.startswith("-")), len(names))
        return tuple(names[:end])
    try:
        found = [entry.name for entry in os.scandir("/dev")]
    except OSError:
        return ()
    numbers = sorted(int(name[len("nvidia") :]) for name in found if re.fullmatch(r"nvidia\d+", name))
    # CUDA counts the GPUs that there are, whatever their device files are called.
    return tuple(str(number) for number in range(len(numbers)))


def on_local(settings: tuple[TargetSettings, ...]) -> dict[str, object]:
    """The values of `on local`, by name."""
    found = next((item.values for item in settings if item.target == "local"), {})
    assert isinstance(found, dict)
    return dict(found)


def node_demand(step: Step, *, main: bool = False) -> Demand:
    """What one node asks for."""
    settings = step.settings
    if main and step.gang is not None and step.gang.main is not None:
        settings = step.gang.main
    return _demand(settings, on_local(step.on))


def demand_of(step: Step, nodes: int) -> Demand:
    """What the whole gang asks for."""
    return node_demand(step, main=True) + node_demand(step) * (nodes - 1)


def _demand(settings: Settings, here: Mapping[str, object]) -> Demand:
    cpu, gpu = here.get("cpu", settings.cpu), here.get("gpu", settings.gpu)
    assert isinstance(cpu, int | float)
    assert isinstance(gpu, int)
    return Demand(round(cpu * _MILLI), settings.memory, gpu)


def notes(plan: Plan, of: Machine) -> tuple[str, ...]:
    """A line for each kind of thing of which steps ask for more than this machine has."""
    asked = [(step, demand_of(step, step.nodes)) for step in plan.steps]
    room = of.room
    kinds = (
        ("cores", f"{of.cores:g}", [(step, f"{need.cpu / _MILLI:g}") for step, need in asked if need.cpu > room.cpu]),
        (
            "memory",
            f"{of.memory / _GIB:.1f} GiB",
            [(step, f"{need.memory / _GIB:g} GiB") for step, need in asked if need.memory > room.memory],
        ),
        ("GPUs", f"{room.gpu}", [(step, f"{need.gpu}") for step, need in asked if need.gpu > room.gpu]),
    )
    return tuple(_note(what, there, large) for what, there, large in kinds if large)


def _note(what: str, there: str, large: list[tuple[Step, str]]) -> str:
    listed = ", ".join(f"{step.name} ({amount})" for step, amount in large[:3]) + (", …" if large[3:] else "")
    return (
        f"more {what} asked for than this machine's {there}: {listed}; such a step runs alone and shares what is there"
    )
