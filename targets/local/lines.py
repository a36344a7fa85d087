"""From the bytes that a process writes to lines that a terminal can show.

`LineSplitter.feed` takes what was read from a pipe and gives whole lines as text; `rest` gives what stands at the end
without a line feed. Bytes that are no UTF-8 become U+FFFD, a line longer than `LONGEST` comes in pieces, so a program
that never ends a line costs bounded memory. Of a progress bar that overwrites its line by carriage returns only the
last state is kept. Control characters are dropped, except tabs and colours: a line of a step must not be able to move
the cursor out of its place. The log files get the bytes as they came; none of this touches them.
"""

from __future__ import annotations

import codecs
import re

LONGEST = 16 * 1024

# Colour and weight (SGR) are kept here and dropped by `without_color`; every other escape sequence goes.
_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_ESCAPES = re.compile(
    r"\x1b\](?:[^\x07\x1b]|\x1b(?!\\))*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|\x1b\[(?![0-9;:]*m)[0-?]*[ -/]*[@-~]?"  # CSI other than SGR
    r"|\x1b(?!\[)[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
_SUSPECT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LineSplitter:
    """The state of one stream: an unfinished character and an unfinished line."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        *lines, rest = (self._rest + self._decoder.decode(data)).split("\n")
        if len(rest) > LONGEST or any(len(line) > LONGEST for line in lines):
            lines = [piece for line in lines for piece in _pieces(line)]
            *more, rest = _pieces(rest)
            lines += more
        self._rest = rest
        return [_clean(line) if _SUSPECT.search(line) else line for line in lines]

    def rest(self) -> list[str]:
        """What came after the last line feed, once the stream has ended."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return [_clean(rest)] if rest else []


def without_color(text: str) -> str:
    return _SGR.sub("", text) if "\x1b" in text else text


def _pieces(line: str) -> list[str]:
    return [line[start : start + LONGEST] for start in range(0, len(line), LONGEST)] or [""]


def _clean(line: str) -> str:
    line = line.rstrip("\r")
    line = line[line.rfind("\r") + 1 :]
    line = _CONTROLS.sub("", _ESCAPES.sub("", line))
    # A colour that is left on would run into the next line's prefix.
    return line + "\x1b[0m" if "\x1b[" in line else line.replace("\x1b", "")
