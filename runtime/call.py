"""The body of a `call` step, run as `python -m flowc.runtime.call TARGET FUNCTION` in the user's Python.

Imports the user's file or module, calls the function with the step's inputs as keyword arguments, and writes what it
returns to the step's outputs: the value itself when there is one output, else a mapping of exactly the outputs' names.
For an output of type `file` or `dir` the function returns the path of what it wrote. A wrong return is the step's
failure, with a message that names the output; the function's own exceptions show their own traceback, without ours.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowc.runtime.user_api import NAMED, current, encode_output
from flowc.runtime.values import BadValue, is_artifact


def main(target: str, function: str) -> int:
    """Exit code of the body: 0, or 1 with a message on standard error."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = _load(target)
        result = getattr(module, function)(**current.inputs.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _print_own_part(error)
        return 1
    problem = _write(f"{target}:{function}", result)
    if problem:
        print(f"flowc: {problem}", file=sys.stderr)  # noqa: T201 - the body's own output
        return 1
    return 0


def _load(target: str) -> Any:
    if not target.endswith(".py"):
        return importlib.import_module(target)
    path = Path(target).resolve()
    # The file's folder first, as if it had been started as a script: its neighbours import as users expect.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _print_own_part(error: BaseException) -> None:
    """The traceback from the user's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    shown = frames
    while shown is not None and "importlib" in shown.tb_frame.f_code.co_filename:
        shown = shown.tb_next
    traceback.print_exception(type(error), error, shown or frames or error.__traceback__)


def _write(what: str, result: Any) -> str | None:
    """Write the returned values to the outputs' paths; gives what is wrong with them."""
    types: dict[str, str] = current.outputs.__dict__["_types"]
    if not types:
        return None
    if len(types) == 1:
        name = next(iter(types))
        # A mapping of the one name is taken as what it plainly is.
        values = result if isinstance(result, Mapping) and set(result) == {name} else {name: result}
    elif not isinstance(result, Mapping):
        return f"{what} returned {type(result).__name__}; return a dictionary with the keys {', '.join(types)}"
    else:
        values = result
    if set(values) != set(types):
        missing = ", ".join(name for name in types if name not in values) or "none"
        extra = ", ".join(str(name) for name in values if name not in types) or "none"
        return f"{what} must return exactly the step's outputs; missing: {missing}; not an output: {extra}"
    for name, type_ in types.items():
        problem = _write_one(getattr(current.outputs, name), type_, values[name])
        if problem:
            return f"{what} returned a wrong value for the output {name!r}: {problem}"
    return None


def _write_one(path: Path, type_: str, value: Any) -> str | None:
    if not is_artifact(type_):
        try:
            path.write_bytes(encode_output(type_, value))
        except BadValue as error:
            return str(error)
        return None
    if not isinstance(value, (str, os.PathLike)):
        return f"expected the path of a {type_}, found {type(value).__name__}"
    source = Path(value)
    if not (source.is_file() if type_ == "file" else source.is_dir()):
        return f"there is no {'file' if type_ == 'file' else 'folder'} at {os.fspath(value)!r}"
    if source.resolve() == path.resolve():
        return None
    # Kept under its own name, so that consumers see `data.npz` and not a name without an ending.
    named = path.parent / NAMED / path.name
    named.mkdir(parents=True)
    if type_ == "file":
        shutil.copy2(source, named / source.name)
    else:
        shutil.copytree(source, named / source.name, symlinks=True)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
