"""What the live table says of steps that run many times."""

from __future__ import annotations

import io
import re

from flowc.runtime.plan import BEGIN, Decided, FanOut, FromParam, Plan
from flowc.targets.local.live import LiveWriter
from flowc.targets.local.scheduler import State

from .support import step


def drawn(*changes: tuple[str, State], over: int) -> list[str]:
    """The last table of a flow with a foreach of four items, its lines without blanks at the end."""
    fan = FanOut("i", 1, "", FromParam("items"), None, Decided(BEGIN, "i"), (), (step("many"),))
    output = io.StringIO()
    writer = LiveWriter(Plan("demo", "demo.flow", None, (), (fan, step("one"))), output, color=False)
    writer.progress("i", 4, 0)
    for task, state in changes:
        writer.step(task.partition("[")[0], task, state, "a note")
    writer.progress("i", 0, over)
    writer.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())
    return [line.rstrip() for line in text.splitlines() if line.strip()][-2:]


def test_a_step_in_a_foreach_has_one_row_with_how_far_it_is() -> None:
    many, one = drawn(
        ("many[0]", State.RUNNING),
        ("many[1]", State.RUNNING),
        ("many[0]", State.DONE),
        ("many[2]", State.RUNNING),
        ("many[2]", State.RETRYING),
        over=1,
    )
    assert re.fullmatch(r"many +\d\.\ds +25% of 4, 1 running, 1 retrying, 1 done", many)
    assert re.fullmatch(r"one +waiting", one)


def test_what_failed_stays_in_view() -> None:
    many, _ = drawn(("many[0]", State.RUNNING), ("many[0]", State.FAILED), ("many[1]", State.DONE), over=2)
    assert many.endswith("50% of 4, 1 failed, 1 done")
