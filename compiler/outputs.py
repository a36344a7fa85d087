"""What the command line writes: documents and the code bundle, whole or not at all.

Takes a folder and what to write; gives the paths. Every file is written beside its place first and moved there when all
are written, so that no reader ever sees half a document and a full disk leaves the earlier compile as it was.

A folder that is new gets a `.flowcignore` for all that it holds: it may lie in the flow's folder, and what was compiled
there for one target must not become part of the next compile's bundle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from .bundle import Bundle
from .ignore import FLOWCIGNORE
from .inputs import Refused
from .model import OutFile

BUNDLES = "bundles"


def write(folder: Path, files: Iterable[OutFile], bundle: Bundle) -> tuple[tuple[Path, ...], Path]:
    """Write the documents and, as `bundles/DIGEST.tar`, the bundle; gives the documents' paths and the bundle's."""
    documents = {folder / file.name: _writer(file.text.encode()) for file in files}
    archive = folder / BUNDLES / f"{bundle.digest}.tar"
    others: dict[Path, Callable[[BinaryIO], object]] = {archive: bundle.write_to}
    moves: list[tuple[Path, Path]] = []
    try:
        if not folder.exists() or not any(folder.iterdir()):
            others[folder / FLOWCIGNORE] = _writer(b"*\n")
        for path, write_to in (*documents.items(), *others.items()):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            moves.append((temporary, path))
            with temporary.open("wb") as file:
                write_to(file)
        for temporary, path in moves:
            temporary.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        at = error.filename or folder
        raise Refused(f"cannot write {at}: {reason}", "choose another folder with --output") from None
    finally:
        for temporary, _ in moves:
            try:
                temporary.unlink(missing_ok=True)
            except OSError:
                break  # the folder is gone or closed; what went wrong there has been said
    return tuple(documents), archive


def _writer(data: bytes) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(data)
