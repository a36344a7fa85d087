"""rewrite: puts a new content in the place of a file, whole or not at all.

Takes a path and bytes; the file keeps its mode and, where the user may do that, its owner. A link stays a link; what is
no ordinary file, or is write-protected, is refused.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from .inputs import Refused


def rewrite(path: str, content: bytes) -> None:
    temporary: Path | None = None
    try:
        place = Path(path).resolve(strict=True)
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is no ordinary file and cannot be written in place", "use - for standard input")
        if not os.access(place, os.W_OK):
            raise Refused(f"{path} is write-protected", "with --diff it is only shown what would change")
        temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        with temporary.open("xb") as file:
            file.write(content)
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
