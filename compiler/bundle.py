"""The code bundle: a flow's folder and its plan as one tar archive, named by the digest of its bytes.

Takes the folder, the plan's text and folders to leave out (what a compile wrote there); gives a `Bundle` whose
`write_to` streams the archive. Equal contents give equal bytes on every machine: names sorted by their bytes, no
times, owners or user names, modes 0755 (the owner may execute) or 0644. The plan is the first member, `PLAN_FILE`;
a file of that name in the folder is left out. Empty directories are left out, as in git. `.gitignore` and
`.flowcignore` count, see `flowc.compiler.ignore`.

Refuses with `BundleError`: links that leave the folder, files that cannot be read, sockets, pipes and devices, more
than `MAX_BYTES` in all. A link within the folder stays a link (made relative if it was absolute).
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import io
import os
import stat
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from flowc.runtime.plan import PLAN_FILE

from .ignore import Ignore

MAX_BYTES = 100 * 1024 * 1024
# Far more than code ever has; ends the walk early when somebody compiles a flow that lies in a home folder.
MAX_MEMBERS = 100_000

_REMEDY = "leave it out by a line in .flowcignore"
_KINDS = {stat.S_IFSOCK: "a socket", stat.S_IFIFO: "a named pipe"}


class BundleError(Exception):
    """The folder cannot be bundled: `path` is to blame, `reason` says why, `remedy` what to do about it."""

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.path = path
        self.reason = reason
        self.remedy = remedy


class Writable(Protocol):
    """Whatever takes bytes: an open file, a hash."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the bundle; `link` is the target of a symbolic link and None for a regular file."""

    name: str
    size: int
    executable: bool
    link: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed folder: `digest` is the sha256 (hex) and `size` the length of the bytes that `write_to` writes."""

    digest: str
    size: int
    members: tuple[Member, ...]
    _folder: Path = field(repr=False)
    _plan_text: str = field(repr=False)

    def write_to(self, target: Writable) -> None:
        """Write the archive. `BundleError` if the folder is no longer what was packed."""
        meter = _Meter(target)
        _write(self._folder, self._plan_text, self.members, meter)
        if meter.digest() != self.digest:
            raise _changed(self._folder)


def pack(folder: Path, plan_text: str, *, leave_out: Iterable[Path] = ()) -> Bundle:
    """Bundle `folder` without what is ignored, `leave_out` and what lies below it."""
    root = folder.resolve()
    members = _collect(root, frozenset(path.resolve() for path in leave_out))
    meter = _Meter(None)
    _write(root, plan_text, members, meter)
    return Bundle(meter.digest(), meter.size, members, root, plan_text)


# --- collecting -------------------------------------------------------------------------------------------------------


def _collect(root: Path, leave_out: frozenset[Path]) -> tuple[Member, ...]:
    ignore = Ignore(root)
    members: list[Member] = []
    open_dirs = [""]
    while open_dirs:
        prefix = open_dirs.pop()
        for entry in _entries(root, root / prefix):
            name = prefix + entry.name
            path = root / name
            is_dir = entry.is_dir(follow_symlinks=False)
            if name == PLAN_FILE or path in leave_out or _leaves_out(ignore, root, name, is_dir=is_dir):
                continue
            if is_dir:
                open_dirs.append(name + "/")
                continue
            members.append(_member(root, name, entry))
            if len(members) > MAX_MEMBERS:
                raise BundleError(
                    root,
                    f"the folder holds more than {MAX_MEMBERS:,} files",
                    "keep the flow in a folder of its own, or leave data out by lines in .flowcignore",
                )
    _check_size(root, members)
    # By bytes, not by code points: the order must not depend on how a name that is no UTF-8 was decoded.
    return tuple(sorted(members, key=lambda member: os.fsencode(member.name)))


def _entries(root: Path, directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as error:
        remedy = "name a folder that can be read" if directory == root else f"make it readable or {_REMEDY}"
        raise BundleError(directory, f"the folder cannot be read ({_words(error)})", remedy) from None


def _leaves_out(ignore: Ignore, root: Path, name: str, *, is_dir: bool) -> bool:
    try:
        return ignore.leaves_out(name, is_dir=is_dir)
    except OSError as error:
        path = Path(error.filename) if error.filename else root / name
        raise BundleError(path, f"it cannot be read ({_words(error)})", "make it readable") from None


def _member(root: Path, name: str, entry: os.DirEntry[str]) -> Member:
    path = root / name
    try:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return Member(name, 0, False, _link(root, name))
    except OSError as error:
        raise BundleError(path, f"the file cannot be read ({_words(error)})", _REMEDY) from None
    if stat.S_ISREG(status.st_mode):
        return Member(name, status.st_size, bool(status.st_mode & stat.S_IXUSR), None)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
    raise BundleError(path, f"{kind} cannot be bundled", f"remove it or {_REMEDY}")


def _link(root: Path, name: str) -> str:
    """The link's target, relative to the link."""
    path = root / name
    written = os.readlink(path)  # noqa: PTH115 (Path.readlink would change the text: "./a" to "a")
    target = written
    if Path(target).is_absolute():
        target = os.path.relpath(target, path.parent)
    # Two checks: the words must not climb out, and neither may other links that they pass.
    words = os.path.normpath(os.path.join(os.path.dirname(name), target))  # noqa: PTH118, PTH120 (pathlib keeps "..")
    if words.split("/")[0] == ".." or not Path(os.path.realpath(path)).is_relative_to(root):
        raise BundleError(
            path,
            f"the link leaves the flow's folder (to {written})",
            f"copy its target into the folder or {_REMEDY}",
        )
    return target


def _check_size(root: Path, members: list[Member]) -> None:
    total = sum(member.size for member in members)
    if total <= MAX_BYTES:
        return
    largest = heapq.nlargest(3, members, key=lambda member: member.size)
    listed = ", ".join(f"{member.name} ({_mib(member.size)})" for member in largest)
    raise BundleError(
        root,
        f"the folder holds {_mib(total)}, a bundle at most {_mib(MAX_BYTES)}; the largest files: {listed}",
        "leave data out by lines in .flowcignore and let the steps fetch it",
    )


# --- writing ----------------------------------------------------------------------------------------------------------


class _Meter:
    """Hashes and counts what passes through to `target`."""

    def __init__(self, target: Writable | None) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        if self._target is not None:
            self._target.write(data)
        return len(data)

    def digest(self) -> str:
        return self._hash.hexdigest()


def _write(root: Path, plan_text: str, members: tuple[Member, ...], meter: _Meter) -> None:
    # PAX is USTAR as long as a name fits, and the same bytes from every Python where it does not.
    with tarfile.open(fileobj=meter, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        plan = plan_text.encode()
        tar.addfile(_header(Member(PLAN_FILE, len(plan), False, None)), io.BytesIO(plan))
        for member in members:
            if member.link is not None:
                tar.addfile(_header(member))
            else:
                _add_file(tar, root / member.name, member)


def _header(member: Member) -> tarfile.TarInfo:
    header = tarfile.TarInfo(member.name)
    header.mode = 0o755 if member.executable else 0o644
    if member.link is not None:
        header.type = tarfile.SYMTYPE
        header.linkname = member.link
        header.mode = 0o777
    else:
        header.size = member.size
    return header


def _add_file(tar: tarfile.TarFile, path: Path, member: Member) -> None:
    try:
        # Without following links and without waiting: the name may have been replaced since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            raise _changed(path) from None
        raise BundleError(
            path, f"the file cannot be read ({_words(error)})", f"make it readable or {_REMEDY}"
        ) from None
    with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor)
        if os.fstat(descriptor).st_size != member.size:
            raise _changed(path)
        try:
            tar.addfile(_header(member), file)
        except OSError as error:
            if error.errno is None:  # tarfile's own: the file ended early
                raise _changed(path) from None
            raise


def _changed(path: Path) -> BundleError:
    return BundleError(
        path, "it changed while it was being bundled", f"run again when nothing writes to it, or {_REMEDY}"
    )


def _mib(size: int) -> str:
    return f"{size / (1024 * 1024):.1f} MiB"


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
