"""limits: what Step Functions, Batch and CloudFormation would refuse, said before anything is emitted.

Takes a `Build`; gives diagnostics with the span of the step at fault. Every number is the platform's and is cited
beside its name. No linter looks at most of these; they fail at deployment, or when a job is submitted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from flowc.compiler.model import Build
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.runtime.plan import Step
from flowc.targets import yaml_text
from flowc.targets.pending import pending
from flowc.targets.settings import MAX_WAIT, deadline, is_image, last_wait

from . import faults, names
from .emit import compact, emit, structure_of
from .emit_jobs import job_definition, resources
from .emit_stack import FIXED_RESOURCES
from .store import locate

MAX_STATE_NAME = 80  # Step Functions quotas
MAX_MACHINE = 1_048_576  # bytes of a definition, the same place
MAX_HISTORY = 25_000  # events of a Standard execution, the same place; it is ended there
WARN_HISTORY = 20_000
MAX_SECONDS = 31_536_000  # a Standard execution lasts a year at most
MAX_INTERVAL_ATTEMPTS = 99_999_999  # MaxAttempts of a retrier
MAX_BATCH_NAME = 128  # job and definition names
MAX_IMAGE = 255
MAX_DEFINITION = 24 * 1024  # bytes of RegisterJobDefinition, Batch quotas
MAX_NODES = 1_000  # multi-node jobs: instances of an ECS cluster
MAX_RESOURCES = 500  # of a CloudFormation template
MAX_TEMPLATE = 1_048_576  # bytes of a template in S3
MAX_DEPTH = 50  # ours: four levels of JSON each; parsers give up at some hundreds

# Events, as Step Functions records them: a Batch task, and each more try of it; a parallel block at most; the run
# itself with its first state.
TASK_EVENTS, RETRY_EVENTS, FORK_EVENTS, RUN_EVENTS = 6, 4, 4, 12

# More notes about added waits than this help nobody.
MAX_WAIT_NOTES = 10

Check = Callable[[Build], Iterator[Diagnostic]]


def limits(build: Build) -> tuple[Diagnostic, ...]:
    # Alone: the other checks measure documents, and there is none of what cannot be emitted.
    if missing := pending(build, "sfn"):
        return tuple(map(faults.not_built, missing))
    return tuple(diagnostic for check in _CHECKS for diagnostic in check(build))


def _names(build: Build) -> Iterator[Diagnostic]:
    for step in build.plan.steps:
        if len(names.state_name(step.name)) > MAX_STATE_NAME:
            yield faults.step_name_too_long(_span(build, step), step.name, MAX_STATE_NAME)
            continue
        name = names.definition_name(build.plan.flow, step.name, None)
        if len(name) > MAX_BATCH_NAME:
            yield faults.job_name_too_long(_span(build, step), name, MAX_BATCH_NAME)


def _counts(build: Build) -> Iterator[Diagnostic]:
    steps = build.plan.steps
    room = MAX_RESOURCES - FIXED_RESOURCES
    if len(steps) > room:
        yield faults.too_many_steps(_span(build, steps[room]), len(steps), room)
    events = RUN_EVENTS + sum(
        TASK_EVENTS + FORK_EVENTS + RETRY_EVENTS * min(step.settings.retries, MAX_HISTORY) for step in steps
    )
    if events > WARN_HISTORY:
        yield faults.history_long(events, WARN_HISTORY, MAX_HISTORY)


def _images(build: Build) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for step in build.plan.steps:
        image = step.settings.image
        if image not in seen and (not is_image(image) or len(image) > MAX_IMAGE):
            yield faults.image_unusable(_span(build, step), image, MAX_IMAGE)
        seen.add(image)


def _numbers(build: Build) -> Iterator[Diagnostic]:
    if build.plan.timeout is not None and build.plan.timeout > MAX_SECONDS:
        yield faults.number_too_large(build.model.span, "timeout", build.plan.timeout, MAX_SECONDS)
    for step in build.plan.steps:
        settings, span = step.settings, _span(build, step)
        if step.nodes > MAX_NODES:
            yield faults.gang_too_large(span, step.nodes, MAX_NODES)
        if (deadline(settings) or 0) > MAX_SECONDS:
            yield faults.number_too_large(span, "timeout", deadline(settings) or 0, MAX_SECONDS)
        if settings.retries > MAX_INTERVAL_ATTEMPTS:
            yield faults.number_too_large(span, "retries", settings.retries, MAX_INTERVAL_ATTEMPTS)
        if last_wait(settings) > MAX_WAIT:
            yield faults.waits_too_long(span, last_wait(settings), MAX_WAIT)
        vcpus = int(dict(resources(settings))["VCPU"])
        if vcpus != settings.cpu:
            yield faults.cpu_rounded(span, settings.cpu, vcpus)


def _store(build: Build) -> Iterator[Diagnostic]:
    if build.store is not None and locate(build.store) is None:
        yield faults.store_not_s3(build.store)


def _structure(build: Build) -> Iterator[Diagnostic]:
    found = structure_of(build)
    for wait in found.waits[:MAX_WAIT_NOTES]:
        yield faults.waits_for_more(build.model.span_of(wait.step), wait.step, wait.others)
    if len(found.waits) > MAX_WAIT_NOTES:
        yield faults.more_waits(len(found.waits) - MAX_WAIT_NOTES)
    if found.depth > MAX_DEPTH:
        yield faults.nested_too_deep(found.depth, MAX_DEPTH)
    elif len(build.plan.steps) <= MAX_RESOURCES:
        yield from _sizes(build)


def _sizes(build: Build) -> Iterator[Diagnostic]:
    documents = emit(build)
    machine = len(compact(documents.machine))
    if machine > MAX_MACHINE:
        yield faults.machine_too_large(machine, MAX_MACHINE)
    for step in build.plan.steps:
        size = len(json.dumps(job_definition(build, step).request))
        if size > MAX_DEFINITION:
            yield faults.job_too_large(_span(build, step), size, MAX_DEFINITION)
    # Only a template that is near the limit is worth writing out twice.
    if machine + sum(len(compact(job.request)) for job in documents.jobs) > MAX_TEMPLATE // 4:
        template = len(yaml_text.dump(documents.template))
        if template > MAX_TEMPLATE:
            yield faults.template_too_large(template, MAX_TEMPLATE)


_CHECKS: tuple[Check, ...] = (_names, _counts, _images, _numbers, _store, _structure)


def _span(build: Build, step: Step) -> Span:
    return build.model.span_of(step.name)
