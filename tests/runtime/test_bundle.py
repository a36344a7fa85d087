"""Unpacking a code bundle: what a bundle of ours holds arrives, what it never holds is refused before it is written."""

from __future__ import annotations

import io
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from flowc.runtime import layout
from flowc.runtime.bundle import fetch_bundle
from flowc.runtime.errors import Stop
from flowc.runtime.plan import PLAN_FILE, Plan, dump
from flowc.runtime.store import open_store

PLAN = Plan("demo", "demo.flow", None, (), ())


def unpack(root: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    buffer = io.BytesIO()
    plan = tarfile.TarInfo(PLAN_FILE)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member, data in ((plan, dump(PLAN).encode()), *members):
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    digest = sha256(buffer.getvalue()).hexdigest()
    store = open_store(str(root / "store"))
    store.put(layout.bundle_key("demo", digest), buffer.getvalue())
    code = root / "node" / "code"
    code.parent.mkdir()
    assert fetch_bundle(store, "demo", digest, code) == PLAN
    return code


def member(name: str, type_: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, link, mode
    return info


def test_files_folders_links_and_modes_arrive(tmp_path: Path) -> None:
    code = unpack(
        tmp_path,
        (member("lib/run.sh", mode=0o755), b"x"),
        (member("lib/up", tarfile.SYMTYPE, "../top"), b""),
        (member("top"), b"top"),
    )

    assert (code / "lib/run.sh").stat().st_mode & 0o777 == 0o755
    assert (code / "lib/up").read_text() == "top"
    assert not code.with_suffix(".tar").exists()


def test_a_link_through_a_link_leads_nowhere_either(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="lies outside"):
        unpack(
            tmp_path,
            (member("p/q/a", tarfile.SYMTYPE, "d/../.."), b""),
            (member("p/q/d", tarfile.SYMTYPE, "../.."), b""),
            (member("p/q/a/evil"), b""),
        )
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil"),
        member("a/../../evil"),
        member("/tmp/evil"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("a/link", tarfile.SYMTYPE, "../../evil"),
        member("hard", tarfile.LNKTYPE, PLAN_FILE),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
    ],
)
def test_what_could_leave_the_folder_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with pytest.raises(Stop) as stop:
        unpack(tmp_path, (bad, b""))

    assert stop.value.code == 64
    assert "cannot be unpacked" in stop.value.message
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "node/evil").exists()
