"""F05xx bodies and frameworks, F06xx the code bundle. See `faults`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest, listed
from flowc.dsl.tables import FrameworkRow

_FROM_FOLDER = "files are looked for from the folder of the flow file"

# --- bodies -----------------------------------------------------------------------------------------------------------


def no_body(step: str, span: Span) -> Diagnostic:
    return _error(
        "F0501",
        f"the step `{step}` does nothing",
        span,
        "has no body",
        help=("add one of `run [ … ]`, `run bash '''…'''`, `run python '''…'''`, `call \"file.py:function\"`",),
    )


def second_body(step: str, span: Span, first: Span) -> Diagnostic:
    return _error(
        "F0502",
        f"the step `{step}` has more than one body",
        span,
        "a second body",
        (Label(first, "the first body"),),
        ("a step does one thing; make two steps of it",),
    )


def unknown_block(name: str, span: Span) -> Diagnostic:
    rows = tuple(tables.FRAMEWORKS.values())
    setting = _SETTINGS.get(name.lower()) or (f"`{name} = …`" if name in tables.SETTINGS else None)
    found = None if setting else tables.by_alias(name, rows) or closest(name, [row.name for row in rows])
    help_ = f"did you mean `{found}`?" if found else f"the frameworks: {listed(tables.FRAMEWORKS)}"
    return _error(
        "F0503",
        f"there is no framework `{name}`",
        span,
        "unknown framework",
        help=(f"settings stand in the step, each on its line: {setting}" if setting else help_,),
        fix=found,
    )


# What is a block elsewhere, and settings here.
_SETTINGS = {
    **dict.fromkeys(("resource", "resources", "limits", "requests"), "`cpu = 4`, `memory = 16GiB`, `gpu = 1`"),
    **dict.fromkeys(("retry", "retries"), "`retries = 3`"),
    **dict.fromkeys(("timeout", "timeouts"), "`timeout = 2h`"),
}


def framework_without_gang(row: FrameworkRow, step: str, span: Span, head: Span) -> Diagnostic:
    return _error(
        "F0504",
        f"`{row.name}` needs a gang",
        span,
        "starts the nodes of a gang",
        (Label(head, "this step is one process"),),
        (f"write `step {step} parallel(2) {{` for two nodes, or parallel(1) for one",),
    )


def second_framework(name: str, span: Span, first: Span, *, twice: bool) -> Diagnostic:
    """`twice`: it is the same as the first one."""
    return _error(
        "F0505",
        f"`{name}` is given twice" if twice else f"a step has one framework; `{name}` is another",
        span,
        "a second one",
        (Label(first, "the first one"),),
        ("put all settings into one block" if twice else "leave one out, or make two steps of it",),
    )


def nodes_out_of_range(found: str, span: Span) -> Diagnostic:
    return _error(
        "F0506",
        f"`parallel` takes the number of nodes, from 1 to {tables.MOST_NODES:,}; found {found}",
        span,
        "not a number of nodes",
        help=("write a whole number, as in `parallel(2)`, or the name of a parameter of type int",),
    )


def no_python_program(framework: str, span: Span, program: str | None) -> Diagnostic:
    hint = 'for example: run ["train.py", "--epochs", epochs]'
    if program is not None and program.rpartition("/")[2].startswith(("python", "torchrun", "deepspeed")):
        hint = f"leave out {program!r}: {framework} starts Python itself"
    return _error(
        "F0507",
        f"under `{framework}` a command begins with a Python file or with `-m`",
        span,
        "no Python file",
        help=(hint,),
    )


def no_shell(framework: str, span: Span) -> Diagnostic:
    command = 'run ["python", "driver.py"]' if framework == "ray" else 'run ["train.py"]'
    return _error(
        "F0508",
        f"`{framework}` cannot start a shell script",
        span,
        "needs a Python program",
        help=(f"put the code into a Python file and write `{command}`, or write `run python`",),
    )


def unknown_language(name: str, span: Span) -> Diagnostic:
    known = tables.SCRIPT_LANGUAGES
    aliases = {"sh": "bash", "shell": "bash", "zsh": "bash", "py": "python", "python3": "python"}
    found = aliases.get(name.lower()) or closest(name, known)
    # What runs in them runs in these as well; zsh differs from bash.
    certain = name.lower() in ("sh", "py", "python3")
    return _error(
        "F0509",
        f"scripts are in {listed(known, word='or')}, not in `{name}`",
        span,
        "unknown language",
        help=(f"did you mean `{found}`?" if found else f'put it into a file: run ["{name}", "script"]',),
        fix=found,
        certain=certain,
    )


def empty_command(span: Span) -> Diagnostic:
    return _error("F0510", "a command has a program", span, "empty", help=('for example: run ["program"]',))


def empty_script(span: Span) -> Diagnostic:
    return _error(
        "F0511", "this script is empty", span, "nothing to run", help=("write what it does between the quotes",)
    )


def not_a_program(what: str, span: Span) -> Diagnostic:
    return _error(
        "F0512",
        f"a command begins with a program, not with {what}",
        span,
        "not a program",
        help=('put the program before it: run ["program", …]',),
    )


# --- gangs ------------------------------------------------------------------------------------------------------------


def each_without_gang(name: str, step: str, span: Span, head: Span) -> Diagnostic:
    return _error(
        "F0513",
        f"`out each {name}` needs a gang",
        span,
        "one value per node",
        (Label(head, "this step is one process"),),
        (f"write `out {name}` for one value, or `step {step} parallel(2) {{` for two nodes",),
    )


def each_under_ray(name: str, span: Span, block: Span) -> Diagnostic:
    return _error(
        "F0514",
        f"under `ray` only node 0 runs the body, so there is no `{name}` of each node",
        span,
        "one value per node",
        (Label(block, "the body is the driver of this cluster"),),
        (f"write `out {name}` with a list as its type, and let the driver collect the values",),
    )


def config_missing(path: str, span: Span, known: Iterable[str]) -> Diagnostic:
    found = closest(path, known)
    return _error(
        "F0515",
        f"there is no file `{path}`",
        span,
        "the configuration of DeepSpeed",
        help=(f"did you mean `{found}`?",) if found else (_FROM_FOLDER,),
    )


def config_unreadable(path: str, reason: str, span: Span) -> Diagnostic:
    return _error(
        "F0516",
        f"`{path}` is no configuration of DeepSpeed: {reason}",
        span,
        "expected a JSON object in this file",
        help=("DeepSpeed would end with this on every node",),
    )


def nothing_to_cache(step: str, span: Span) -> Diagnostic:
    return _error(
        "F0517",
        f"`{step}` has no outputs that could be reused",
        span,
        "nothing to keep",
        help=("give the step an output, or leave out `cache`: without outputs a step is run for what it does",),
    )


def default_size(name: str, default: int, span: Span, declared: Span) -> Diagnostic:
    return Diagnostic(
        "F0518",
        "warning",
        f"the default of `{name}` is {default}, and a gang has from 1 to {tables.MOST_NODES:,} nodes",
        span,
        "fails unless the run is given another number",
        (Label(declared, "the parameter"),),
        ("choose another default, or none",),
    )


# --- functions to call ------------------------------------------------------------------------------------------------


def bad_target(text: str, span: Span) -> Diagnostic:
    return _error(
        "F0520",
        f"`{text}` names no function",
        span,
        "expected a file and a function",
        help=('for example: call "prepare.py:split", or call "package.module:function"',),
    )


def file_missing(path: str, span: Span, known: Iterable[str]) -> Diagnostic:
    stems = {file.removesuffix(".py"): file for file in known}
    found = stems.get(closest(path.removesuffix(".py"), stems) or "")
    return _error(
        "F0521",
        f"there is no file `{path}`",
        span,
        "no such file",
        help=(f"did you mean `{found}`?",) if found else (_FROM_FOLDER,),
    )


def python_syntax(path: str, line: int | None, reason: str, span: Span) -> Diagnostic:
    place = path if line is None else f"{path}, line {line}"
    return _error(
        "F0522",
        f"{place}: {reason}",
        span,
        "this Python file cannot be read",
        help=(f"put it right there; `python -m py_compile {path}` says whether Python can read it",),
    )


def function_missing(path: str, name: str, span: Span, known: Sequence[str]) -> Diagnostic:
    found = closest(name, known)
    if found:
        help_: tuple[str, ...] = (f"did you mean `{found}`?",)
    else:
        help_ = (f"its functions: {listed(known)}",) if known else ("the file defines no functions",)
    return _error("F0523", f"`{path}` has no function `{name}`", span, "no such function", help=help_)


def parameter_without_input(name: str, function: str, span: Span, place: str) -> Diagnostic:
    return _error(
        "F0524",
        f"`{function}` needs a parameter `{name}`, and the step has no such input",
        span,
        f"no `in` gives `{name}`",
        help=(
            f"add a line `in {name} = …` to the step, or give the parameter a default",
            f"the function is in {place}",
        ),
    )


def input_without_parameter(
    function: str, name: str, span: Span, call: Span, place: str, meant: str | None
) -> Diagnostic:
    return _error(
        "F0525",
        f"`{function}` takes no parameter `{name}`",
        span,
        "not taken by the function",
        (Label(call, "called here"),),
        (*((f"did you mean `{meant}`?",) if meant else ()), f"the function is in {place}"),
    )


def async_function(function: str, span: Span, place: str) -> Diagnostic:
    return _error(
        "F0526",
        f"`{function}` is an async function",
        span,
        "would never be awaited",
        help=(f"call it from a plain function with asyncio.run; it is in {place}",),
    )


def positional_parameter(name: str, function: str, span: Span, place: str) -> Diagnostic:
    return _error(
        "F0527",
        f"`{function}` takes `{name}` by position only",
        span,
        "inputs are passed by name",
        help=(f"take the `/` out of its parameters in {place}",),
    )


def not_a_function(name: str, what: str, span: Span, place: str) -> Diagnostic:
    """`what` is "a class" or "a value"."""
    return _error(
        "F0530",
        f"`{name}` is {what}, not a function",
        span,
        "cannot be called as a step",
        help=(f"write a function that makes use of it; `{name}` is in {place}",),
    )


def generator(function: str, span: Span, place: str) -> Diagnostic:
    return _error(
        "F0531",
        f"`{function}` is a generator: it yields, and returns no outputs",
        span,
        "would never be run through",
        help=(f"collect what it yields in a function that returns it; it is in {place}",),
    )


def path_leaves_folder(path: str, span: Span) -> Diagnostic:
    return _error(
        "F0528",
        f"`{path}` is outside the folder of the flow",
        span,
        "does not travel with the flow",
        help=("code that a step runs lies in the flow's folder or below it, or in the image",),
    )


def cannot_bundle(path: str, reason: str, remedy: str) -> Diagnostic:
    return Diagnostic("F0601", "error", f"the code cannot be bundled: {path}: {reason}", None, help=(remedy,))


# --- helpers ----------------------------------------------------------------------------------------------------------


def _error(
    code: str,
    message: str,
    span: Span,
    label: str,
    related: tuple[Label, ...] = (),
    help: tuple[str, ...] = (),  # noqa: A002 - the word of the renderer
    fix: str | None = None,
    *,
    certain: bool = False,
) -> Diagnostic:
    replaced = replace(span, fix, certain=certain) if fix else None
    return Diagnostic(code, "error", message, span, label, related, help, replaced)
