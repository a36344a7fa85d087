"""The reader of a run's values: parameters from the run's record, outputs and control values from commits.

`StoreReader` is what `flowc.runtime.evaluate` asks, see its `Reader`. One instance belongs to one task instance and
remembers each answer, so that its answers agree with each other. They agree with other tasks' answers too, because what
may be missing is sealed: where there is no commit, `failed` is written before "absent" is said, and an attempt that
comes back later finds that it has lost. Refuses with `Stop` a step that has not committed though it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flowc.runtime import layout, plan
from flowc.runtime.artifacts import Artifact
from flowc.runtime.commit import Commit, Outputs, read_commit, read_outputs, seal
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.evaluate import Path
from flowc.runtime.run_record import Run, read_status
from flowc.runtime.store import Store
from flowc.runtime.values import from_json, is_blob

# Instances read at once, and the fewest for which it is worth starting threads.
_PARALLEL = 16
_WORTH_IT = 4


class StoreReader:
    """`own` are the outputs of the reader's own instance, which it has not committed yet."""

    def __init__(
        self, of: plan.Plan, run: Run, store: Store, task: str, ix: str = "", own: Outputs | None = None
    ) -> None:
        self._run = run
        self._store = store
        self._name = layout.instance_name(task, ix)
        # In `finally` nothing runs any more, so whatever has no commit will never have one.
        self._final = of.is_final(task)
        self._types = {param.name: param.type for param in of.params}
        self._commits: dict[tuple[str, str], Commit | None] = {}
        self._outputs: dict[tuple[str, str], Outputs] = {} if own is None else {(task, ix): own}
        # A fan-out's list may be long, and each of its items may ask for all of it.
        self._params: dict[str, Any] = {}
        self._values: dict[tuple[str, str, str], Any] = {}
        self._status: Mapping[str, str] | None = None

    def expect(self, instances: Iterable[tuple[str, Path]]) -> None:
        """Bring commits and outputs at once: one by one they would cost the store's latency each."""
        wanted = {(task, layout.ix_of(path)) for task, path in instances} - self._commits.keys()
        if len(wanted) < _WORTH_IT:
            return

        def bring(instance: tuple[str, str]) -> tuple[Commit | None, Outputs | None]:
            commit = read_commit(self._store, self._run.flow, self._run.run, *instance)
            if commit is None or commit.status != "done" or not commit.outputs or instance in self._outputs:
                return commit, None
            return commit, read_outputs(self._store, self._run.flow, instance[0], commit, instance[1])

        with ThreadPoolExecutor(_PARALLEL) as pool:
            for instance, (commit, outputs) in zip(wanted, pool.map(bring, wanted), strict=True):
                self._commits[instance] = commit
                if outputs is not None:
                    self._outputs[instance] = outputs

    def param(self, name: str) -> Any:
        if name not in self._params:
            self._params[name] = from_json(self._types[name], self._run.params[name])
        return self._params[name]

    def run_value(self, name: str) -> str:
        if name == "id":
            return self._run.run
        if self._status is None:
            status = read_status(self._store, self._run.flow, self._run.run)
            if status is None:
                raise plan.PlanError(f"run.{name} is not known before the end of the run")
            self._status = {"status": status.status, "failed_step": status.failed_step}
        return self._status[name]

    def has_outputs(self, step: str, path: Path) -> bool:
        ix = layout.ix_of(path)
        if (step, ix) in self._outputs:
            return True
        commit = self._commit(step, ix, sealing=True)
        return commit is not None and commit.status == "done"

    def output(self, step: str, path: Path, output: str, *, each: bool) -> Any:
        ix = layout.ix_of(path)
        if (step, ix, output) not in self._values:
            name = layout.instance_name(step, ix)
            outputs = self._outputs_of(step, ix, name)
            if output not in outputs or each != ("each" in outputs[output]):
                raise Stop(BAD_PLAN, f"step {name!r} committed no output {output!r}{' of each node' if each else ''}")
            record = outputs[output]
            self._values[step, ix, output] = list(map(_value_of, record["each"])) if each else _value_of(record)
        return self._values[step, ix, output]

    def control(self, task: str, path: Path, name: str) -> Any:
        ix = layout.ix_of(path)
        commit = self._commit(task, ix, sealing=self._final)
        if commit is None or commit.status != "done":
            return None
        if name not in commit.control:
            raise plan.PlanError(f"{layout.instance_name(task, ix)!r} has not recorded the control value {name!r}")
        return commit.control[name]

    def _commit(self, task: str, ix: str, *, sealing: bool) -> Commit | None:
        """`failed` or `done` never change; that there is none may, unless it was sealed."""
        found = self._commits.get((task, ix))
        if found is None and (sealing or (task, ix) not in self._commits):
            flow, run = self._run.flow, self._run.run
            if sealing:
                found = seal(self._store, flow, run, task, f"not done when {self._name!r} asked for it", ix=ix)
            else:
                found = read_commit(self._store, flow, run, task, ix)
            self._commits[task, ix] = found
        return found

    def _outputs_of(self, step: str, ix: str, name: str) -> Outputs:
        if (step, ix) not in self._outputs:
            commit = self._commit(step, ix, sealing=False)
            if commit is None:
                raise Stop(BAD_PLAN, f"step {name!r} has not committed, and {self._name!r} needs its outputs")
            if commit.status != "done":
                reason = f" ({commit.reason})" if commit.reason else ""
                raise Stop(BAD_PLAN, f"step {name!r} has failed{reason}, and {self._name!r} needs its outputs")
            self._outputs[step, ix] = read_outputs(self._store, self._run.flow, step, commit, ix)
        return self._outputs[step, ix]


def _value_of(record: Mapping[str, Any]) -> Any:
    if is_blob(record["type"]):
        return Artifact(record["type"], record["blob"], record["size"], record["name"])
    return from_json(record["type"], record["value"])
