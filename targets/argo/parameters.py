"""Parameters on their way through Argo: what stands in the document, and what a task is handed.

Argo pastes parameter values into templates as text and then scans the result for `{{…}}` again, with no way to escape
it. So a value reaches a task only as base64, made by an expression when the task starts, and the document holds a
default only where it is harmless. The text of a parameter, in the document or given at submission, reads:

| text | means |
|---|---|
| `flowc:default` | nothing was given: the plan's default counts |
| `flowc:base64:…` | the UTF-8 text in this base64: for values that Argo cannot carry, as those with `{{` |
| any other text that starts with `flowc:` | refused by the runtime |
| any other text, also the empty one | the value itself, byte for byte |

Value texts are those of `flowc.runtime.values`: a string as it is, `true`/`false`, numbers, lists as JSON. A parameter
without a default has no value in the document, so Argo refuses a submission that does not give it.
"""

from __future__ import annotations

from flowc.runtime.plan import Param
from flowc.runtime.run_record import NOT_GIVEN, RESERVED
from flowc.runtime.values import from_json, to_text

from .expressions import Expr, Part

# Parameter values are copied into every Workflow object and its status, which together must stay under 1 MiB; a
# longer default is left to the plan.
MAX_DEFAULT_BYTES = 4096


def document_text(param: Param) -> str | None:
    """The parameter's `value` in the WorkflowTemplate; None where the submitter has to give one."""
    if param.required:
        return None
    text = to_text(param.type, from_json(param.type, param.default))
    return text if _harmless(text) else NOT_GIVEN


def _harmless(text: str) -> bool:
    return (
        "{{" not in text
        and not text.startswith(RESERVED)
        and len(text.encode(errors="surrogatepass")) <= MAX_DEFAULT_BYTES
        and all(character.isprintable() or character in "\n\t" for character in text)
    )


def slots(params: tuple[Param, ...]) -> tuple[Part, ...]:
    """FLOWC_PARAMS: base64 of every parameter's text in plan order, joined by dots (no digit of base64 is a dot)."""
    parts: list[Part] = []
    for param in params:
        parts += [".", Expr(f"sprig.b64enc(workflow.parameters.{param.name})")]
    return tuple(parts[1:])
