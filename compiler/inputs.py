"""What the command line brings in: flow files and parameter values.

Takes paths and `name=value` words; gives a `Source` and values in their JSON form. Refuses with `Refused`: one line
that says what is wrong and one that says what to do, for people who made a mistake at the prompt.
"""

from __future__ import annotations

import codecs
import json
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from flowc.dsl.spans import Source
from flowc.dsl.suggest import closest, listed
from flowc.runtime.plan import Json, Plan
from flowc.runtime.store.urls import KINDS, StoreError, locate, shown

# A flow of ten thousand steps has a tenth of this. What is larger is data that was named by mistake.
_LARGEST = 16 * 1024 * 1024

_OTHER_ENCODINGS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


class Refused(Exception):
    """The command cannot be carried out; exit code 2."""

    def __init__(self, message: str, *remedies: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedies = remedies


def read_source(path: str) -> Source:
    """The text of a flow file: UTF-8, a byte order mark is passed over."""
    place = Path(path)
    try:
        status = place.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _folder(path, place)
        if status.st_size > _LARGEST:
            raise Refused(f"{path} has {status.st_size:,} bytes; that is no flow file")
        data = place.read_bytes()
    except FileNotFoundError:
        raise _missing(path, place) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Refused(f"{path} cannot be read: {reason}", "is the path right, and may you read the file?") from None
    except ValueError:
        raise Refused(f"{path!r} is no path: it holds a zero byte") from None
    return Source(path, _decode(path, data))


def read_stdin() -> Source:
    """A flow file from standard input."""
    name = "<stdin>"
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1)
    except (OSError, AttributeError):
        # Python has no stream where the shell closed it.
        raise Refused("standard input cannot be read") from None
    if len(data) > _LARGEST:
        raise Refused(f"standard input has more than {_LARGEST:,} bytes; that is no flow file")
    return Source(name, _decode(name, data))


def _folder(path: str, place: Path) -> Refused:
    try:
        flows = sorted(file.name for file in place.glob("*.flow"))
    except OSError:
        flows = []
    inside = f"name the file in it: {Path(path, flows[0])}" if flows else "name a flow file"
    return Refused(f"{path} is a folder", inside)


def _missing(path: str, place: Path) -> Refused:
    try:
        known = {file.stem: file for file in place.parent.glob("*.flow")}
    except OSError:
        known = {}
    # By their stems: the common ending would make any two names alike.
    found = closest(place.stem, known) or (next(iter(known)) if len(known) == 1 else None)
    if found:
        return Refused(f"there is no file {path}", f"did you mean {known[found]}?")
    if not place.parent.is_dir():
        return Refused(f"there is no file {path}", f"there is no folder {place.parent} either")
    return Refused(f"there is no file {path}")


def _decode(path: str, data: bytes) -> str:
    data = data.removeprefix(codecs.BOM_UTF8)
    for encoding, marks in _OTHER_ENCODINGS.items():
        if data.startswith(marks):
            raise Refused(f"{path} is in {encoding}; flow files are in UTF-8", "save it as UTF-8 in your editor")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(
            f"{path} is not UTF-8: the byte {data[error.start]:#04x} at offset {error.start} (line {line}) is none",
            "save the file as UTF-8 in your editor",
        ) from None


# --- parameters -------------------------------------------------------------------------------------------------------


def read_params(words: Iterable[str], plan: Plan, places: dict[str, str]) -> dict[str, Json]:
    """The value of every parameter, defaults included. `places` says where each parameter is declared."""
    from flowc.runtime.values import BadValue, parse_text, to_json

    declared = {param.name: param for param in plan.params}
    values: dict[str, Json] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Refused(f"the parameter {word!r} has no value", f"write it as --param {name}=VALUE")
        param = declared.get(name)
        if param is None:
            raise _unknown(name, plan, tuple(declared))
        if name in values:
            raise Refused(f"the parameter `{name}` is given twice")
        try:
            values[name] = to_json(param.type, parse_text(param.type, text))
        except (BadValue, ValueError, RecursionError) as error:
            example = f"--param {name}='{_EXAMPLES.get(param.type, json.dumps(param.default))}'"
            remedy = f"for example {example}" if not param.required or param.type in _EXAMPLES else ""
            raise Refused(
                f"the parameter `{name}`: {error}", *filter(None, (f"it is declared in {places[name]}", remedy))
            ) from None
    missing = [param for param in plan.params if param.required and param.name not in values]
    if missing:
        listing = listed(param.name for param in missing)
        words_ = " ".join(f"--param {param.name}=…" for param in missing)
        what = "parameters have" if len(missing) > 1 else "parameter has"
        raise Refused(
            f"the {what} no value: {listing}",
            f"add {words_}",
            *(f"`{param.name}` is declared in {places[param.name]} as {param.type}" for param in missing),
        )
    return {param.name: values.get(param.name, param.default) for param in plan.params}


_EXAMPLES = {"int": "3", "float": "0.5", "bool": "true", "list[string]": '["a", "b"]', "list[int]": "[1, 2]"}
_EXAMPLES |= {"list[float]": "[0.5, 1]"}


def _unknown(name: str, plan: Plan, known: tuple[str, ...]) -> Refused:
    found = closest(name, known)
    if found:
        return Refused(f"the flow `{plan.flow}` has no parameter `{name}`", f"did you mean `{found}`?")
    remedy = f"its parameters: {listed(known)}" if known else "it has no parameters"
    return Refused(f"the flow `{plan.flow}` has no parameter `{name}`", remedy)


def check_store(url: str | None) -> str | None:
    """The URL of a store, if it could be one."""
    if url is None:
        return None
    try:
        locate(url)
    except StoreError as error:
        raise Refused(f"--store {shown(url)!r}: {error}", KINDS) from None
    return url
