"""fmt: flow files in the one layout, in place or shown.

Takes the files named at the prompt, `-` for standard input; gives for each the text as it is and as it should be, or
the diagnostics of a broken one. `rewrite` puts the new text in the place of the old one, whole or not at all, with the
file's mode and, where the user may do that, its owner. A link stays a link; what is no ordinary file is not written to.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source

from .inputs import Refused, read_source, read_stdin


@dataclass(frozen=True, slots=True)
class Formatted:
    """`text` is None where the syntax is broken."""

    source: Source
    text: str | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        return self.text is not None and self.text != self.source.text


def format_file(path: str) -> Formatted:
    source = read_stdin() if path == "-" else read_source(path)
    return Formatted(source, *format_source(source))


def diff(formatted: Formatted) -> str:
    """The change as a unified diff."""
    assert formatted.text is not None
    path = formatted.source.path
    before, after = (_lines(text) for text in (formatted.source.text, formatted.text))
    return "".join(_marked(difflib.unified_diff(before, after, path, f"{path} (formatted)")))


def _lines(text: str) -> list[str]:
    # Only at line feeds: everything else may stand within a string.
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _marked(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def rewrite(formatted: Formatted) -> None:
    assert formatted.text is not None
    path = formatted.source.path
    place = Path(path)
    temporary: Path | None = None
    try:
        place = place.resolve(strict=True)
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is no ordinary file and cannot be written in place", "use - for standard input")
        if not os.access(place, os.W_OK):
            raise Refused(f"{path} is write-protected", "with --diff it is only shown what would change")
        temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        with temporary.open("xb") as file:
            file.write(formatted.text.encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(PermissionError):
            os.chown(temporary, status.st_uid, status.st_gid)
        # After the owner: changing that may take rights away.
        temporary.chmod(stat.S_IMODE(status.st_mode))
        temporary.replace(place)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"{path} cannot be written: {reason}", "the file is as it was") from None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
