"""From a plan and options to an exit code: prepares a run, lets the engine run it, and says how it ended.

The code bundle goes into the store before `run.json` exists, so that every run on record can run; the run's id is
claimed by the create-only put of that record. Refuses (exit code 2, one message on standard error) what cannot start:
parameters that do not fit, a store or folder that cannot be written, options out of range.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, cast

from flowc.compiler.bundle import Bundle, BundleError
from flowc.runtime import layout
from flowc.runtime.errors import Stop
from flowc.runtime.plan import Json, Plan
from flowc.runtime.run_record import complete_params, end_run, start_run
from flowc.runtime.store import Store, StoreError, open_store

from .attempt import Command, Place, runtime_command
from .engine import Engine
from .interrupts import Interrupts
from .machine import Machine, machine, notes, on_local
from .options import RunOptions
from .outcome import Outcome
from .output import Direct
from .scheduler import Scheduler
from .screen import Screen, duration, style_of
from .summary import allowed_lines, failure_lines, make_private, output_lines, shown_path

_FOLDER = ".flowc"
# The store's garbage collection takes what nothing refers to for seven days; what is older than this is written anew.
_TRUSTED_AGE = 3 * 24 * 3600.0
# An interrupted run is gone within 5 s, even if its store is out of order or nobody reads its output.
_PATIENCE = 1.0


class _CannotStart(Exception):
    pass


def launch(
    plan: Plan,
    bundle: Bundle,
    params: Mapping[str, Json],
    options: RunOptions,
    *,
    command: Command = runtime_command,
) -> int:
    """See `flowc.targets.local.run`."""
    try:
        options = _settled(plan, options)
        of = machine(options.cpus, os.environ)
        place = _prepare(plan, bundle, params, options)
    except (_CannotStart, BundleError, StoreError, Stop, OSError) as error:
        print(f"flowc: cannot start the run: {error}", file=sys.stderr)  # noqa: T201 (the only words before a screen)
        return 2
    except KeyboardInterrupt:
        print("flowc: interrupted before the run began", file=sys.stderr)  # noqa: T201 - no screen is there yet
        return 130
    # What was written through sys.stdout so far must come first.
    output = cast("TextIO", Direct(sys.stdout))
    with Interrupts() as interrupts:
        screen = Screen(plan, output, style_of(output, options, os.environ), on_room=interrupts.poke)
        scheduler = Scheduler(plan, of, options.jobs)
        _announce(plan, place, of, screen)
        outcome: Outcome | None = None
        last_words: list[str] = []
        try:
            outcome = Engine(plan, place, scheduler, screen, interrupts, command).run()
            _record_end(plan, place, outcome)
            last_words = _last_words(plan, place, scheduler, outcome, screen.elapsed())
        finally:
            hurried = outcome is None or outcome.signal is not None
            screen.close(last_words, _PATIENCE if hurried else None)
    if outcome.signal is not None:
        return 128 + outcome.signal
    return 0 if outcome.succeeded else 1


def _settled(plan: Plan, options: RunOptions) -> RunOptions:
    """The options with what the flow's `on local` says where they say nothing."""
    if options.jobs is not None and options.jobs < 1:
        raise _CannotStart(f"at least one step must run at a time, not {options.jobs}")
    if options.cpus is not None and not 0 < options.cpus < float("inf"):
        raise _CannotStart(f"the number of cores must be above 0, not {options.cpus:g}")
    here = on_local(plan.on)
    jobs, cpus = here.get("jobs"), here.get("cpus")
    assert jobs is None or isinstance(jobs, int)
    assert cpus is None or isinstance(cpus, int | float)
    return replace(
        options,
        jobs=jobs if options.jobs is None else options.jobs,
        cpus=cpus if options.cpus is None else options.cpus,
    )


def _prepare(plan: Plan, bundle: Bundle, params: Mapping[str, Json], options: RunOptions) -> Place:
    values = complete_params(plan.params, params)
    home = Path.cwd() / _FOLDER
    make_private(home)
    store = open_store(options.store if options.store is not None else str(home / "store"))
    key = layout.bundle_key(plan.flow, bundle.digest)
    age = store.age(key)
    if age is None or age > _TRUSTED_AGE:
        with tempfile.NamedTemporaryFile(dir=home, prefix="bundle-") as file:
            bundle.write_to(file)
            file.flush()
            store.upload(key, Path(file.name))
    run = _claim_run(store, plan, values, bundle.digest)
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    flow_folder = options.source_path.parent if options.source_path is not None else Path()
    return Place(store, plan.flow, run, bundle.digest, folder, flow_folder)


def _claim_run(store: Store, plan: Plan, values: Mapping[str, Json], digest: str) -> str:
    for _ in range(20):
        run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        if start_run(store, plan, run, values, "local", digest):
            return run
    raise _CannotStart(f"the store {store.url} says of every new run id that it is taken")


def _announce(plan: Plan, place: Place, of: Machine, screen: Screen) -> None:
    screen.say(f"flow {plan.flow}, run {place.run}")
    screen.say(f"steps use the present Python ({sys.executable}); `image` does not count on this machine")
    for note in notes(plan, of):
        screen.say(note)


def _record_end(plan: Plan, place: Place, outcome: Outcome) -> None:
    """Write `end.json`. An interrupted run waits only shortly: somebody wants to have their terminal back."""
    status = "succeeded" if outcome.succeeded else "failed"

    def write() -> None:
        # Every commit is in the store already; a run without its end on record is one whose end nobody saw.
        with contextlib.suppress(StoreError):
            end_run(place.store, plan.flow, place.run, status, outcome.failed_step)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(_PATIENCE if outcome.signal is not None else None)


def _last_words(plan: Plan, place: Place, scheduler: Scheduler, outcome: Outcome, seconds: float) -> list[str]:
    lines: list[str] = []
    for failure in outcome.failures:
        lines += ["", *failure_lines(failure)]
    if outcome.failures:
        lines.append("")
    elif outcome.succeeded:
        lines += output_lines(plan, place, scheduler.tallies)
    lines += allowed_lines(scheduler.tallies)
    if outcome.survivors:
        pids = ", ".join(map(str, outcome.survivors))
        lines.append(f"these processes could not be ended, not even by SIGKILL: {pids}")
    logs = shown_path(place.folder)
    if outcome.signal is not None:
        progress = _progress(plan, scheduler)
        return [*lines, f"run {place.run} was interrupted after {duration(seconds)}, {progress}; its logs: {logs}"]
    word = "succeeded" if outcome.succeeded else "failed"
    tasks = f", {_progress(plan, scheduler)}" if any(plan.depth(step.name) for step in plan.steps) else ""
    return [
        *lines,
        f"run {place.run} {word} after {duration(seconds)}{tasks}; logs: {logs}; artifacts: {_store_text(place.store)}",
    ]


def _progress(plan: Plan, scheduler: Scheduler) -> str:
    done = sum(tally.done for tally in scheduler.tallies.values())
    if any(plan.depth(step.name) for step in plan.steps):
        return f"{done} task{'' if done == 1 else 's'} done"
    return f"{done} of {len(plan.steps)} steps done"


def _store_text(store: Store) -> str:
    root = getattr(store, "root", None)
    return shown_path(root) if isinstance(root, Path) else store.url
