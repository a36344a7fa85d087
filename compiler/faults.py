"""F02xx and F03xx: names, the graph, types. One constructor per code; the wording is here, the decision elsewhere.

Codes are stable: a code that is no longer used is never given to something else. More of these are in `scope_faults`
and `type_faults`, settings (F04xx) in `setting_faults`, bodies and the bundle (F05xx, F06xx) in `body_faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flowc.dsl import tables
from flowc.dsl.diagnostics import Diagnostic, Label, replace
from flowc.dsl.spans import Span
from flowc.dsl.suggest import closest, did_you_mean, listed

from .values import JSON, PICKLE, Type

# --- names ------------------------------------------------------------------------------------------------------------


def unknown_name(name: str, span: Span, known: Iterable[str], meant: tuple[str, ...] = ()) -> Diagnostic:
    """`meant`: help where the word itself shows what it should have been."""
    found = None if meant else closest(name, known)
    help_ = meant or ((f"did you mean `{found}`?",) if found else ())
    return _error("F0201", f"there is no parameter and no step `{name}`", span, "unknown name", help=help_, fix=found)


def unknown_step(name: str, span: Span, known: Sequence[str], written: Sequence[str] = ()) -> Diagnostic:
    """`written`: what the reference could be, where `name` is only what another language puts before it."""
    found = closest(name, known)
    label, fix = "unknown step", found
    if written:
        label, fix = "values stand for themselves", written[0] if len(written) == 1 else None
        help_: tuple[str, ...] = (f"write {listed(written, word='or')}",)
    else:
        help_ = (f"did you mean `{found}`?",) if found else ((f"the steps: {listed(known)}",) if known else ())
    return _error("F0202", f"there is no step `{name}`", span, label, help=help_, fix=fix)


def unknown_output(step: str, name: str, span: Span, declared: Span, known: Sequence[str]) -> Diagnostic:
    found = closest(name, known)
    outputs = f"its outputs: {listed(known)}" if known else f"add `out {name}: …` to `{step}`"
    return _error(
        "F0203",
        f"the step `{step}` has no output `{name}`",
        span,
        "unknown output",
        (Label(declared, "the step"),),
        (f"did you mean `{found}`?",) if found else (outputs,),
        fix=found,
    )


def name_taken(name: str, span: Span, kind: str, what: str, first: Span, *, arms: bool = False) -> Diagnostic:
    """A `kind` declared where a `what` has the name already; `arms`: two steps in two arms of one `if`."""
    if kind == what == "loop variable":
        help_ = "give each loop a variable of its own"
    elif arms:
        help_ = "give each arm's step a name of its own, `a` and `b`; behind the `if` read `either(a.output, b.output)`"
    else:
        help_ = "parameters, steps, secrets and loop variables share one set of names"
    return _error(
        "F0204",
        f"the name `{name}` is taken",
        span,
        "declared again",
        (Label(first, f"the {what} of this name"),),
        (help_,),
    )


def declared_twice(what: str, name: str, span: Span, first: Span) -> Diagnostic:
    message, related = f"{what} `{name}` is given twice", (Label(first, "given here first"),)
    both = "the step waits for it already: " if what == "the step" else ""
    help_ = f"{both}take one of them out" + ("" if both else ", or give it another name")
    return _error("F0205", message, span, "given again", related, (help_,))


def not_an_input(
    name: str,
    step: str,
    span: Span,
    inputs: Sequence[str],
    *,
    param: bool,
    secret: str | None = None,
    written: str | None = None,
) -> Diagnostic:
    """A name in a body or its environment that no `in` declares.

    `param`: `in NAME` would do; `secret`: what to write if this was to be the secret of that name; `written`: the
    input that is meant, where `name` is only what another language puts before it.
    """
    help_: tuple[str, ...]
    found = written or (None if secret else closest(name, inputs))
    if written:
        help_ = (f"an input stands for itself: write `{written}`",)
    elif secret:
        help_ = (f"`{name}` is a secret: write `{secret}`",)
    elif param:
        help_ = (f"add the line `in {name}` to the step",)
    elif found:
        help_ = (f"did you mean `{found}`?",)
    else:
        help_ = (f"its inputs: {listed(inputs)}",) if inputs else ("it has no inputs",)
    return _error(
        "F0207",
        f"`{name}` is no input of the step `{step}`",
        span,
        "a body sees only the step's inputs",
        help=help_,
        fix=None if param else found,
    )


def input_shadows(name: str, span: Span, what: str, declared: Span) -> Diagnostic:
    """`what` is "parameter" or "loop variable"."""
    return _error(
        "F0208",
        f"the input `{name}` is something else than the {what} of this name",
        span,
        f"not the {what} `{name}`",
        (Label(declared, f"the {what}"),),
        ("choose another name for the input",),
    )


def unknown_own_output(name: str, step: str, span: Span, known: Sequence[str]) -> Diagnostic:
    found = closest(name, known)
    return _error(
        "F0209",
        f"the step `{step}` has no output `{name}`",
        span,
        "unknown output",
        help=(f"did you mean `{found}`?",) if found else (f"add the line `out {name}: …` to the step",),
        fix=found and f"out.{found}",
    )


def step_without_output(step: str, span: Span, outputs: Sequence[str]) -> Diagnostic:
    if outputs:
        help_ = f"name one of its outputs: {listed((f'{step}.{name}' for name in outputs), word='or')}"
    else:
        help_ = f"it has no outputs; for order without data write `after {step}`"
    return _error("F0210", f"`{step}` is a step, not a value", span, "which output?", help=(help_,))


def no_such_param(
    name: str, span: Span, known: Sequence[str], outputs: Sequence[str], *, loops: bool = False
) -> Diagnostic:
    """The short form `in name`; `outputs` are the steps' outputs of that name, as references.

    `loops`: loop variables could stand here as well.
    """
    found = closest(name, known)
    what = "parameter and no loop variable" if loops else "parameter"
    if outputs:
        help_: tuple[str, ...] = (f"did you mean `in {name} = {outputs[0]}`?",)
    else:
        help_ = (f"did you mean `{found}`?",) if found else (f"say where it comes from: `in {name} = …`",)
    return _error(
        "F0211",
        f"there is no {what} `{name}`",
        span,
        "short for the parameter of this name" if not loops else "short for what has this name",
        help=help_,
        fix=f"{name} = {outputs[0]}" if outputs else found,
    )


def unused_param(name: str, span: Span) -> Diagnostic:
    return _warning(
        "F0212",
        f"the parameter `{name}` is never read",
        span,
        "no step has it as an input",
        help=(f"add `in {name}` to a step that needs it, or take the parameter out",),
    )


def unused_input(name: str, step: str, span: Span, remedy: str) -> Diagnostic:
    return _warning("F0213", f"`{step}` does not use its input `{name}`", span, "not used by the body", help=(remedy,))


def unknown_in_script(name: str, span: Span, step: str, known: Sequence[str]) -> Diagnostic:
    """`$in_NAME` or `$out_NAME` in a script, where the step has no such line."""
    return _warning(
        "F0214",
        f"the script reads `${name}`, which nobody sets",
        span,
        f"`{step}` has no such input or output",
        did_you_mean(name, known),
    )


def unknown_run_value(name: str, span: Span, *, final: bool = False) -> Diagnostic:
    """`final`: in the inputs of a step of `finally`, which see the run's end and not `run.id`."""
    help_ = "in `finally` there are `run.status` and `run.failed_step`" if final else "`run.id` is the run's identity"
    return _error("F0215", f"there is no `run.{name}`", span, "unknown", help=(help_,))


def not_visible_in_body(text: str, step: str, span: Span, suggestion: str, name: str) -> Diagnostic:
    return _error(
        "F0216",
        f"`{text}` cannot be read in a body",
        span,
        "a body sees only the step's inputs",
        help=(f"add the line `{suggestion}` to `{step}` and write `{name}` here",),
    )


def only_in_bodies(text: str, span: Span) -> Diagnostic:
    return _error(
        "F0217",
        f"`{text}` exists only while the step runs",
        span,
        "not known when its inputs are fetched",
        help=("it can stand in `run [ … ]` and in `env`",),
    )


_PLAIN = "write the name alone; outputs are those of a step: `step.output`"


def no_fields(text: str, what: str, span: Span, *, json: bool = False) -> Diagnostic:
    reason = "the language does not look into json values" if json else f"{what} has no parts"
    help_ = ("pass the whole value on, and let a body take the part from it" if json else _PLAIN,)
    return _error("F0218", f"`{text}` means nothing: {reason}", span, "no such part", help=help_)


def no_steps(flow: str, span: Span) -> Diagnostic:
    return _error(
        "F0219",
        f"the flow `{flow}` has no steps",
        span,
        "nothing to run",
        help=('add one: step hello { run ["echo", "hello"] }',),
    )


# --- types ------------------------------------------------------------------------------------------------------------


def unknown_type(name: str, item: str | None, span: Span) -> Diagnostic:
    """`item`: what the type in brackets behind it can have meant, if there is one; the span has it too."""
    known = tuple(tables.TYPES)
    alias = tables.by_alias(name, tuple(tables.TYPES.values()))
    found = alias or closest(name, known)
    if found == "list":
        found = f"list[{item or 'string'}]"
    return _error(
        "F0301",
        f"there is no type `{name}`",
        span,
        "unknown type",
        help=(f"did you mean `{found}`?",) if found else (f"the types: {', '.join(f'`{type_}`' for type_ in known)}",),
        fix=found,
        # `str` is a string; whether somebody's `path` is a file or a text only they know.
        certain=item is None and alias is not None and tables.TYPES[alias].scalar,
    )


def type_of_param(type_: Type, span: Span) -> Diagnostic:
    return _error(
        "F0302",
        f"a parameter cannot be a {type_}",
        span,
        "not for parameters",
        help=(
            ("only a step's own Python can make one; pass a json value",)
            if type_ == PICKLE
            else ("pass its address as a string, and let a step fetch it",)
        ),
    )


def list_of_what(span: Span) -> Diagnostic:
    return _error("F0303", "a list says what it holds", span, "list of what?", help=("for example `list[string]`",))


def no_type_argument(name: str, span: Span) -> Diagnostic:
    return _error(
        "F0304", f"`{name}` takes no type in brackets", span, "only lists have one", help=(f"write `{name}`",), fix=name
    )


def not_in_a_list(type_: Type, span: Span) -> Diagnostic:
    return _error(
        "F0305",
        f"a list cannot hold a {type_}",
        span,
        "not in a list",
        help=(
            ("one `pickle` holds any value, a list too",)
            if type_ == PICKLE
            else ("for many files that belong together use one output of type `dir`",)
        ),
    )


def wrong_default(
    found: str, type_: Type, span: Span, declared: Span, other: str | None, fixed: str | None = None
) -> Diagnostic:
    """`other`: the parameter, declared with the type of its default."""
    remedy = f"give {_a(type_)}" + (f", or declare `{other}`" if other else "")
    return _error(
        "F0306",
        f"the default is {found}, but the parameter is {_a(type_)}",
        span,
        f"expected {_a(type_)}",
        (Label(declared, "declared here"),),
        fix=fixed,
        help=(f"write `{fixed}`" if fixed else remedy,),
    )


def mixed_list(first: str, second: str, span: Span, first_span: Span) -> Diagnostic:
    return _error(
        "F0307",
        "the elements of a list are of one type",
        span,
        second,
        (Label(first_span, first),),
        ("write all of one type, or name them as members of an object: { a = …, b = … }",),
    )


def empty_list(span: Span) -> Diagnostic:
    return _error(
        "F0308",
        "nothing says what this empty list would hold",
        span,
        "a list of what?",
        help=("give it as the default of a parameter, which says its type",),
    )


def not_a_value(kind: str, span: Span) -> Diagnostic:
    return _error(
        "F0309",
        f"{kind} can only be the value of a setting",
        span,
        "not a value that a step can have",
        help=("write a number or a string",),
    )


def list_in_argv(span: Span, *, is_object: bool = False) -> Diagnostic:
    if is_object:
        what, label, help_ = "an object", "not one argument", "make it an input, which is one argument, its JSON text"
    else:
        what, label = "a list", "write its elements as arguments"
        help_ = "an input that holds a list expands to several arguments"
    return _error("F0310", f"{what} cannot be written inside a command", span, label, help=(help_,))


def not_for_env(name: str, type_: Type | None, span: Span) -> Diagnostic:
    """`type_` None: a list of whatever."""
    help_ = "in a script `$in_NAME` is the path of a JSON file with the list"
    if type_ == PICKLE:
        help_ = "Python reads it from `current.inputs`"
    elif type_ == JSON:
        help_ = "in a script `$in_NAME` is the path of a JSON file with the value"
    found = "a list" if type_ is None else _a(type_)
    message = f"`{name}` is {found}; a variable holds one value"
    return _error("F0311", message, span, "not one value", help=(help_,))


def _a(type_: Type) -> str:
    text = str(type_)
    if type_ == JSON:
        return text
    return f"an {text}" if text[0] in "aeio" else f"a {text}"


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


def _warning(code: str, message: str, span: Span, label: str, help: tuple[str, ...] = ()) -> Diagnostic:  # noqa: A002 - its field
    return Diagnostic(code, "warning", message, span, label, (), help)
