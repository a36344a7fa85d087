"""emit: the plan as a state machine, job definitions and a CloudFormation template, plain data.

Takes a `Build`; gives `Documents`. The template holds everything the other two say, and is what `deploy` uses.

Pure: the same build gives equal documents. `limits` must have found no error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from flowc.compiler.model import Build

from .emit_jobs import Doc, JobDefinition, job_definition
from .emit_machine import state_machine
from .emit_stack import template
from .store import locate
from .structure import Structure, structure


@dataclass(frozen=True, slots=True)
class Documents:
    """What is rendered: `origin` are the lines that say where the documents come from."""

    origin: tuple[str, ...]
    machine: Doc
    jobs: tuple[JobDefinition, ...]
    template: Doc


def structure_of(build: Build) -> Structure:
    steps = build.plan.steps
    return structure([step.name for step in steps], {step.name: step.needs for step in steps})


def emit(build: Build) -> Documents:
    machine = state_machine(build, structure_of(build))
    jobs = tuple(job_definition(build, step) for step in build.plan.steps)
    location = None if build.store is None else locate(build.store)
    return Documents(
        origin=(
            f"Compiled from {build.source_name} (sha256 {build.source_digest})",
            f"by flowc {build.version} for Step Functions and Batch; code bundle {build.bundle_digest}.",
            "Change the flow file, not this one.",
        ),
        machine=machine,
        jobs=jobs,
        template=template(build, compact(machine), jobs, location),
    )


def compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))
