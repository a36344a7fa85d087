"""Which attempt counts: commits, sealed absences, control values."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowc.runtime import layout
from flowc.runtime.commit import MAX_COMMIT, Commit, commit_done, commit_failed, read_commit, seal
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.plan import Json
from flowc.runtime.store import Store, open_store

TASK = ("demo", "run", "step")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def test_a_zombie_that_comes_after_its_absence_was_sealed_has_lost(store: Store) -> None:
    assert read_commit(store, *TASK) is None

    sealed = seal(store, *TASK, "no attempt was left")
    zombie = commit_done(store, *TASK, "zombie", "0" * 64)

    assert sealed == zombie == read_commit(store, *TASK)
    assert sealed == Commit("failed", "run", "", "", {}, "no attempt was left")


def test_what_has_a_commit_is_not_sealed(store: Store) -> None:
    done = commit_done(store, *TASK, "a1", "0" * 64)

    assert seal(store, *TASK, "too late") == done
    assert seal(store, *TASK, "too late").status == "done"


def test_an_attempt_and_those_who_seal_agree(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        seals = [pool.submit(seal, store, *TASK, f"consumer {number}") for number in range(4)]
        attempts = [pool.submit(commit_done, store, *TASK, f"a{number}", "0" * 64) for number in range(4)]
        found = [future.result() for future in seals + attempts]

    assert len({repr(commit) for commit in found}) == 1


def test_a_failure_for_good_is_a_commit(store: Store) -> None:
    failed = commit_failed(store, *TASK, "a1", "exit code 3")

    assert (failed.status, failed.attempt, failed.reason) == ("failed", "a1", "exit code 3")
    assert commit_done(store, *TASK, "a2", "0" * 64) == failed


def test_a_commit_carries_control_values_and_may_point_at_another_run(store: Store) -> None:
    control: dict[str, Json] = {"items": [0, 1, 2], "again": False, "name": 'é\n"{{x}}"'}

    commit = commit_done(store, *TASK, "a1", "0" * 64, control, of_run="earlier")

    assert read_commit(store, *TASK) == commit == Commit("done", "earlier", "a1", "0" * 64, control)


def test_a_commit_is_at_most_64_kib(store: Store) -> None:
    at_most: list[Json] = list(range(11_000))
    assert commit_done(store, *TASK, "a1", "0" * 64, {"items": at_most}).control == {"items": at_most}
    assert len(store.get(layout.commit_key(*TASK)) or b"") <= MAX_COMMIT

    with pytest.raises(Stop, match=r"what 'other' decides takes .* bytes") as stop:
        commit_done(store, "demo", "run", "other", "a1", "0" * 64, {"items": list(range(20_000))})

    assert stop.value.code == BAD_PLAN
    assert read_commit(store, "demo", "run", "other") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b'{"version": 99}',
        json.dumps({"version": 1, "status": "odd", "run": "", "attempt": ""}).encode(),
    ],
)
def test_what_is_no_commit_is_not_taken_for_one(store: Store, data: bytes) -> None:
    store.put(layout.commit_key(*TASK), data)

    with pytest.raises(Stop, match="is no commit") as stop:
        read_commit(store, *TASK)
    assert stop.value.code == STORE
