"""The example's graph written with Hera, as its users would: what `flowc compile --target argo` is compared with."""

from __future__ import annotations

import sys

from hera.workflows import DAG, Container, Parameter, WorkflowTemplate

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
        containers = {
            name: Container(name=name, image=IMAGE, command=["python", "-m", "flowc.runtime", "step", name])
            for name in NEEDS
        }
        with DAG(name="main"):
            tasks = {name: container(name=name) for name, container in containers.items()}
            for name, needs in NEEDS.items():
                for need in needs:
                    tasks[need] >> tasks[name]
    text = template.to_yaml()
    assert isinstance(text, str)
    return text


if __name__ == "__main__":
    sys.stdout.write(build())
