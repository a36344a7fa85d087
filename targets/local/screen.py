"""What a run shows while it goes on, written by a thread of its own.

The engine calls `say`, `lines`, `task` and `news`, none of which ever waits, so a terminal that is stopped or slow
cannot keep it from ending processes. While more than `HIGH_WATER` characters wait, `is_full` is true and the engine
stops reading the steps' output: they then wait for the reader, as they would on a pipe. `close` writes what is left.

Two looks: plain lines with the elapsed time, or a live table under the scrolling lines (`live.py`, on terminals). Of a
step that runs many times only failures and retries have lines of their own; the loop says how far it is.
A reader that went away (a closed pipe) ends the showing, not the run; the log files are complete in any case.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO, TypeAlias

from flowc.runtime.layout import instance_name, ix_of
from flowc.runtime.plan import FanOut, Plan

from .instances import MANY, News, Progress, Task
from .lines import without_color
from .options import RunOptions
from .scheduler import State

HIGH_WATER = 2 << 20
_TICK = 0.25
_COLORS = ("36", "33", "35", "32", "34", "96", "93", "95")


@dataclass(frozen=True, slots=True)
class Style:
    """How to write to this output."""

    color: bool
    live: bool


def style_of(output: TextIO, options: RunOptions, env: Mapping[str, str]) -> Style:
    """NO_COLOR wins over FORCE_COLOR (no-color.org); what the options say wins over both."""
    terminal = output.isatty() and env.get("TERM") != "dumb"
    color = not env.get("NO_COLOR") and (terminal or env.get("FORCE_COLOR", "0") not in ("", "0"))
    return Style(
        color=color if options.color is None else options.color,
        live=terminal if options.live is None else options.live,
    )


class Writer(Protocol):
    """A look. Called from the screen's thread only."""

    def write(self, text: str) -> None:
        """Text of whole lines."""

    def step(self, name: str, task: str, state: State, note: str) -> None:
        """`task` is the instance of the step `name`."""

    def progress(self, block: str, started: int, over: int) -> None:
        """So many more iterations of a foreach, in all its instances, are known of and are over."""

    def tick(self) -> None: ...

    def close(self) -> None: ...


class PlainWriter:
    """Lines as they come."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def write(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()

    def step(self, name: str, task: str, state: State, note: str) -> None:
        pass

    def progress(self, block: str, started: int, over: int) -> None:
        pass

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    task: str
    state: State
    note: str


@dataclass(frozen=True, slots=True)
class _Advance:
    block: str
    started: int
    over: int


_Item: TypeAlias = _Text | _Change | _Advance


class Screen:
    """The engine's side. `on_room` is called, from the thread, when a full screen has room again."""

    def __init__(self, plan: Plan, output: TextIO, style: Style, on_room: Callable[[], None] = lambda: None) -> None:
        self._start = time.monotonic()
        self._output = output
        self._last_words = ""
        self._style = style
        self._live = style.live
        # The indexes of most loops have one figure or two.
        self._width = max((len(step.name) + 4 * plan.depth(step.name) for step in plan.steps), default=0)
        self._colors = {step.name: _COLORS[index % len(_COLORS)] for index, step in enumerate(plan.steps)}
        self._told: dict[tuple[str, tuple[int, ...]], int] = {}
        self._on_room = on_room
        self._items: deque[_Item] = deque()
        self._waiting = 0
        self._closing = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(_writer(plan, output, style),), daemon=True)
        self._thread.start()

    @property
    def is_full(self) -> bool:
        return self._waiting > HIGH_WATER

    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """A message of the engine itself."""
        self._put(_Text(text + "\n"))

    def task(self, task: Task, state: State, note: str, *, always: bool = False) -> None:
        """A task changed; the table shows it, plain output says it. `always`: worth a line on a terminal as well."""
        self._put(_Change(task.node.name, task.name, state, note))
        if always or not (self._live or task.is_quiet):
            color = {State.FAILED: "31", State.RETRYING: "33", State.DONE: "32"}.get(state)
            self._line(task.name, self._paint(note, color) if color else note)

    def news(self, news: News) -> None:
        """What has become of a block."""
        if not isinstance(news, Progress):
            for name in news.steps:
                self._put(_Change(name, name, State.SKIPPED, ""))
                if not self._live:
                    self._line(name, State.SKIPPED.value)
            return
        is_foreach = isinstance(news.block, FanOut)
        if is_foreach:
            self._put(_Advance(news.block.name, 0 if news.done else news.total, 1 if news.done else 0))
        if news.total <= MANY or self._live:
            return
        # A line for each tenth. Told of at the end, a loop is forgotten.
        key = (news.block.name, news.path)
        tenth = news.done * 10 // news.total
        if tenth > self._told.get(key, 0):
            self._told[key] = tenth
            what = f"{news.done} of {news.total} done" if is_foreach else f"turn {news.done} of at most {news.total}"
            name = instance_name(news.block.name, ix_of(news.path))
            self._line(f"{'foreach ' if is_foreach else ''}{name}", what)
        if news.done == news.total:
            self._told.pop(key, None)

    def _line(self, name: str, words: str) -> None:
        self.say(f"{duration(self.elapsed()):>7}  {name:<{self._width}}  {words}")

    def lines(self, task: Task, node: int, lines: list[str]) -> None:
        """Output of a node."""
        label = task.name
        if task.nodes > 1:
            label += f" node {node}" if task.path else f"[{node}]"
        prefix = self._paint(f"{label} |", self._colors[task.node.name]) + " "
        text = "".join([f"{prefix}{line}\n" for line in lines])
        self._put(_Text(text if self._style.color else without_color(text)))

    def close(self, last_words: Sequence[str] = (), timeout: float | None = None) -> None:
        """Show what is left, then `last_words`, below the table; wait at most `timeout` seconds for the reader."""
        with self._condition:
            self._closing = True
            self._last_words = "".join(f"{line}\n" for line in last_words)
            self._condition.notify()
        self._thread.join(timeout)

    def _paint(self, text: str, color: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self._style.color else text

    def _put(self, item: _Item) -> None:
        with self._condition:
            self._items.append(item)
            if isinstance(item, _Text):
                self._waiting += len(item.text)
            self._condition.notify()

    def _run(self, make_writer: Callable[[], Writer]) -> None:
        writer: Writer | None = None
        with contextlib.suppress(Exception):
            writer = make_writer()
        while True:
            with self._condition:
                if not self._items and not self._closing:
                    self._condition.wait(_TICK if self._live else None)
                items = list(self._items)
                self._items.clear()
                ended = self._closing and not items
            if writer is not None:
                try:
                    _show(writer, items)
                    if ended:
                        writer.close()
                        self._output.write(self._last_words)
                        self._output.flush()
                except Exception:  # the reader is gone or the terminal is odd: the run goes on without showing
                    with contextlib.suppress(Exception):
                        writer.close()
                    writer = None
            with self._condition:
                was_full = self.is_full
                self._waiting -= sum(len(item.text) for item in items if isinstance(item, _Text))
                has_room = was_full and not self.is_full
            if has_room:
                self._on_room()
            if ended:
                return


def _show(writer: Writer, items: list[_Item]) -> None:
    texts = []
    for item in items:
        match item:
            case _Text():
                texts.append(item.text)
            case _Change():
                writer.step(item.name, item.task, item.state, item.note)
            case _Advance():
                writer.progress(item.block, item.started, item.over)
    if texts:
        writer.write("".join(texts))
    else:
        writer.tick()


def _writer(plan: Plan, output: TextIO, style: Style) -> Callable[[], Writer]:
    def make() -> Writer:
        if not style.live:
            return PlainWriter(output)
        from .live import LiveWriter  # rich takes a tenth of a second to load

        return LiveWriter(plan, output, color=style.color)

    return make


def duration(seconds: float) -> str:
    """`3.2s`, `2m05s`, `1h02m`."""
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
