"""A store behind a network that breaks: nothing is lost, nothing is half there, one commit counts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowc.runtime import layout
from flowc.runtime.artifacts import fetch, publish
from flowc.runtime.commit import Commit, commit_done, read_commit, read_outputs, write_outputs
from flowc.runtime.errors import Stop
from flowc.runtime.store import Store, StoreError, cloud
from tests.engines.aws import server
from tests.engines.s3.buckets import new_bucket, objects, store_in
from tests.engines.s3.proxy import (
    Answer,
    Damaged,
    Fault,
    Lost,
    Proxy,
    Request,
    Reset,
    Script,
    Silent,
    Truncated,
)

Broken = Callable[[Script], tuple[Store, Proxy, str]]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broken]:
    """A store in a bucket of its own, behind a proxy with a script."""
    monkeypatch.setattr(cloud, "STALLED", "1s")
    monkeypatch.setattr(cloud, "STALLED_BULK", "1s")
    proxies: list[Proxy] = []

    def start(script: Script) -> tuple[Store, Proxy, str]:
        proxy = Proxy(server.moto_url(), script).__enter__()
        proxies.append(proxy)
        bucket = new_bucket()
        return store_in(bucket, monkeypatch, proxy.url), proxy, bucket

    yield start
    for proxy in proxies:
        proxy.__exit__(None, None, None)


def once(fault: Fault, when: Callable[[Request], bool] = lambda request: True, times: int = 1) -> Script:
    """The fault for the first requests of a kind."""
    left = [times]

    def script(request: Request) -> Fault | None:
        if left[0] and when(request):
            left[0] -= 1
            return fault
        return None

    return script


PASSING: list[Fault] = [
    Answer(500, "InternalError"),
    Answer(503, "SlowDown"),
    Answer(429, "TooManyRequests"),
    Answer(408, "RequestTimeout"),
    Answer(409, "OperationAborted"),
    Answer(412, "PreconditionFailed"),
    Reset(),
    Lost(),
    Silent(1.5),
]


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_every_request_outlives_a_fault_that_passes(broken: Broken, fault: Fault, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"small")
    large.write_bytes(random.Random(1).randbytes(20 << 20))
    calls: list[tuple[Callable[[Store], object], object]] = [
        (lambda store: store.put("put", b"1"), None),
        (lambda store: store.get("put"), b"1"),
        (lambda store: store.get("nothing"), None),
        (lambda store: store.put_new("new", b"1"), True),
        (lambda store: store.put_new("new", b"2"), False),
        (lambda store: [entry.key for entry in store.list("")], ["new", "put"]),
        (lambda store: store.upload("small", small), None),
        (lambda store: store.upload("large", large), None),
        (lambda store: store.download("large", tmp_path / "copy") is not None, True),
    ]
    faults: list[Fault] = []
    store, _, bucket = broken(lambda request: faults.pop() if faults else None)

    for call, expected in calls:
        faults.append(fault)
        assert call(store) == expected
        assert faults == [], "the fault was met"

    held = objects(bucket)
    assert held["some/prefix/new"] == b"1"
    assert held["some/prefix/large"] == large.read_bytes() == (tmp_path / "copy").read_bytes()


@pytest.mark.parametrize("fault", [Truncated(), Lost(), Reset()], ids=repr)
@pytest.mark.parametrize("size", [300_000, 20 << 20])
def test_a_body_that_breaks_off_is_fetched_again(broken: Broken, tmp_path: Path, fault: Fault, size: int) -> None:
    data = random.Random(2).randbytes(size)
    store, _, _ = broken(once(fault, lambda request: request.method == "GET", times=2))
    store.put("blob", data)

    assert store.get("blob") == data

    store, _, _ = broken(once(fault, lambda request: request.method == "GET", times=2))
    store.put("blob", data)
    assert store.download("blob", tmp_path / "file") is not None
    assert (tmp_path / "file").read_bytes() == data


def test_large_objects_come_in_ranges_that_break_one_by_one(
    broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "_RANGED", 8 << 20)
    data = random.Random(3).randbytes((40 << 20) + 7)
    rng = random.Random(4)
    kinds: list[Fault | None] = [Truncated(), Reset(), Answer(500), None, None]
    store, proxy, _ = broken(lambda request: rng.choice(kinds) if request.method == "GET" else None)
    (tmp_path / "source").write_bytes(data)
    store.upload("blob", tmp_path / "source")

    assert store.download("blob", tmp_path / "file") is not None

    assert (tmp_path / "file").read_bytes() == data
    assert sum(request.method == "GET" for request in proxy.seen) >= 6


def test_damage_on_the_way_is_noticed_and_a_whole_copy_asked_for(broken: Broken, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    store, _, _ = broken(once(Damaged(), lambda request: request.method == "GET", times=2))
    artifact = publish(store, "demo", "file", tmp_path / "file", "output 'x'")

    assert fetch(store, "demo", artifact, tmp_path / "in").read_bytes() == b"x" * 1000


def test_damage_that_stays_is_never_handed_on(broken: Broken, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    store, _, _ = broken(lambda request: Damaged() if request.method == "GET" else None)
    artifact = publish(store, "demo", "file", tmp_path / "file", "output 'x'")

    with pytest.raises(Stop, match=r"wrong bytes for the blob .*remove its object demo/blobs/sha256/"):
        fetch(store, "demo", artifact, tmp_path / "in")

    assert list((tmp_path / "in").iterdir()) == []


# --- create-only puts -------------------------------------------------------------------------------------------------


def creating(request: Request) -> bool:
    return request.creates


def test_a_create_whose_reply_was_lost_is_known_for_ones_own(broken: Broken) -> None:
    store, _, bucket = broken(once(Lost(), creating))

    assert store.put_new("commit", b"mine")

    assert objects(bucket) == {"some/prefix/commit": b"mine"}


def test_a_create_whose_reply_was_lost_after_another_won_is_known_to_have_lost(broken: Broken) -> None:
    store, _, bucket = broken(once(Lost(), creating, times=1))
    store.put("commit", b"the other's")

    assert not store.put_new("commit", b"mine")

    assert objects(bucket) == {"some/prefix/commit": b"the other's"}


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_over_a_name_that_stays_free_is_tried_again(broken: Broken, status: int) -> None:
    """S3 answers 409 where another request for the key is under way, even if that one then fails."""
    store, _, _ = broken(once(Answer(status, "ConditionalRequestConflict"), creating, times=3))

    assert store.put_new("commit", b"mine")
    assert store.get("commit") == b"mine"


def test_equal_bytes_of_another_do_not_make_a_plain_no_a_yes(broken: Broken) -> None:
    store, _, _ = broken(lambda request: None)
    store.put("key", b"same")

    assert not store.put_new("key", b"same")


@pytest.mark.parametrize("seed", range(6))
def test_of_many_attempts_behind_a_bad_network_one_commit_counts_for_all(broken: Broken, seed: int) -> None:
    rng = random.Random(seed)
    kinds: list[Fault | None] = [*PASSING[:-1], None, None, None, None, None, None, None, None]
    store, _, bucket = broken(lambda request: rng.choice(kinds))
    barrier = threading.Barrier(6)

    def attempt(number: int) -> Commit:
        name = f"attempt{number}"
        outputs = {"x": {"type": "int", "value": number}}
        digest = write_outputs(store, "demo", "run", "step", name, outputs)
        barrier.wait()
        return commit_done(store, "demo", "run", "step", name, digest)

    with ThreadPoolExecutor(6) as pool:
        commits = list(pool.map(attempt, range(6)))

    assert len(set(map(repr, commits))) == 1, "everybody sees the same commit"
    winner = commits[0]
    assert read_commit(store, "demo", "run", "step") == winner
    value = read_outputs(store, "demo", "step", winner)["x"]["value"]
    assert winner.attempt == f"attempt{value}"
    assert sum(key.endswith("commit.json") for key in objects(bucket)) == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_folder_travels_whole_through_a_bad_network(broken: Broken, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kinds: list[Fault | None] = [*PASSING[:-1], Truncated(), *[None] * 30]
    store, _, bucket = broken(lambda request: rng.choice(kinds))
    folder = tmp_path / "made"
    (folder / "deep/er").mkdir(parents=True)
    contents = {f"deep/{number}": rng.randbytes(rng.choice([0, 10, 4096, 300_000])) for number in range(60)}
    contents["deep/er/large"] = rng.randbytes(9 << 20)
    for name, data in contents.items():
        (folder / name).write_bytes(data)

    artifact = publish(store, "demo", "dir", folder, "output 'x'")
    copy = fetch(store, "demo", artifact, tmp_path / "in")

    found = {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert found == contents
    blobs = {key for key in objects(bucket) if "/blobs/" in key}
    assert len(blobs) == len(set(contents.values())) + 1, "equal content is stored once, and nothing else lies there"


# --- faults that stay -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            Answer(403, "AccessDenied"),
            r"access is denied \(AccessDenied\); the bucket's policy must allow s3:GetObject",
        ),
        (
            Answer(403, "InvalidAccessKeyId"),
            r"the credentials are not accepted \(InvalidAccessKeyId\); set AWS_ACCESS_KEY",
        ),
        (Answer(403, "RequestTimeTooSkewed"), "this machine's clock is wrong"),
        (Answer(400, "ExpiredToken"), "the credentials have expired"),
        (Answer(404, "NoSuchBucket"), "there is no bucket bucket-"),
        (Answer(301, "PermanentRedirect"), "is in another region; set AWS_REGION"),
        (Answer(400, "AuthorizationHeaderMalformed"), "is in another region; set AWS_REGION"),
    ],
    ids=repr,
)
def test_what_does_not_pass_is_told_at_once_with_its_remedy(broken: Broken, fault: Fault, said: str) -> None:
    store, proxy, _ = broken(lambda request: fault)
    calls: list[Callable[[], object]] = [
        lambda: store.get("key"),
        lambda: store.put("key", b""),
        lambda: store.put_new("key", b""),
        lambda: list(store.list("")),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=said):
            call()
    assert len(proxy.seen) == len(calls), "none is repeated"


def test_a_server_without_create_only_puts_is_told_apart(broken: Broken) -> None:
    store, _, _ = broken(once(Answer(501, "NotImplemented"), creating, times=100))

    with pytest.raises(StoreError, match="does not know create-only puts"):
        store.put_new("key", b"")


@pytest.mark.parametrize("fault", [Answer(500, "InternalError"), Reset()], ids=repr)
def test_an_outage_is_waited_for_within_a_bound(broken: Broken, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    _, proxy, bucket = broken(lambda request: fault)
    store = store_in(bucket, monkeypatch, proxy.url, patience=1)
    calls: list[Callable[[], object]] = [
        lambda: store.get("key"),
        lambda: store.put("key", b""),
        lambda: store.put_new("key", b""),
        lambda: list(store.list("")),
    ]
    for call in calls:
        before = len(proxy.seen)
        with pytest.raises(StoreError, match=r"^cannot (read|write|list) the store s3://[^\n]*$"):
            call()
        assert len(proxy.seen) - before > 2


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_in("bucket", monkeypatch, "http://127.0.0.1:9", patience=0.5)

    with pytest.raises(StoreError, match=r"no answer from 127.0.0.1:9 \(connection refused\)"):
        store.put(layout.run_key("demo", "run"), b"")


def test_an_upload_that_is_called_off_leaves_nothing(broken: Broken, tmp_path: Path) -> None:
    def call_off() -> None:
        raise Stop(64, "it changed")

    store, _, bucket = broken(lambda request: None)
    for size in (1000, 20 << 20):
        (tmp_path / "file").write_bytes(b"x" * size)
        with pytest.raises(Stop, match="it changed"):
            store.upload("blob", tmp_path / "file", call_off)
    assert objects(bucket) == {}
