"""Diagnostics of the Argo target, F1xxx: one constructor per code. `limits` decides, the wording is here.

Codes are stable and never used again for something else. F10xx are errors and warnings about what Kubernetes or Argo
would refuse or misread; F11xx are notes.
"""

from __future__ import annotations

from flowc.dsl.diagnostics import Diagnostic, Severity
from flowc.dsl.spans import Span
from flowc.targets.pending import Pending


def flow_name_too_long(span: Span, flow: str, limit: int) -> Diagnostic:
    return _fault(
        "F1001",
        "error",
        f"the flow's name has {len(flow)} characters; a WorkflowTemplate's name may have {limit}",
        span,
        "too long for Argo",
        f"shorten `{flow}`",
    )


def step_name_too_long(span: Span, step: str, limit: int) -> Diagnostic:
    return _fault(
        "F1002",
        "error",
        f"the step's name has {len(step)} characters; a template's name may have {limit} on Argo",
        span,
        "too long for Argo",
        "choose a shorter name",
    )


def too_many_steps(span: Span, steps: int, limit: int) -> Diagnostic:
    return _fault(
        "F1003",
        "error",
        f"the flow has {steps} steps; one WorkflowTemplate holds {limit} of this kind",
        span,
        "the first step too many",
        "the API server accepts 200 templates per object; larger flows are not built in this version yet",
        "split the flow, or do more in one step",
    )


def too_many_params(params: int, limit: int) -> Diagnostic:
    return _fault(
        "F1004",
        "error",
        f"the flow has {params} parameters; Argo takes {limit}",
        None,
        "",
        "put related values into one list parameter or into a file",
    )


def image_unusable(span: Span, image: str) -> Diagnostic:
    return _fault(
        "F1005",
        "error",
        f"{image!r} is no image reference",
        span,
        "in this step",
        "Kubernetes takes letters, digits and `. _ - / : @` here, and Argo would expand `{{…}}` inside it",
    )


def document_too_large(size: int, limit: int) -> Diagnostic:
    return _fault(
        "F1006",
        "error",
        f"the WorkflowTemplate has {size:,} bytes; Argo's controller keeps workflows under {limit:,}",
        None,
        "",
        "split the flow; long chains of `in` and `after` between many steps cost most",
    )


def document_large(size: int, limit: int) -> Diagnostic:
    return _fault(
        "F1007",
        "warning",
        f"the WorkflowTemplate has {size:,} bytes; `kubectl apply` keeps a copy in an annotation of at most {limit:,}",
        None,
        "",
        "use `kubectl create`, `kubectl replace` or `kubectl apply --server-side`",
        "Argo copies the template into every run, so a smaller one is kinder to the cluster",
    )


def params_too_large(size: int, limit: int) -> Diagnostic:
    return _fault(
        "F1008",
        "error",
        f"the parameters' defaults have {size:,} bytes as one environment variable; Linux takes {limit:,}",
        None,
        "",
        "put long values into files and pass their addresses",
    )


def gang_too_large(span: Span, nodes: int, limit: int) -> Diagnostic:
    return _fault(
        "F1009",
        "error",
        f"the gang has {nodes:,} nodes; an Indexed Job runs at most {limit:,} pods at once",
        span,
        "too many nodes",
        "use fewer nodes with more processes each",
    )


def number_too_large(span: Span, setting: str, value: int, limit: int) -> Diagnostic:
    return _fault(
        "F1010",
        "error",
        f"`{setting}` comes to {value:,}; Kubernetes and Argo take at most {limit:,}",
        span,
        "in this step",
        f"choose a smaller `{setting}`",
    )


def waits_too_long(span: Span, seconds: int, limit: int) -> Diagnostic:
    return _fault(
        "F1011",
        "error",
        f"the wait before the last retry would be {seconds // 86400:,} days",
        span,
        "`retry_wait` doubles with every retry",
        f"lower `retries` or `retry_wait`, so that no wait is longer than {limit // 86400} days",
    )


def store_unusable(store: str) -> Diagnostic:
    return _fault(
        "F1012",
        "error",
        f"the store {store!r} cannot be written into a workflow",
        None,
        "",
        "Argo expands `{{…}}`, and control characters do not survive; use a store without them",
    )


def store_on_one_host(store: str) -> Diagnostic:
    return _fault(
        "F1013",
        "warning",
        f"the store {store} is a folder: pods share it only where every image has the same file system mounted there",
        None,
        "",
        "use an object store, for instance `--store s3://bucket/prefix`",
    )


def not_built(pending: Pending) -> Diagnostic:
    return pending.diagnostic("F1014", "cannot be compiled for Argo Workflows")


def gang_without_queue(span: Span, step: str, nodes: int) -> Diagnostic:
    return _fault(
        "F1101",
        "note",
        f"nothing makes the {nodes} nodes of `{step}` start all at once",
        span,
        "a JobSet is not scheduled as a whole",
        "a gang that is only half started within `start_timeout` fails and frees its hosts",
        "a cluster with Kueue can give the namespace a default queue, which then admits gangs as a whole",
    )


def _fault(code: str, severity: Severity, message: str, span: Span | None, label: str, *help_: str) -> Diagnostic:
    return Diagnostic(code, severity, message, span, label, help=help_)
