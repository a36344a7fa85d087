"""The example's graph written with Hera, as its users would: what `flowc compile --target argo` is compared with."""

from __future__ import annotations

import sys

from hera.workflows import DAG, Container, Parameter, Task, WorkflowTemplate

IMAGE = "registry.example.com/digits:1"
NEEDS = {
    "prepare": (),
    "train": ("prepare",),
    "evaluate": ("prepare", "train"),
    "report": ("prepare", "train", "evaluate"),
}


def build() -> str:
    parameters = [Parameter(name="epochs", value="12"), Parameter(name="lr", value="0.01")]
    with WorkflowTemplate(name="digits", entrypoint="main", arguments=parameters) as template:
        for name in NEEDS:
            Container(name=name, image=IMAGE, command=["python", "-m", "flowc.runtime", "step", name])
        with DAG(name="main"):
            for name, needs in NEEDS.items():
                Task(name=name, template=name, depends=" && ".join(needs) or None)
    text = template.to_yaml()
    assert isinstance(text, str)
    return text


if __name__ == "__main__":
    sys.stdout.write(build())
