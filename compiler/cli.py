"""The command line: `flowc check | fmt | graph | compile | run | explain | gc | doctor`.

Exit codes: 0 clean, 1 the program or the run failed, 2 usage or I/O, 70 a fault in flowc itself. Documents and what
`check` finds go to standard output, everything else to standard error. Nothing heavy is imported before a command needs
it: `--help` costs what Python costs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowc.dsl.version import VERSION

if TYPE_CHECKING:
    from flowc.dsl.diagnostics import Diagnostic
    from flowc.dsl.spans import Source

    from .driver import Compiled

CLEAN, FAILED, USAGE, INTERNAL = 0, 1, 2, 70
# As a shell reports a program that a signal ended.
_INTERRUPTED, _BROKEN_PIPE = 130, 141

_EXAMPLES = """\
examples:
  flowc check digits.flow                              find mistakes, all at once
  flowc graph digits.flow -o digits.svg                draw it
  flowc run digits.flow --param epochs=20              run it on this machine
  flowc compile digits.flow --target argo -o build     documents for Argo Workflows
  flowc compile digits.flow --target sfn -o build      … for AWS Step Functions and Batch
"""
_CHECK = """\
examples:
  flowc check digits.flow
  flowc check flows/*.flow --format github     in a workflow of GitHub Actions
  flowc check --fix digits.flow                put right what leaves no doubt
  flowc check --fix --diff digits.flow         show it only
  flowc check digits.flow --explain-settings train
"""
_EXPLAIN = """\
examples:
  flowc explain F0312          what a code means, with a wrong and a right program
  flowc explain                every code in a line
"""
_FMT = """\
examples:
  flowc fmt digits.flow                  write it anew in the one layout
  flowc fmt --check flows/*.flow         name the files that are laid out otherwise
  flowc fmt - < digits.flow              from standard input to standard output
"""
_GRAPH = """\
examples:
  flowc graph digits.flow                           as Mermaid, for a page in Markdown
  flowc graph digits.flow -o digits.svg             a picture
  flowc graph digits.flow --format dot | dot -Tpdf  through Graphviz
"""
_COMPILE = """\
examples:
  flowc compile digits.flow --target argo --store s3://bucket/prefix | kubectl create -f -
  flowc compile digits.flow --target sfn --store s3://bucket/prefix -o build
"""
_RUN = """\
examples:
  flowc run digits.flow
  flowc run digits.flow -p epochs=20 -p 'rates=[0.1, 0.01]'
"""
_GC = "example:\n  flowc gc s3://bucket/prefix --flow digits --dry-run"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    _open_streams()
    try:
        return _main(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _main(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "check" and options.diff and not options.fix:
        parser.error("--diff goes with --fix: flowc check --fix --diff FILE")
    from .inputs import Refused

    try:
        code = _COMMANDS[options.command](options)
        sys.stdout.flush()
    except Refused as refused:
        _complain(refused.message, *refused.remedies)
        return USAGE
    except BrokenPipeError:
        _drop_output()  # whoever read it has left
        return _BROKEN_PIPE
    except OSError as error:
        if options.debug:
            raise
        _drop_output()
        reason = (error.strerror or str(error)).lower()
        _complain(f"cannot read {error.filename}: {reason}" if error.filename else f"cannot write the output: {reason}")
        return USAGE
    except Exception as error:
        if options.debug:
            raise
        _complain(
            f"this is a bug in flowc {VERSION}: {type(error).__name__}: {error}",
            "please report it, with the output of the same command with --debug",
        )
        return INTERNAL
    return code


def _open_streams() -> None:
    """Streams that were closed lead nowhere: Python has None for them, and files would get their numbers."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _drop_output() -> None:
    """Python would complain once more when it closes a stream that nobody takes anything from."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- commands ---------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    if options.explain_settings is not None:
        return _explain_settings(options)
    from .driver import check_source
    from .inputs import Refused, read_source
    from .report import Report

    # A patch stands alone on standard output.
    report = Report(sys.stderr if options.diff else sys.stdout, options.format, options.color)
    code = CLEAN
    for path in options.files:
        try:
            if options.fix:
                report.add(*_fix(path, options))
            else:
                source = read_source(path)
                report.add(source, check_source(source, Path(path).parent).diagnostics)
        except Refused as refused:
            _complain(refused.message, *refused.remedies)
            code = USAGE
    report.end()
    return code or (FAILED if report.has_errors else CLEAN)


def _fix(path: str, options: argparse.Namespace) -> tuple[Source, tuple[Diagnostic, ...]]:
    from .driver import check_source
    from .fixes import fix_file, told

    fixed = fix_file(path, lambda source: check_source(source, Path(path).parent).diagnostics, dry=options.diff)
    if options.diff:
        from .fmt import unified

        _write(unified(fixed.before, fixed.after.text, "fixed"))
    for line in told(fixed, dry=options.diff):
        _say(line)
    return fixed.after, fixed.diagnostics


def _explain(options: argparse.Namespace) -> int:
    from . import explain
    from .report import write

    pages = [explain.as_text(explain.asked(word)) for word in options.codes]
    write("\n".join(pages) if pages else explain.listing(), sys.stdout)
    return CLEAN


def _explain_settings(options: argparse.Namespace) -> int:
    from .driver import check_source
    from .explain_settings import explained
    from .inputs import Refused, read_source

    if len(options.files) > 1:
        raise Refused("--explain-settings takes one flow file")
    source = read_source(options.files[0])
    checked = check_source(source, Path(options.files[0]).parent)
    _show(checked.diagnostics, source, options)
    if checked.model is None:
        return FAILED
    _write(explained(checked.model, options.explain_settings, as_json=options.format == "json"))
    return CLEAN


def _fmt(options: argparse.Namespace) -> int:
    from .fmt import diff, format_file, rewrite
    from .inputs import Refused
    from .report import Report

    report = Report(sys.stderr, options.format, options.color)
    code = CLEAN
    for path in dict.fromkeys(options.files):
        try:
            formatted = format_file(path)
            report.add(formatted.source, formatted.diagnostics)
            if formatted.text is None:
                code = code or FAILED
                continue
            if options.check and formatted.changed:
                code = code or FAILED
            if options.diff:
                _write(diff(formatted))
            elif options.check:
                _write(f"{formatted.source.path}\n" if formatted.changed else "")
            elif path == "-":
                _write(formatted.text)
            elif formatted.changed:
                rewrite(formatted)
                _mention(f"formatted {path}", options)
        except Refused as refused:
            _complain(refused.message, *refused.remedies)
            code = USAGE
    report.end()
    return code


def _write(text: str) -> None:
    # The bytes themselves: neither the terminal's encoding nor its line ends may change a program.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.buffer.flush()


def _graph(options: argparse.Namespace) -> int:
    from .draw import Unavailable, draw, format_of, render
    from .driver import check_source
    from .inputs import Refused, read_source

    output: Path | None = options.output
    picture = options.picture or ("mermaid" if output is None else format_of(output.name))
    if picture is None:
        raise Refused(f"the name {output} does not say which format is meant", "add --format mermaid, dot, svg or json")
    source = read_source(options.file)
    checked = check_source(source, Path(options.file).parent)
    _show(checked.diagnostics, source, options)
    if checked.model is None:
        return FAILED
    try:
        text = render(draw(checked.model), picture)
    except Unavailable as missing:
        raise Refused(str(missing), *missing.remedies) from None
    if output is None:
        _write(text)
        return CLEAN
    try:
        output.write_bytes(text.encode())
    except OSError as error:
        raise Refused(f"cannot write {output}: {(error.strerror or str(error)).lower()}") from None
    _say(f"wrote {output}")
    return CLEAN


def _compile(options: argparse.Namespace) -> int:
    from .driver import compile_source
    from .inputs import check_store, read_source

    source = read_source(options.file)
    folder = Path(options.file).parent
    leave_out = () if options.output is None else (_outside(options.output, folder),)
    compiled = compile_source(source, folder, options.target, check_store(options.store), leave_out)
    _show(compiled.diagnostics, source, options)
    if compiled.build is None or compiled.bundle is None:
        return FAILED
    if options.output is None:
        _print_documents(compiled, options)
    else:
        _write_documents(compiled, options)
    return CLEAN


def _outside(output: Path, folder: Path) -> Path:
    """The output folder, which is left out of the bundle and so must not hold the flow itself."""
    from .inputs import Refused

    if folder.resolve().is_relative_to(output.resolve()):
        raise Refused(
            f"the documents cannot be written to {output}: the flow's own code lies there",
            f"choose a folder of its own, for example --output {output / 'build'}",
        )
    return output


def _print_documents(compiled: Compiled, options: argparse.Namespace) -> None:
    # The template of `sfn` holds everything; its other files only show parts of it.
    files = compiled.files if options.target == "argo" else compiled.files[:1]
    text = "---\n".join(file.text for file in files)
    _write(text)
    _mention("flowc: the code bundle was not written; --output writes it too", options)


def _write_documents(compiled: Compiled, options: argparse.Namespace) -> None:
    from .outputs import write

    assert compiled.build is not None
    assert compiled.bundle is not None
    documents, archive = write(options.output, compiled.files, compiled.bundle)
    for path in documents:
        _mention(f"wrote {path}", options)
    size = f"{compiled.bundle.size / 1024:.0f} KiB"
    store = compiled.build.store or "the store"
    place = f"{store.rstrip('/')}/{compiled.build.plan.flow}/bundles/{compiled.bundle.digest}.tar"
    _mention(f"wrote {archive} ({size}), to be copied to {place}", options)


def _run(options: argparse.Namespace) -> int:
    from flowc.targets.local import RunOptions, run

    from .driver import run_source
    from .inputs import check_store, read_params, read_source

    source = read_source(options.file)
    planned = run_source(source, Path(options.file).parent)
    _show(planned.diagnostics, source, options)
    if planned.build is None or planned.bundle is None:
        return FAILED
    plan, model = planned.build.plan, planned.build.model
    places = {param.name: f"{source.path}:{source.position(param.span.start).line}" for param in model.params}
    params = read_params(options.param, plan, places)
    settings = RunOptions(
        store=check_store(options.store),
        jobs=options.jobs,
        cpus=options.cpus,
        color={"always": True, "never": False}.get(options.color),
        live=options.live,
        source_path=Path(options.file),
    )
    return run(plan, planned.bundle, params, settings)


def _upkeep(options: argparse.Namespace) -> int:
    from .upkeep import doctor, gc

    if options.command == "doctor":
        return doctor(options.store, _write)
    return gc(options.store, options.flow, dry_run=options.dry_run, write=_write)


_COMMANDS = {"check": _check, "fmt": _fmt, "graph": _graph, "compile": _compile, "run": _run, "explain": _explain}
_COMMANDS |= {"gc": _upkeep, "doctor": _upkeep}


# --- talking ----------------------------------------------------------------------------------------------------------


def _show(diagnostics: Sequence[Diagnostic], source: Source, options: argparse.Namespace) -> None:
    from .report import Report

    report = Report(sys.stderr, options.format, options.color)
    report.add(source, diagnostics)
    report.end()


def _mention(message: str, options: argparse.Namespace) -> None:
    """Say something that nobody needs who reads standard error by a program."""
    if options.format not in ("json", "sarif"):
        _say(message)


def _say(message: str) -> None:
    from .render.text import printable

    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(f"{printable(message)}\n".encode(encoding, errors="replace").decode(encoding))


def _complain(message: str, *remedies: str) -> None:
    for line in (f"flowc: error: {message}", *(f"  = help: {remedy}" for remedy in remedies)):
        _say(line)


# --- options ----------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowc",
        description="A compiler for workflows with gang steps: nodes that start together and end together.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"flowc {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, help_: str, examples: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=help_,
            description=help_[0].upper() + help_[1:] + ".",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.add_argument(
            "--color",
            choices=("auto", "always", "never"),
            default="auto",
            help="colour the messages; auto: on a terminal, unless NO_COLOR is set",
        )
        added.add_argument("--debug", action="store_true", help="show the traceback of a fault in flowc itself")
        return added

    def format_of(added: argparse.ArgumentParser, help_: str) -> None:
        added.add_argument("--format", choices=("text", "json", "sarif", "github"), default="text", help=help_)

    on_stderr = "how to print, on standard error, what is wrong with the file"

    check = command("check", "find the mistakes in flow files", _CHECK)
    check.add_argument("files", nargs="+", metavar="FILE", help="a flow file")
    format_of(check, "how to print what was found")
    check.add_argument(
        "--fix",
        action="store_true",
        help="put right, in the file, what can have meant one thing only; guesses (did you mean …) are left to you",
    )
    check.add_argument(
        "--diff",
        action="store_true",
        help="with --fix: write nothing, show what would change, and on standard error what would remain",
    )
    check.add_argument(
        "--explain-settings", metavar="STEP", help="show each setting of this step, and where its value comes from"
    )

    fmt = command("fmt", "lay flow files out in the one way", _FMT)
    fmt.add_argument("files", nargs="+", metavar="FILE", help="a flow file, or - for standard input")
    fmt.add_argument("--check", action="store_true", help="write nothing, name the files that would change")
    fmt.add_argument("--diff", action="store_true", help="write nothing, show what would change")
    format_of(fmt, on_stderr)

    graph = command("graph", "draw the graph of a flow", _GRAPH)
    graph.add_argument("file", metavar="FILE", help="a flow file")
    graph.set_defaults(format="text")  # of the messages; here the word means the picture's
    graph.add_argument(
        "--format",
        dest="picture",
        choices=("mermaid", "dot", "svg", "json"),
        help="default: what --output ends in, else mermaid",
    )
    graph.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write it there: .mmd, .dot, .svg and .json are known"
    )

    compile_ = command("compile", "translate a flow file for an engine", _COMPILE)
    compile_.add_argument("file", metavar="FILE", help="a flow file")
    compile_.add_argument("--target", required=True, choices=("argo", "sfn"), help="Argo Workflows, or Step Functions")
    compile_.add_argument("--store", metavar="URL", help="where steps keep their data: s3://bucket/prefix")
    compile_.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="write documents and code bundle there, not to standard output"
    )

    format_of(compile_, on_stderr)

    run = command("run", "run a flow on this machine", _RUN)
    run.add_argument("file", metavar="FILE", help="a flow file")
    run.add_argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter; lists are written as JSON",
    )
    format_of(run, on_stderr)
    run.add_argument("--store", metavar="URL", help="where steps keep their data (default: .flowc/store)")
    run.add_argument("-j", "--jobs", type=int, metavar="N", help="at most so many steps at once")
    run.add_argument("--cpus", type=float, metavar="N", help="cores to share out among the steps")
    run.add_argument(
        "--live", action=argparse.BooleanOptionalAction, default=None, help="a live table (default: on a terminal)"
    )

    explain = command("explain", "tell what the code of a message means", _EXPLAIN)
    explain.add_argument("codes", nargs="*", metavar="CODE", help="such as F0312; without one, all are listed")

    gc = command("gc", "remove from a store the blobs that nothing refers to and that are older than a week", _GC)
    gc.add_argument("store", metavar="STORE", help="the store's URL or folder")
    gc.add_argument("--flow", metavar="NAME", help="in this flow only")
    gc.add_argument("--dry-run", action="store_true", help="remove nothing, say how much it would be")
    doctor = command("doctor", "try out whether flows can rely on a store", "")
    doctor.add_argument("--store", metavar="URL", default=".flowc/store", help="the store (default: .flowc/store)")
    return parser
