"""The code bundle on a node: fetch it from the store, check it, unpack it.

The bundle is an uncompressed tar of the flow's folder with the plan inside, named by its sha256: what runs is exactly
what was compiled.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from flowc.runtime import layout
from flowc.runtime.artifacts import digest_of
from flowc.runtime.errors import BAD_PLAN, STORE, Stop
from flowc.runtime.plan import PLAN_FILE, Plan, PlanError, load
from flowc.runtime.store import Store


def fetch_bundle(store: Store, flow: str, digest: str, code: Path) -> Plan:
    """Unpack the bundle into the folder `code` and give its plan; `Stop` when it is missing or damaged."""
    archive = _download(store, flow, digest, code.with_suffix(".tar"))
    try:
        with tarfile.open(archive) as tar:
            # Python 3.12 and later want to be told who checks.
            tar.extraction_filter = lambda member, _: member
            for member in tar:
                _check(member, code.resolve())
                tar.extract(member, code)
    except (tarfile.TarError, ValueError) as error:
        raise Stop(BAD_PLAN, f"the code bundle {digest[:12]}… cannot be unpacked: {error}") from None
    archive.unlink()
    try:
        return _plan(flow, (code / PLAN_FILE).read_bytes())
    except FileNotFoundError:
        raise _no_plan(digest) from None


def fetch_plan(store: Store, flow: str, digest: str, folder: Path) -> Plan:
    """The plan alone, for a task without a body; the bundle is brought to `folder` and not unpacked."""
    archive = _download(store, flow, digest, folder / "code.tar")
    try:
        with tarfile.open(archive) as tar:
            member = next((member for member in tar if member.name == PLAN_FILE), None)
            file = tar.extractfile(member) if member is not None else None
            if file is None:
                raise _no_plan(digest)
            return _plan(flow, file.read())
    except tarfile.TarError as error:
        raise Stop(BAD_PLAN, f"the code bundle {digest[:12]}… cannot be read: {error}") from None


def _download(store: Store, flow: str, digest: str, archive: Path) -> Path:
    if not store.download(layout.bundle_key(flow, digest), archive):
        raise Stop(BAD_PLAN, f"the code bundle {digest[:12]}… is not in the store {store.url}: was it uploaded?")
    if digest_of(archive)[0] != digest:
        raise Stop(STORE, f"the store {store.url} gave wrong bytes for the code bundle {digest[:12]}…")
    return archive


def _no_plan(digest: str) -> Stop:
    return Stop(BAD_PLAN, f"the code bundle {digest[:12]}… holds no plan")


def _plan(flow: str, data: bytes) -> Plan:
    try:
        plan = load(data.decode("utf-8"))
    except PlanError as error:
        raise Stop(BAD_PLAN, str(error)) from None
    if plan.flow != flow:
        raise Stop(BAD_PLAN, f"the code bundle is of flow {plan.flow!r}, this task is of {flow!r}")
    return plan


def _check(member: tarfile.TarInfo, root: Path) -> None:
    """`ValueError` for anything that a bundle of ours never holds: devices, paths and links that leave the folder.

    Links are followed as far as they exist by now. `tarfile`'s own filter does the same, but Debian 12's Python 3.11.2
    does not have it yet.
    """
    place = (root / member.name).parent.resolve()
    if not place.is_relative_to(root) or ".." in PurePosixPath(member.name).parts:
        raise ValueError(f"{member.name!r} lies outside")
    if member.issym():
        if not (place / member.linkname).resolve().is_relative_to(root):
            raise ValueError(f"the link {member.name!r} leads outside")
    elif not member.isfile() and not member.isdir():
        raise ValueError(f"{member.name!r} is neither a file nor a folder nor a link")
