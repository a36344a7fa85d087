"""limits: what Kubernetes, JobSet and Argo would refuse, cut or misread, said before anything is emitted.

Takes a `Build`; gives diagnostics with the span of the step at fault. Every number is the platform's and is cited
beside its name; `argo lint` checks only some of them, the API server and the controller the rest, at run time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

from flowc.compiler.model import Build
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Span
from flowc.runtime.plan import Step
from flowc.runtime.store.urls import locate
from flowc.targets.pending import pending
from flowc.targets.settings import MAX_WAIT, deadline, is_image, last_wait

from . import faults, names, parameters
from .emit import emit

MAX_OBJECT_NAME = 63  # Argo's lint: the name becomes a label of every pod
MAX_TEMPLATE_NAME = 128  # the CRD's maxLength
MAX_TEMPLATES = 200  # the CRD's maxItems of spec.templates; dag.tasks has the same
MAX_PARAMETERS = 500  # the CRD's maxItems of inputs.parameters
MAX_DOCUMENT = 1024 * 1024  # the controller's MAX_WORKFLOW_SIZE, JSON
MAX_ANNOTATION = 262_144  # Kubernetes: all annotations of an object; client-side apply stores the object in one
MAX_ENV_VALUE = 131_072  # Linux: one string of argv or the environment
MAX_INDEXED_PODS = 100_000  # Kubernetes: parallelism of an Indexed Job
MAX_INT32 = 2**31 - 1  # activeDeadlineSeconds of pods, retry limits

Check = Callable[[Build], Iterator[Diagnostic]]


def limits(build: Build) -> tuple[Diagnostic, ...]:
    # Alone: the other checks measure documents, and there is none of what cannot be emitted.
    if missing := pending(build, "argo"):
        return tuple(map(faults.not_built, missing))
    return tuple(diagnostic for check in _CHECKS for diagnostic in check(build))


def _names(build: Build) -> Iterator[Diagnostic]:
    if len(names.object_name(build.plan.flow)) > MAX_OBJECT_NAME:
        yield faults.flow_name_too_long(build.model.span, build.plan.flow, MAX_OBJECT_NAME)
    for step in build.plan.steps:
        if len(names.template_name(step.name)) > MAX_TEMPLATE_NAME:
            yield faults.step_name_too_long(_span(build, step), step.name, MAX_TEMPLATE_NAME)


def _counts(build: Build) -> Iterator[Diagnostic]:
    steps = build.plan.steps
    room = MAX_TEMPLATES - 1 - any(step.gang for step in steps)  # the DAG itself, the exit handler of gangs
    if len(steps) > room:
        yield faults.too_many_steps(_span(build, steps[room]), len(steps), room)
    if len(build.plan.params) > MAX_PARAMETERS:
        yield faults.too_many_params(len(build.plan.params), MAX_PARAMETERS)


def _images(build: Build) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for step in build.plan.steps:
        image = step.settings.image
        if image not in seen and not is_image(image):
            yield faults.image_unusable(_span(build, step), image)
        seen.add(image)


def _sizes(build: Build) -> Iterator[Diagnostic]:
    text = json.dumps(emit(build).workflow_template, separators=(",", ":"), ensure_ascii=False)
    size = len(text.encode(errors="replace"))
    if size > MAX_DOCUMENT:
        yield faults.document_too_large(size, MAX_DOCUMENT)
    elif size > MAX_ANNOTATION:
        yield faults.document_large(size, MAX_ANNOTATION)
    texts = [parameters.document_text(param) or "" for param in build.plan.params]
    slots = ".".join(base64.b64encode(text.encode()).decode() for text in texts)
    if len(slots) > MAX_ENV_VALUE:
        yield faults.params_too_large(len(slots), MAX_ENV_VALUE)


def _numbers(build: Build) -> Iterator[Diagnostic]:
    for step in build.plan.steps:
        settings = step.settings
        if step.gang and step.nodes > MAX_INDEXED_PODS:
            yield faults.gang_too_large(_span(build, step), step.nodes, MAX_INDEXED_PODS)
        for setting, value in (("timeout", deadline(settings) or 0), ("retries", settings.retries)):
            if value > MAX_INT32:
                yield faults.number_too_large(_span(build, step), setting, value, MAX_INT32)
        if last_wait(settings) > MAX_WAIT:
            yield faults.waits_too_long(_span(build, step), last_wait(settings), MAX_WAIT)


def _store(build: Build) -> Iterator[Diagnostic]:
    store = build.store
    if store is None:
        return
    if "{{" in store or not store.isprintable():
        yield faults.store_unusable(store)
    elif locate(store).kind == "local":
        yield faults.store_on_one_host(store)


def _gangs(build: Build) -> Iterator[Diagnostic]:
    for step in build.plan.steps:
        if step.nodes > 1:
            yield faults.gang_without_queue(_span(build, step), step.name, step.nodes)


_CHECKS: tuple[Check, ...] = (_names, _counts, _images, _sizes, _numbers, _store, _gangs)


def _span(build: Build, step: Step) -> Span:
    return build.model.span_of(step.name)
