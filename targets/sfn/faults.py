"""Diagnostics of the Step Functions target, F2xxx: one constructor per code. `limits` decides, the wording is here.

Codes are stable and never used again for something else. F20xx are errors and warnings about what Step Functions,
Batch or CloudFormation would refuse; F21xx are notes about what runs in another way than written.
"""

from __future__ import annotations

from flowc.dsl.diagnostics import Diagnostic, Severity
from flowc.dsl.spans import Span
from flowc.targets.pending import Pending


def step_name_too_long(span: Span, step: str, limit: int) -> Diagnostic:
    return _fault(
        "F2001",
        "error",
        f"the step's name has {len(step)} characters; a state's name may have {limit} on Step Functions",
        span,
        "too long for Step Functions",
        "choose a shorter name",
    )


def job_name_too_long(span: Span, name: str, limit: int) -> Diagnostic:
    return _fault(
        "F2002",
        "error",
        f"the job definition's name {name!r} has {len(name)} characters; Batch takes {limit}",
        span,
        "flow and step name together are too long",
        "shorten the name of the flow or of the step",
    )


def too_many_steps(span: Span, steps: int, limit: int) -> Diagnostic:
    return _fault(
        "F2003",
        "error",
        f"the flow has {steps} steps; one CloudFormation stack has room for {limit}",
        span,
        "the first step too many",
        "a stack holds 500 resources; larger flows are not built in this version yet",
        "split the flow, or do more in one step",
    )


def machine_too_large(size: int, limit: int) -> Diagnostic:
    return _fault(
        "F2004",
        "error",
        f"the state machine has {size:,} bytes; Step Functions takes {limit:,}",
        None,
        "",
        "split the flow, or do more in one step",
    )


def job_too_large(span: Span, size: int, limit: int) -> Diagnostic:
    return _fault(
        "F2005",
        "error",
        f"the job definition has {size:,} bytes; Batch takes {limit:,}",
        span,
        "in this step",
        "shorten the image's name",
    )


def image_unusable(span: Span, image: str, limit: int) -> Diagnostic:
    return _fault(
        "F2006",
        "error",
        f"{image!r} is no image that Batch takes",
        span,
        "in this step",
        f"an image has at most {limit} letters, digits and `. _ - / : @`",
    )


def gang_too_large(span: Span, nodes: int, limit: int) -> Diagnostic:
    return _fault(
        "F2007",
        "error",
        f"the gang has {nodes:,} nodes; a multi-node job on Batch runs on at most {limit:,}",
        span,
        "too many nodes",
        "use fewer nodes with more processes each",
    )


def store_not_s3(store: str) -> Diagnostic:
    return _fault(
        "F2008",
        "error",
        f"the store {store!r} is not one that Step Functions can write to",
        None,
        "",
        "give a bucket and a plain prefix: `--store s3://bucket/prefix`",
        "in the prefix, letters, digits and `! _ . * ( ) -` may stand between slashes",
    )


def waits_too_long(span: Span, seconds: int, limit: int) -> Diagnostic:
    return _fault(
        "F2009",
        "error",
        f"the wait before the last retry would be {seconds // 86400:,} days",
        span,
        "`retry_wait` doubles with every retry",
        f"lower `retries` or `retry_wait`, so that no wait is longer than {limit // 86400} days",
    )


def number_too_large(span: Span, setting: str, value: int, limit: int) -> Diagnostic:
    return _fault(
        "F2010",
        "error",
        f"`{setting}` comes to {value:,}; Step Functions and Batch take at most {limit:,}",
        span,
        "here",
        f"choose a smaller `{setting}`",
    )


def nested_too_deep(depth: int, limit: int) -> Diagnostic:
    return _fault(
        "F2011",
        "error",
        f"the flow becomes {depth} parallel blocks inside each other; {limit} are emitted",
        None,
        "",
        "join branches earlier with `after`",
    )


def history_long(events: int, warn: int, limit: int) -> Diagnostic:
    return _fault(
        "F2012",
        "warning",
        f"with all its retries a run may record {events:,} events; Step Functions ends a run at {limit:,}",
        None,
        "",
        f"fewer retries or fewer steps keep it under {warn:,}",
    )


def template_too_large(size: int, limit: int) -> Diagnostic:
    return _fault(
        "F2013",
        "error",
        f"the CloudFormation template has {size:,} bytes; CloudFormation takes {limit:,}",
        None,
        "",
        "split the flow, or do more in one step",
    )


def not_built(pending: Pending) -> Diagnostic:
    return pending.diagnostic("F2014", "cannot be compiled for Step Functions")


def waits_for_more(span: Span, step: str, others: tuple[str, ...]) -> Diagnostic:
    listed = " and ".join(f"`{other}`" for other in others)
    return _fault(
        "F2101",
        "note",
        f"`{step}` waits for {listed} too, though it needs nothing of them",
        span,
        "starts later here than on other targets",
        "a state machine runs branches side by side and joins them all; this flow's order is no such nesting",
        "the results are the same; where it costs time, let one step of the pair need the other's predecessors too",
    )


def more_waits(count: int) -> Diagnostic:
    return _fault("F2102", "note", f"{count} more steps wait for steps they do not need (see F2101)", None, "")


def cpu_rounded(span: Span, cpu: float, whole: int) -> Diagnostic:
    return _fault(
        "F2103",
        "note",
        f"`cpu = {cpu:g}` becomes {whole} on Batch",
        span,
        "rounded up",
        "Batch on EC2 counts whole processors",
    )


def _fault(code: str, severity: Severity, message: str, span: Span | None, label: str, *help_: str) -> Diagnostic:
    return Diagnostic(code, severity, message, span, label, help=help_)
