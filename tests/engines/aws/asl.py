"""moto's interpreter of the Amazon States Language, made to drive a Batch endpoint and to behave like the service.

Takes a `Wiring` (where the services are, how long waits last); gives nothing: after `install` every execution in this
process's moto runs through it. Each patch is one function; its docstring says what moto 5.2.5 does wrong, and
`test_moto_patches.py` has a guard per patch that fails when moto changes. All of it is test-only and leans on private
names, hence moto is pinned exactly.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from . import conversion
from .batch_rules import service_model, shape_faults
from .server import client

_ASL = "moto.stepfunctions.parser.asl"
_SERVICE = f"{_ASL}.component.state.exec.state_task.service"
_MAP = f"{_ASL}.component.state.exec.state_map"


class Pulse:
    """Tells waiters that something changed somewhere: cheaper than polling an endpoint every few milliseconds."""

    def __init__(self) -> None:
        self._condition = threading.Condition()

    def beat(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait(seconds)


@dataclass(slots=True)
class Wiring:
    """`wait_scale` multiplies Wait states and Retry intervals. `terminate_on_timeout`: whether a task's or machine's
    TimeoutSeconds also ends its job; AWS promises that for a stop and for a failed sibling, not for a timeout."""

    batch_url: str
    is_multinode: Callable[[str], bool]
    wait_scale: float = 1.0
    terminate_on_timeout: bool = True
    pulse: Pulse = field(default_factory=Pulse)
    actions: set[str] = field(default_factory=set)


_wiring: Wiring | None = None


def wiring() -> Wiring:
    if _wiring is None:
        raise RuntimeError("no engine is open")
    return _wiring


def install(new: Wiring) -> None:
    """Applies every patch once per process and makes `new` the wiring of executions from now on."""
    global _wiring
    _wiring = new
    apply_patches()


def apply_patches() -> None:
    for patch in PATCHES:
        patch()


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _keep(function: Any, unpatched: Any) -> Any:
    """Leaves the original where the guard tests find it."""
    function.unpatched = unpatched
    return function


def _replace_everywhere(name: str, function: Any) -> None:
    """Replaces a function in the module that defines it and in those that imported it by name."""
    _module("moto.stepfunctions.parser.models")  # imports every task and reader there is
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith(_ASL) and hasattr(module, name):
            vars(module)[name] = _keep(function, getattr(module, name))


@functools.cache
def _client(service: str, url: str | None) -> Any:
    return client(service, url)


@functools.cache
def _task_client(service: str, url: str | None) -> Any:
    """A client of the interpreter's own, which notes every call that a state machine's role has to allow."""
    made = client(service, url)

    def note(model: Any, **_: Any) -> None:
        wiring().actions.add(f"{_IAM_PREFIXES.get(service, service)}:{model.name}")

    made.meta.events.register("before-call", note)
    return made


_IAM_PREFIXES = {"stepfunctions": "states"}


@functools.cache
def patch_clients() -> None:
    """moto makes a new client per call, for localhost's default port, and knows no way to another Batch."""

    def boto_client_for(region: str, service: str, state_credentials: Any = None) -> Any:
        return _task_client(service, wiring().batch_url if service == "batch" else None)

    _replace_everywhere("boto_client_for", boto_client_for)


@functools.cache
def patch_parameters() -> None:
    """moto drops parameters that are not on its old list (Batch NodeOverrides, PropagateTags, ...) without a word.
    Here all pass, and one that the API does not have fails in `to_api`."""
    task = _module(f"{_ASL}.component.state.exec.state_task.state_task").StateTask

    def eval_parameters(self: Any, env: Any) -> Any:
        if self.parargs is None:
            return {}
        self.parargs.eval(env=env)
        return env.stack.pop()

    task._eval_parameters = _keep(eval_parameters, task._eval_parameters)


@functools.cache
def patch_case_conversion() -> None:
    """moto's conversion between Step Functions' casing and the API's is an empty method, so every integration whose
    API is in camel case fails (`'JobName'`), answers keep the API's casing, and S3's Body stays a stream.
    Wrong types end the execution as States.Runtime, which no Catch sees (ASFHyP3/hyp3#2585)."""
    task = _module(f"{_SERVICE}.state_task_service").StateTaskService

    def operation(self: Any, service: str | None, action: str | None) -> tuple[str, str, Any]:
        name = self._get_boto_service_name(service)
        called = conversion.operation_named(name, self._get_boto_service_action(action))
        return name, called, service_model(name).operation_model(called)

    def normalise_parameters(
        self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        service, called, model = operation(self, boto_service_name, service_action_name)
        converted = conversion.to_api(parameters, model.input_shape)
        faults = shape_faults(service, called, converted)
        if called == "StartExecution" and "name" in converted:
            faults += execution_name_faults(str(converted["name"]))
        if faults:
            raise ValueError(f"The Parameters {json.dumps(parameters)} could not be used to start the Task: {faults}")
        parameters.clear()
        parameters.update(converted)

    def normalise_response(
        self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        if not isinstance(response, dict):
            return
        _, _, model = operation(self, boto_service_name, service_action_name)
        _convert_in_place(response, model.output_shape)

    task._normalise_parameters = _keep(normalise_parameters, task._normalise_parameters)
    task._normalise_response = _keep(normalise_response, task._normalise_response)


def execution_name_faults(name: str) -> list[str]:
    """Step Functions service quotas: 1 to 80 characters, no white space, brackets, wildcards, special or control."""
    fits = re.fullmatch(r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}""", name)
    return [] if fits else [f"InvalidName: {name!r}"]


def _convert_in_place(response: dict[str, Any], shape: Any) -> None:
    """moto's resolvers keep references into the answer (`jobs[0]`), so those objects are the ones to change."""
    members = {} if shape is None else shape.members
    for name in [name for name in response if name in members]:
        value, member = response.pop(name), members[name]
        if isinstance(value, dict) and member.type_name == "structure":
            _convert_in_place(value, member)
        elif isinstance(value, list) and member.type_name == "list" and member.member.type_name == "structure":
            for item in value:
                _convert_in_place(item, member.member)
        else:
            value = conversion.to_states(value, member)
        response[conversion.pascal(name)] = value


@functools.cache
def patch_managed_by_aws() -> None:
    """moto adds MANAGED_BY_AWS to ContainerOverrides in the API's casing and to multi-node jobs as well, where
    container overrides are not allowed. What AWS does there is unknown; a gang must not depend on it."""
    task = _module(f"{_SERVICE}.state_task_service_batch").StateTaskServiceBatch
    unpatched = task._attach_aws_environment_variables

    def attach(parameters: Any) -> None:
        definition = parameters.get("JobDefinition")
        try:
            multinode = wiring().is_multinode(definition)
        except Exception:  # an unknown definition is SubmitJob's to report
            multinode = True
        if not multinode:
            overrides = parameters.setdefault("ContainerOverrides", {})
            overrides.setdefault("Environment", []).append(
                {"Name": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}
            )

    task._attach_aws_environment_variables = staticmethod(_keep(attach, unpatched))


@functools.cache
def patch_poll_interval() -> None:
    """moto looks at a `.sync` task every 0.5 s. AWS hears of a job's end by an event; so does this."""
    module = _module(f"{_SERVICE}.state_task_service_callback")
    module.time = SimpleNamespace(sleep=lambda seconds: wiring().pulse.wait(min(seconds, 0.5)), unpatched=module.time)
    communication = _module("moto.stepfunctions.parser.backend.execution").BaseExecutionWorkerCommunication
    unpatched = communication.terminated

    def terminated(self: Any) -> None:
        unpatched(self)
        wiring().pulse.beat()

    communication.terminated = _keep(terminated, unpatched)


@functools.cache
def patch_retried_callback() -> None:
    """moto makes one callback endpoint per state and interrupts it after the first attempt, so that a retried `.sync`
    task ends at once in a false States.Timeout."""
    task = _module(f"{_SERVICE}.state_task_service_callback").StateTaskServiceCallback
    unpatched = task._eval_integration_pattern

    def eval_integration_pattern(self: Any, env: Any, *args: Any, **kwargs: Any) -> None:
        data = env.states.context_object.context_object_data
        endpoint = env.callback_pool_manager.get(data["Task"]["Token"]) if "Task" in data else None
        if endpoint is not None:
            endpoint._notify_event.clear()
        unpatched(self, env, *args, **kwargs)

    task._eval_integration_pattern = _keep(eval_integration_pattern, unpatched)


@functools.cache
def patch_states_errors() -> None:
    """moto refuses `States.*` as the error of a Parallel branch or Map item ("must not begin with the prefix"), and
    reports States.Runtime in its place."""
    custom = _module(f"{_ASL}.component.common.error_name.custom_error_name").CustomErrorName
    states = _module(f"{_ASL}.component.common.error_name.states_error_name").StatesErrorName

    def new(cls: Any, error_name: str | None = None) -> Any:
        if error_name is not None and error_name.startswith("States."):
            return states.from_name(error_name)  # not a CustomErrorName: Python then skips its __init__
        return object.__new__(cls)

    custom.__new__ = staticmethod(new)


@functools.cache
def patch_uncatchable() -> None:
    """moto lets States.ALL catch and retry States.Runtime and States.DataLimitExceeded; the service does not
    (error-handling documentation)."""
    decl = _module(f"{_ASL}.component.common.error_name.error_equals_decl").ErrorEqualsDecl
    unpatched = decl._eval_body

    def eval_body(self: Any, env: Any) -> None:
        name = env.stack[-1].error_name
        unpatched(self, env)
        if name in ("States.Runtime", "States.DataLimitExceeded"):
            env.stack[-1] = any(listed.error_name == name for listed in self.error_names)

    decl._eval_body = _keep(eval_body, unpatched)


@functools.cache
def patch_definite_paths() -> None:
    """moto gives a list with one element for a path through an index, such as `$.Jobs[0].Status`; the service gives
    the value, since such a path is definite."""
    module = _module(f"{_ASL}.utils.json_path")
    unpatched, parse = module.extract_json, functools.cache(module.parse)

    def extract_json(path: str, data: Any) -> Any:
        if re.search(r"\*|\.\.|\?|:|,", path):
            return unpatched(path, data)
        matches = parse(path).find(data)
        if not matches:
            raise module.NoSuchJsonPathError(json_path=path, data=data)
        return matches[0].value

    _replace_everywhere("extract_json", extract_json)


@functools.cache
def patch_jsonata() -> None:
    """moto's JSONata evaluator is missing (getmoto/moto#10105): JSONata, and variables of `Assign` even in JSONPath,
    fail with `'NoneType' object is not callable`."""
    module = _module(f"{_ASL}.jsonata.jsonata")

    def evaluate(expression: str) -> Any:
        from jsonata import Jsonata

        try:
            return Jsonata(expression).evaluate(None)
        except Exception as error:
            raise module.JSONataException("UNKNOWN", str(error)) from error

    module._eval_jsonata = evaluate


@functools.cache
def patch_query_language() -> None:
    """moto keeps the stack of query languages on the class: a definition that fails to parse poisons all later ones,
    and executions that start at the same time disturb each other."""
    preprocessor = _module(f"{_ASL}.parse.preprocessor").Preprocessor
    unpatched = preprocessor.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        unpatched(self, *args, **kwargs)
        self._query_language_per_scope = []

    preprocessor.__init__ = _keep(init, unpatched)


@functools.cache
def patch_integer_percentage() -> None:
    """moto's grammar knows ToleratedFailurePercentage with a decimal point only; 5 is as good as 5.0."""
    parser = _module(f"{_ASL}.parse.asl_parser").AmazonStateLanguageParser
    unpatched = parser.parse

    def parse(definition: str) -> Any:
        return unpatched(re.sub(r'("ToleratedFailurePercentage"\s*:\s*\d+)(?=[\s,}])', r"\1.0", definition))

    parser.parse = staticmethod(_keep(parse, unpatched))


@functools.cache
def patch_start_time() -> None:
    """moto's `$$.Execution.StartTime` is no text but an object that later breaks DescribeExecution."""
    worker = _module("moto.stepfunctions.parser.backend.execution_worker").ExecutionWorker
    unpatched = worker._get_evaluation_environment

    def environment(self: Any) -> Any:
        env = unpatched(self)
        data = env.states.context_object.context_object_data["Execution"]
        data["StartTime"] = f"{data['StartTime']:%Y-%m-%dT%H:%M:%S}.{data['StartTime'].microsecond // 1000:03}Z"
        return env

    worker._get_evaluation_environment = _keep(environment, unpatched)


@functools.cache
def patch_batch_errors() -> None:
    """moto names a Batch error after its code. Step Functions knows the two modelled exceptions and calls everything
    else, throttling too, Batch.AWSBatchException."""
    task = _module(f"{_SERVICE}.state_task_service_batch").StateTaskServiceBatch
    unpatched = task._from_error

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError) and ex.response["Error"]["Code"] not in ("ClientException", "ServerException"):
            ex.response["Error"]["Code"] = "AWSBatchException"
        return unpatched(self, env, ex)

    task._from_error = _keep(from_error, unpatched)


@functools.cache
def patch_sdk_error_names() -> None:
    """moto's `aws-sdk` errors carry the service's name as the ARN spells it (`s3.`, `batch.`); AWS says `S3.`."""
    _module(f"{_SERVICE}.state_task_service_aws_sdk")._SERVICE_ERROR_NAMES.update({"s3": "S3", "batch": "Batch"})


@functools.cache
def patch_cancellation() -> None:
    """moto forgets the job or inner execution of a `.sync` task that is stopped, fails beside a sibling or times out;
    it keeps running. AWS cancels it for the first two, and for a timeout promises nothing."""
    base = _module(f"{_SERVICE}.state_task_service_callback").StateTaskServiceCallback
    unpatched = base._eval_sync

    def eval_sync(self: Any, env: Any, sync_resolver: Any, **kwargs: Any) -> Any:
        outcome = unpatched(self, env=env, sync_resolver=sync_resolver, **kwargs)
        timed_out = type(outcome).__name__ in ("CallbackOutcomeTimedOut", "HeartbeatTimedOut")
        if outcome is None or timed_out:
            state = type(env.program_state()).__name__
            by_timeout = timed_out or state in ("ProgramEnded", "ProgramTimedOut")
            if not by_timeout or wiring().terminate_on_timeout:
                getattr(sync_resolver, "cancel", lambda: None)()
        return outcome

    base._eval_sync = _keep(eval_sync, unpatched)
    batch = _module(f"{_SERVICE}.state_task_service_batch").StateTaskServiceBatch
    _cancel_by(
        batch,
        ("_build_sync_resolver",),
        "JobId",
        lambda job: _task_client("batch", wiring().batch_url).terminate_job(
            jobId=job, reason="Terminated by Step Functions"
        ),
    )
    _cancel_by(
        _module(f"{_SERVICE}.state_task_service_sfn").StateTaskServiceSfn,
        ("_build_sync_resolver", "_build_sync2_resolver"),
        "ExecutionArn",
        lambda arn: _task_client("stepfunctions", None).stop_execution(executionArn=arn),
    )


def _cancel_by(task: Any, builders: tuple[str, ...], key: str, cancel: Callable[[str], Any]) -> None:
    for builder in builders:
        unpatched = getattr(task, builder)

        def build(self: Any, env: Any, *args: Any, _unpatched: Any = unpatched, **kwargs: Any) -> Any:
            handle = env.stack[-1][key]
            resolver = _unpatched(self, env, *args, **kwargs)
            resolver.cancel = lambda: cancel(handle)
            return resolver

        setattr(task, builder, _keep(build, unpatched))


@functools.cache
def patch_stop_is_final() -> None:
    """moto lets an error that a stop causes inside a Map turn an ABORTED or TIMED_OUT execution into a FAILED one."""
    environment = _module(f"{_ASL}.eval.environment").Environment
    unpatched = environment.set_error

    def set_error(self: Any, error: Any) -> None:
        with self._state_mutex:
            if type(self._program_state).__name__ not in ("ProgramStopped", "ProgramTimedOut"):
                unpatched(self, error)

    environment.set_error = _keep(set_error, unpatched)


@functools.cache
def patch_map_siblings() -> None:
    """moto lets the other items of an inline Map run on after one has failed; AWS aborts them."""
    component = _module(f"{_MAP}.iteration.inline_iteration_component").InlineIterationComponent
    unpatched = component._eval_body

    def eval_body(self: Any, env: Any) -> None:
        try:
            unpatched(self, env)
        except Exception:
            _stop_frames(env)
            raise

    component._eval_body = _keep(eval_body, unpatched)


def _stop_frames(env: Any) -> None:
    for frame in list(env._frames):
        frame.set_stop(stop_date=None, cause=None, error=None)


@functools.cache
def patch_distributed_map() -> None:
    """moto turns a failed item of a distributed Map into null and ignores tolerated failures; and its child executions
    show their parent's `$$.Execution`, where AWS gives each its own name and its item as input."""
    worker = _module(f"{_MAP}.iteration.itemprocessor.distributed_item_processor_worker").DistributedItemProcessorWorker
    component = _module(f"{_MAP}.iteration.distributed_iteration_component").DistributedIterationComponent
    unpatched, unpatched_run = worker._eval_job, component._map_run

    def eval_job(self: Any, env: Any, job: Any) -> None:
        data = env.states.context_object.context_object_data
        child = f"{data['Execution']['Name']}-item-{job.job_index}"
        data["Execution"] = {
            **data["Execution"],
            "Name": child,
            "Input": job.job_input,
            "Id": f"{data['Execution']['Id']}/{child}",
        }
        unpatched(self, env, job)
        record = self._map_run_record
        failed, total = record.item_counter.failed.get(), self._job_pool._jobs_number
        count, share = record.tolerated_failure_count or 0, record.tolerated_failure_percentage or 0
        too_many = failed > count if count or not share else False
        if failed and (too_many or (share and failed * 100 / total > share)):
            job.job_output = _tolerance_exceeded(env, failed)

    def map_run(self: Any, env: Any, eval_input: Any) -> None:
        try:
            unpatched_run(self, env, eval_input)
        except Exception:
            _stop_frames(env)
            raise

    worker._eval_job = _keep(eval_job, unpatched)
    component._map_run = _keep(map_run, unpatched_run)


def _tolerance_exceeded(env: Any, failed: int) -> Exception:
    failure = _module(f"{_ASL}.component.common.error_name.failure_event")
    details = _module(f"{_ASL}.eval.event.event_detail").EventDetails
    kind = _module("moto.stepfunctions.parser.api").HistoryEventType.MapRunFailed
    name = "States.ExceedToleratedFailureThreshold"
    error_name = _module(f"{_ASL}.component.common.error_name.error_name").ErrorName(error_name=name)
    cause = f"The specified tolerated failure threshold was exceeded: {failed} items failed"
    event = failure.FailureEvent(
        env=env,
        error_name=error_name,
        event_type=kind,
        event_details=details(mapRunFailedEventDetails={"error": name, "cause": cause}),
    )
    exception: Exception = failure.FailureEventException(failure_event=event)
    return exception


@functools.cache
def patch_waits() -> None:
    """moto waits in real time for Wait states and retry intervals, and a stop does not interrupt the latter. Scaled by
    `Wiring.wait_scale`."""
    retrier = _module(f"{_ASL}.component.common.retry.retrier_decl")
    retrier.time = SimpleNamespace(
        sleep=lambda seconds: time.sleep(seconds * wiring().wait_scale), unpatched=retrier.time
    )
    wait = _module(f"{_ASL}.component.state.wait.wait_function.wait_function").WaitFunction
    unpatched = wait._wait_interval

    def wait_interval(self: Any, env: Any, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds * wiring().wait_scale
        while env.is_running() and (left := deadline - time.monotonic()) > 0:
            env.program_state_event.wait(min(left, 0.2))  # set and cleared at once by moto: it may be missed

    wait._wait_interval = _keep(wait_interval, unpatched)


PATCHES: tuple[Callable[[], None], ...] = (
    patch_clients,
    patch_parameters,
    patch_case_conversion,
    patch_managed_by_aws,
    patch_poll_interval,
    patch_retried_callback,
    patch_states_errors,
    patch_uncatchable,
    patch_definite_paths,
    patch_jsonata,
    patch_query_language,
    patch_integer_percentage,
    patch_start_time,
    patch_batch_errors,
    patch_sdk_error_names,
    patch_cancellation,
    patch_stop_is_final,
    patch_map_siblings,
    patch_distributed_map,
    patch_waits,
)
