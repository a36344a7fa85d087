"""Names on Kubernetes and Argo, all made here.

Takes names of the language (`[a-z][a-z0-9_]*`); gives names the platform accepts. The mapping is injective: names of
the language hold no `-` and no capital letter, so `_` may become `-`, and a capital letter is free as an escape.
Names that flowc adds itself are keywords of the language, which no step can have.

Nothing is cut or refused here, except in label values, which may not be long: `limits` refuses what is too long.
"""

from __future__ import annotations

import hashlib
import re

# The entry template and the exit handler. `flow` and `finally` are keywords, so they cannot meet a step's name.
ENTRYPOINT = "flow"
EXIT_HANDLER = "finally"

# The ReplicatedJob of a gang, its only one. Its name is part of pod names, so it is short.
GANG_JOB = "node"
# The container that runs the body. `argo logs -c main` looks for this name, also in pods of a JobSet.
MAIN_CONTAINER = "main"

# Service accounts. A task reports results to Argo and reaches the store; the launcher handles JobSets and nothing
# else; a pod of a gang talks to no API at all and only needs an identity for the store.
TASK_ACCOUNT = "flowc-task"
LAUNCH_ACCOUNT = "flowc-gang-launch"
GANG_ACCOUNT = "flowc-gang-pod"

# Where the store's URL lies when the compiler was not told: a ConfigMap of the workflow's namespace.
STORE_CONFIG_MAP = "flowc"
STORE_CONFIG_KEY = "store"

RUN_LABEL = "flowc/run"
FLOW_LABEL = "flowc/flow"
STEP_LABEL = "flowc/step"

# Words of the expression language in which Argo evaluates `depends`, as far as a step can be called so.
_EXPRESSION_WORDS = frozenset(
    {"and", "contains", "else", "false", "if", "in", "let", "matches", "nil", "not", "or", "true"},
)
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")


def template_name(step: str) -> str:
    """The template of a step; also part of its pods' names, hence lower case only."""
    return step.replace("_", "-")


def task_name(step: str) -> str:
    """The DAG task of a step.

    Argo turns `-` back into `_` and evaluates `depends` as an expression in which task names are variables: a task
    `matches` or `nil` would be an operator or a literal there. With a capital letter it is a variable again.
    """
    return step.capitalize() if step in _EXPRESSION_WORDS else template_name(step)


def object_name(flow: str) -> str:
    """The WorkflowTemplate of a flow: an RFC 1123 name, which unlike a template's must not end in a dash."""
    name = flow.replace("_", "-")
    return name if not name.endswith("-") else f"{name}{_digest(flow)}"


def label_value(text: str) -> str:
    """A label value for a name or a digest: itself where Kubernetes allows it (63 characters), else cut and hashed."""
    if _LABEL_VALUE.fullmatch(text):
        return text
    return f"{text[:54].rstrip('-_.')}.{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
