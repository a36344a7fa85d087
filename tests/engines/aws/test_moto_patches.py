"""One guard per patch: each shows what unpatched moto does wrong, and so fails when moto mends or moves it.

A failure here after an upgrade of moto is good news or a changed private name: look at the patch of the same name,
remove it or adapt it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from . import asl, server
from .asl import _ASL, _MAP, _SERVICE
from .stack import Aws


def module(name: str) -> Any:
    return importlib.import_module(name)


def source(function: Any) -> str:
    return inspect.getsource(getattr(function, "unpatched", function))


def clients() -> None:
    assert 'f"http://localhost:{moto_server_port()}"' in source(module(f"{_ASL}.utils.boto_client").boto_client_for)


def parameters() -> None:
    listed = module(f"{_SERVICE}.state_task_service_batch")._SUPPORTED_API_PARAM_BINDINGS["submitjob"]
    assert not {"NodeOverrides", "PropagateTags", "ShareIdentifier"} & listed
    task = module(f"{_ASL}.component.state.exec.state_task.state_task").StateTask
    assert "parameters.pop(unsupported_parameter, None)" in source(task._eval_parameters)


def case_conversion() -> None:
    task = module(f"{_SERVICE}.state_task_service").StateTaskService
    given = {"JobName": "x"}
    task._normalise_parameters.unpatched(SimpleNamespace(), given)
    task._normalise_response.unpatched(SimpleNamespace(), given)
    assert given == {"JobName": "x"}


def managed_by_aws() -> None:
    task = module(f"{_SERVICE}.state_task_service_batch").StateTaskServiceBatch
    given: dict[str, Any] = {"JobDefinition": "a gang"}
    task._attach_aws_environment_variables.unpatched(given)
    assert "name" in given["ContainerOverrides"]["Environment"][0]


def poll_interval() -> None:
    callback = module(f"{_SERVICE}.state_task_service_callback")
    assert callback._DELAY_SECONDS_SYNC_CONDITION_CHECK == 0.5
    sync = callback.StateTaskServiceCallback._eval_sync
    assert "time.sleep(_DELAY_SECONDS_SYNC_CONDITION_CHECK)" in source(sync)
    assert callback.time.unpatched is time


def retried_callback() -> None:
    task = module(f"{_SERVICE}.state_task_service_callback").StateTaskServiceCallback
    assert "callback_endpoint.interrupt_all()" in source(task._eval_integration_pattern)
    assert ".clear()" not in source(task._eval_integration_pattern)
    endpoint = module(f"{_ASL}.eval.callback.callback").CallbackEndpoint("id")
    endpoint.interrupt_all()
    assert endpoint.wait(timeout=60) is None  # at once


def states_errors() -> None:
    custom = module(f"{_ASL}.component.common.error_name.custom_error_name").CustomErrorName
    with pytest.raises(ValueError, match="MUST NOT begin"):
        object.__new__(custom).__init__("States.TaskFailed")


def uncatchable() -> None:
    names = f"{_ASL}.component.common.error_name"
    states = module(f"{names}.states_error_name").StatesErrorName
    decl = module(f"{names}.error_equals_decl").ErrorEqualsDecl([states.from_name("States.ALL")])
    env = SimpleNamespace(stack=[states.from_name("States.Runtime")])
    type(decl)._eval_body.unpatched(decl, env)
    assert env.stack == [True]


def definite_paths() -> None:
    extract = module(f"{_ASL}.utils.json_path").extract_json
    assert extract.unpatched("$.a[0].b", {"a": [{"b": 1}]}) == [1]
    assert extract("$.a[0].b", {"a": [{"b": 1}]}) == 1
    assert extract("$.a[*].b", {"a": [{"b": 1}]}) == [1]


def jsonata() -> None:
    text = source(module(f"{_ASL}.jsonata.jsonata").eval_jsonata_expression)
    assert "_eval_jsonata = None\n    return _eval_jsonata(" in text


def query_language() -> None:
    preprocessor = module(f"{_ASL}.parse.preprocessor").Preprocessor
    assert isinstance(vars(preprocessor)["_query_language_per_scope"], list)
    assert preprocessor()._query_language_per_scope is not preprocessor()._query_language_per_scope
    assert vars(preprocessor)["__init__"].unpatched is object.__init__


def integer_percentage() -> None:
    parser = module(f"{_ASL}.parse.asl_parser")
    machine = """{"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ToleratedFailurePercentage": 5,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                          "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}"""
    with pytest.raises(parser.ASLParserException, match="ToleratedFailurePercentage"):
        parser.AmazonStateLanguageParser.parse.unpatched(machine)
    parser.AmazonStateLanguageParser.parse(machine)


def start_time() -> None:
    execution = module("moto.stepfunctions.parser.backend.execution").Execution
    assert "start_time=self.start_date" in source(execution.get_start_execution_details)
    worker = module("moto.stepfunctions.parser.backend.execution_worker").ExecutionWorker
    assert "StartTime=self._evaluation_details.execution_details.start_time," in source(
        worker._get_evaluation_environment
    )


def batch_errors() -> None:
    task = module(f"{_SERVICE}.state_task_service_batch").StateTaskServiceBatch
    assert 'error_name = f"Batch.{error_code}"' in source(task._from_error)


def sdk_error_names() -> None:
    text = source(module(f"{_SERVICE}.state_task_service_aws_sdk"))
    assert '_SERVICE_ERROR_NAMES = {"dynamodb": "DynamoDb", "sfn": "Sfn"}' in text


def cancellation() -> None:
    assert "terminate_job" not in source(module(f"{_SERVICE}.state_task_service_batch"))
    assert "stop_execution" not in source(module(f"{_SERVICE}.state_task_service_sfn"))


def stop_is_final() -> None:
    environment = module(f"{_ASL}.eval.environment").Environment
    states = module(f"{_ASL}.eval.program_state")
    stopped = states.ProgramStopped(None, None, None)
    env = SimpleNamespace(
        _state_mutex=threading.RLock(), _program_state=stopped, _frames=[], program_state_event=threading.Event()
    )
    environment.set_error(env, None)
    assert env._program_state is stopped
    environment.set_error.unpatched(env, None)
    assert isinstance(env._program_state, states.ProgramError)


def map_siblings() -> None:
    component = module(f"{_MAP}.iteration.inline_iteration_component").InlineIterationComponent
    text = source(component._eval_body)
    assert "raise worker_exception" in text
    assert "stop" not in text


def distributed_map() -> None:
    worker = module(f"{_MAP}.iteration.itemprocessor.distributed_item_processor_worker").DistributedItemProcessorWorker
    component = module(f"{_MAP}.iteration.distributed_iteration_component").DistributedIterationComponent
    assert "job_output = None" in source(worker._eval_job)
    assert "Execution" not in source(worker._eval_job).replace("execution_counter", "")
    assert "tolerated" not in source(worker._eval_job) + source(component._map_run)


def waits() -> None:
    retrier = module(f"{_ASL}.component.common.retry.retrier_decl")
    assert "time.sleep(interval_seconds)" in source(retrier.RetrierDecl._eval_body)
    assert retrier.time.unpatched is time


GUARDS: dict[str, Callable[[], None]] = {
    f"patch_{guard.__name__}": guard
    for guard in (
        clients,
        parameters,
        case_conversion,
        managed_by_aws,
        poll_interval,
        retried_callback,
        states_errors,
        uncatchable,
        definite_paths,
        jsonata,
        query_language,
        integer_percentage,
        start_time,
        batch_errors,
        sdk_error_names,
        cancellation,
        stop_is_final,
        map_siblings,
        distributed_map,
        waits,
    )
}


def test_every_patch_has_its_guard() -> None:
    assert [patch.__name__ for patch in asl.PATCHES] == list(GUARDS)


def test_moto_is_the_version_that_the_patches_were_written_for() -> None:
    assert importlib.metadata.version("moto") == "5.2.5"


@pytest.mark.parametrize("patch", GUARDS)
def test_moto_still_needs(patch: str) -> None:
    asl.apply_patches()
    GUARDS[patch]()


def put_once(url: str, statuses: list[int]) -> None:
    """Two create-only puts whose look and whose store do not overlap by chance; collects the answers' statuses."""
    from botocore.exceptions import ClientError

    s3 = server.client("s3", url)

    def put() -> None:
        try:
            answer = s3.put_object(Bucket="race", Key="once", Body=b"x", IfNoneMatch="*")
        except ClientError as error:
            answer = error.response
        statuses.append(answer["ResponseMetadata"]["HTTPStatusCode"])

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("patched", [True, False])
def test_moto_still_needs_patch_create_only_put(patched: bool, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.s3.models import S3Backend
    from moto.s3.responses import S3Response

    unpatched_store = S3Backend.put_object

    def slow_store(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.2)
        return unpatched_store(*args, **kwargs)

    aws.bucket("race")
    monkeypatch.setattr(S3Backend, "put_object", slow_store)
    if not patched:
        monkeypatch.setattr(S3Response, "put_object", S3Response.put_object.unpatched)  # type: ignore[attr-defined]  # ours
    statuses: list[int] = []
    put_once(aws.s3_url, statuses)
    assert sorted(statuses) == ([200, 412] if patched else [200, 200])
