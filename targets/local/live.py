"""The live table of a run on a terminal: one row per step, under the lines that scroll by.

Takes the plan and the terminal; is driven by `screen.Screen` from one thread, and draws only when it is called. A step
in a loop has one row for all of its instances, with how far its `foreach` is. A flow with more steps than the terminal
has lines shows what runs and what failed first and counts the rest.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from flowc.runtime.plan import FanOut, Plan, Step

from .scheduler import State
from .screen import duration

_REDRAW = 0.1
_STYLES = {
    State.WAITING: "dim",
    State.RUNNING: "bold cyan",
    State.RETRYING: "yellow",
    State.DONE: "green",
    State.FAILED: "bold red",
    State.ENDED: "yellow",
    State.SKIPPED: "dim",
}
# What a reader looks for first.
_ORDER = (State.FAILED, State.RUNNING, State.RETRYING, State.ENDED, State.WAITING, State.DONE, State.SKIPPED)


@dataclass(slots=True)
class _Row:
    """`block` is the innermost `foreach` around a step; `live` the state of instances that are not over."""

    nodes: int
    is_many: bool
    block: str | None
    state: State = State.WAITING
    note: str = ""
    since: float = 0.0
    took: float | None = None
    live: dict[str, State] = field(default_factory=dict)
    over: Counter[State] = field(default_factory=Counter)

    def change(self, task: str, state: State, note: str, now: float) -> None:
        if not self.since:
            self.since = now
        if state in (State.RUNNING, State.RETRYING):
            self.live[task] = state
        else:
            self.live.pop(task, None)
            self.over[state] += 1
        if state is State.RUNNING and self.state is not State.RUNNING and not self.is_many:
            self.since = now
        # What failed stays in view, though others go on.
        self.state = next(iter(self.live.values()), State.FAILED if self.over[State.FAILED] else state)
        self.took = None if self.state is State.RUNNING else now - self.since
        self.note = note


def _row(plan: Plan, step: Step) -> _Row:
    blocks = [place.block.name for place in plan.chain(step.name) if isinstance(place.block, FanOut)]
    return _Row(step.nodes, plan.depth(step.name) > 0, blocks[-1] if blocks else None)


class _Raw:
    """Whole lines for the terminal as they are: laying out a flood of lines would be slower than the flood."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)


class LiveWriter:
    """See `screen.Writer`."""

    def __init__(self, plan: Plan, output: TextIO, *, color: bool) -> None:
        self._start = time.monotonic()
        self._rows = {step.name: _row(plan, step) for step in plan.steps}
        # Iterations by foreach: known of, and over.
        self._blocks: dict[str, tuple[int, int]] = {}
        self._drawn = 0.0
        self._console = Console(
            file=output,
            force_terminal=True,
            color_system="auto" if color else None,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        self._live = Live(
            console=self._console,
            get_renderable=self._table,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def write(self, text: str) -> None:
        self._console.print(_Raw(text), end="", soft_wrap=True)
        self._drawn = time.monotonic()

    def step(self, name: str, task: str, state: State, note: str) -> None:
        self._rows[name].change(task, state, note, time.monotonic())

    def progress(self, block: str, started: int, over: int) -> None:
        known, done = self._blocks.get(block, (0, 0))
        self._blocks[block] = (known + started, done + over)

    def tick(self) -> None:
        if time.monotonic() - self._drawn >= _REDRAW:
            self._live.refresh()
            self._drawn = time.monotonic()

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=4)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=None)
        # Two lines stay free: the count of what is not shown and the cursor.
        room = max(self._console.size.height - 3, 1)
        names = self._chosen(room)
        for name in names:
            row = self._rows[name]
            took = time.monotonic() - row.since if row.state is State.RUNNING else row.took
            table.add_row(
                Text(name),
                Text(duration(took) if took is not None else ""),
                Text(self._words(row), style=_STYLES[row.state]),
            )
        hidden = len(self._rows) - len(names)
        now = Text(duration(time.monotonic() - self._start), style="dim")
        if hidden:
            table.add_row(Text(f"and {hidden} more", style="dim"), now, Text(self._counts(), style="dim"))
        return table

    def _chosen(self, room: int) -> list[str]:
        if len(self._rows) <= room:
            return list(self._rows)
        ranked = sorted(self._rows, key=lambda name: _ORDER.index(self._rows[name].state))
        shown = set(ranked[: room - 1])
        return [name for name in self._rows if name in shown]

    def _counts(self) -> str:
        return ", ".join(
            _count(state, (row.state for row in self._rows.values())) for state in (State.DONE, State.WAITING)
        )

    def _words(self, row: _Row) -> str:
        if row.is_many and (row.live or row.over):
            return self._many(row)
        if row.state in (State.RETRYING, State.FAILED, State.ENDED):
            return row.note
        nodes = f" on {row.nodes} nodes" if row.state is State.RUNNING and row.nodes > 1 else ""
        return f"{row.state.value}{nodes}"

    def _many(self, row: _Row) -> str:
        counts = Counter(row.live.values()) + row.over
        words = [f"{counts[state]} {state.value}" for state in _ORDER if counts[state]]
        known, done = self._blocks.get(row.block or "", (0, 0))
        if known:
            words.insert(0, f"{done * 100 // known}% of {known}")
        return ", ".join(words)


def _count(state: State, states: Iterable[State]) -> str:
    return f"{sum(1 for other in states if other is state)} {state.value}"
