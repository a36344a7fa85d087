"""The code bundle: what goes in, what stays out, what is refused, and that equal contents are equal bytes."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from flowc.compiler import bundle
from flowc.compiler.bundle import BundleError, pack
from flowc.runtime.plan import PLAN_FILE
from tests.privileges import under_file_modes


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def names(root: Path, **options: object) -> list[str]:
    return [member.name for member in pack(root, "plan", **options).members]  # type: ignore[arg-type]


def tar_bytes(root: Path) -> bytes:
    buffer = io.BytesIO()
    pack(root, "plan").write_to(buffer)
    return buffer.getvalue()


def test_the_archive_holds_the_plan_first_and_then_the_files(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "b", "a/z.py": "z", "a.py": "a", PLAN_FILE: "a user's file of that name"})
    packed = pack(tmp_path, "the plan")
    buffer = io.BytesIO()
    packed.write_to(buffer)
    data = buffer.getvalue()
    assert hashlib.sha256(data).hexdigest() == packed.digest
    assert len(data) == packed.size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == [PLAN_FILE, "a.py", "a/z.py", "b.py"]
        plan = tar.extractfile(PLAN_FILE)
        assert plan is not None
        assert plan.read() == b"the plan"


def test_it_can_be_unpacked_safely(tmp_path: Path) -> None:
    long = "deep/" + "x" * 90 + "/" + "y" * 90 + ".py"
    write(tmp_path / "in", {"näme.py": "ü", long: "long", "a.sh": "#!/bin/sh"})
    (tmp_path / "in/a.sh").chmod(0o700)
    (tmp_path / "in/link").symlink_to("a.sh")
    with tarfile.open(fileobj=io.BytesIO(tar_bytes(tmp_path / "in"))) as tar:
        tar.extraction_filter = lambda member, _: member  # Debian 12's Python has no filters of its own
        tar.extractall(tmp_path / "out")
    assert (tmp_path / "out/näme.py").read_text() == "ü"
    assert (tmp_path / "out" / long).read_text() == "long"
    assert os.access(tmp_path / "out/link", os.X_OK)


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    files = {"b.py": "b", "a/z.py": "z", "a.py": "a", "a-b": "-", "é": "e"}
    write(tmp_path / "one", files)
    before = os.umask(0o077)
    try:
        write(tmp_path / "two", dict(reversed(files.items())))
    finally:
        os.umask(before)
    for index, path in enumerate(sorted((tmp_path / "two").rglob("*"))):
        os.utime(path, (index, 1_000_000_000 + index))
    (tmp_path / "one/b.py").chmod(0o775)
    (tmp_path / "two/b.py").chmod(0o700)
    (tmp_path / "one/empty").mkdir()
    assert tar_bytes(tmp_path / "one") == tar_bytes(tmp_path / "two")


def test_the_bytes_are_those_of_this_digest(tmp_path: Path) -> None:
    # Nodes look bundles up by digest, so a change of these bytes is a change of the format.
    write(tmp_path, {"a.py": "print(1)\n", "sub/ü.txt": "x"})
    assert pack(tmp_path, "{}\n").digest == "c68837aa15d29faa55722fdecae1f2035dc067cdefd0d4eac3f4bc4c2f57c763"


def test_what_never_goes_in(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "keep.py": "",
            ".git/config": "",
            "sub/.git": "gitdir: elsewhere",
            ".flowc/store/x": "",
            "sub/__pycache__/m.pyc": "",
            "old.pyc": "",
            ".venv/x": "",
            "env/pyvenv.cfg": "",
            "env/lib/big.py": "",
            "web/node_modules/m/index.js": "",
            "build/argo.yaml": "",
            ".flowcignore": "!.git\n!*.pyc\n!env/\n",
        },
    )
    assert names(tmp_path, leave_out=[tmp_path / "build"]) == [".flowcignore", "keep.py"]


def test_gitignore_counts_at_every_level(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "*.csv\n/data/\nlogs/*\n!logs/keep.txt\n",
            "a.csv": "",
            "data/x": "",
            "logs/a.txt": "",
            "logs/keep.txt": "",
            "sub/data/x": "",
            "sub/.gitignore": "!b.csv\n*.tmp\r\n",
            "sub/a.csv": "",
            "sub/b.csv": "",
            "sub/c.tmp": "",
        },
    )
    assert names(tmp_path) == [".gitignore", "logs/keep.txt", "sub/.gitignore", "sub/b.csv", "sub/data/x"]


def test_a_list_of_what_to_take_along_works_as_in_git(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*\n!*/\n!*.py\n", "a/b/c.py": "", "a/b/c.txt": "", "d.py": "", "e": ""})
    assert names(tmp_path) == ["a/b/c.py", "d.py"]


def test_flowcignore_has_the_last_word(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".flowcignore": "!sub/a.csv\n*.md\n",
            "sub/.gitignore": "*.csv\n",
            "sub/a.csv": "",
            "sub/b.csv": "",
            "README.md": "",
        },
    )
    assert names(tmp_path) == [".flowcignore", "sub/.gitignore", "sub/a.csv"]


def test_rules_above_the_folder_count_within_the_work_tree(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".gitignore": "*.py\n",
            "repo/.git/HEAD": "",
            "repo/.gitignore": "*.ckpt\nflows/nightly/tmp\n/ignored/\n",
            "repo/flows/nightly/a.py": "",
            "repo/flows/nightly/tmp/x": "",
            "repo/flows/nightly/m.ckpt": "",
            "repo/ignored/here/a.py": "",
        },
    )
    assert names(tmp_path / "repo/flows/nightly") == ["a.py"]
    assert names(tmp_path / "repo/ignored/here") == ["a.py"], "a flow in an ignored folder is still wanted"


def test_the_rules_are_those_of_git(tmp_path: Path) -> None:
    lines = [
        "*.o",
        "!keep.o",
        "/top",
        "mid/*/leaf",
        "**/deep",
        "q?x",
        "[ab].c",
        "!b.c",
        "dir/",
        "\\#hash",
        "s/**/t",
        "end ",
    ]
    tree = ["a.o", "keep.o", "top", "sub/top", "mid/x/leaf", "mid/leaf", "x/deep", "deep/y", "qax", "a.c", "b.c"]
    tree += ["dir/f", "sub/dir", "#hash", "s/t", "s/u/t", "s/u/v", "end", "sub/keep.o"]
    write(tmp_path, {".gitignore": "\n".join(lines) + "\n"} | dict.fromkeys(tree, ""))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=tmp_path, check=True, capture_output=True
    )
    assert set(names(tmp_path)) == {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}


def test_links_inside_are_kept_and_made_relative(tmp_path: Path) -> None:
    write(tmp_path, {"sub/a.py": "", "top.py": ""})
    (tmp_path / "sub/up").symlink_to("../top.py")
    (tmp_path / "abs").symlink_to(tmp_path / "sub" / "a.py")
    (tmp_path / "folder").symlink_to("sub")
    (tmp_path / "dangling").symlink_to("nothing")
    links = {member.name: member.link for member in pack(tmp_path, "").members if member.link}
    assert links == {"sub/up": "../top.py", "abs": "sub/a.py", "folder": "sub", "dangling": "nothing"}


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "sub/../../outside", "out/x"])
def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path, target: str) -> None:
    root = write(tmp_path / "flow", {"sub/a.py": ""})
    write(tmp_path, {"outside": "", "elsewhere/x": ""})
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / ".flowcignore").write_text("/out\n")
    (root / "link").symlink_to(target)
    with pytest.raises(BundleError, match="the link leaves the flow's folder") as caught:
        pack(root, "")
    assert caught.value.path == root / "link"
    assert ".flowcignore" in caught.value.remedy
    (root / ".flowcignore").write_text("/out\n/link\n")
    assert names(root) == [".flowcignore", "sub/a.py"]


def test_sockets_and_pipes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BundleError, match="a named pipe cannot be bundled"):
        pack(tmp_path, "")
    (tmp_path / "fifo").unlink()
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(BundleError, match="a socket cannot be bundled"):
            pack(tmp_path, "")


@pytest.mark.parametrize("name", ["secret", "folder"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"secret": "", "folder/a": ""})
    (tmp_path / name).chmod(0)
    code = (
        "import sys; from pathlib import Path; from flowc.compiler.bundle import BundleError, pack\n"
        "try: pack(Path(sys.argv[1]), '')\n"
        "except BundleError as error: print(error.path, error)\n"
    )
    done = subprocess.run(
        under_file_modes([sys.executable, "-c", code, str(tmp_path)]), capture_output=True, text=True, check=True
    )
    (tmp_path / name).chmod(0o700)
    assert done.stdout.startswith(f"{tmp_path / name} ")
    assert "cannot be read (permission denied)" in done.stdout


def test_a_file_that_cannot_be_read_is_refused_for_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"secret": ""})

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BundleError, match=r"cannot be read \(permission denied\)"):
        pack(tmp_path, "")


def test_too_much_is_refused_with_the_largest_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "x" * 5000})
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(bundle.MAX_BYTES)
    with pytest.raises(
        BundleError, match=r"holds 100\.0 MiB, a bundle at most 100\.0 MiB; .*data\.bin \(100\.0 MiB\), a\.py"
    ):
        pack(tmp_path, "")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_MEMBERS", 3)
    write(tmp_path, {f"{index}.py": "" for index in range(4)})
    with pytest.raises(BundleError, match="more than 3 files"):
        pack(tmp_path, "")


@pytest.mark.parametrize("change", ["grow", "shrink", "edit", "remove"])
def test_a_folder_that_changed_since_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.py"
    path.write_text("12345")
    packed = pack(tmp_path, "")
    if change == "remove":
        path.unlink()
    else:
        path.write_text({"grow": "123456", "shrink": "1", "edit": "abcde"}[change])
    with pytest.raises(BundleError, match="changed while"):
        packed.write_to(io.BytesIO())


def test_large_files_pass_through_in_pieces(tmp_path: Path) -> None:
    with (tmp_path / "data.bin").open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    tracemalloc.start()
    try:
        pack(tmp_path, "")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
