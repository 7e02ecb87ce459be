# SPDX-License-Identifier: Apache-2.0
"""Tracing with the unmodified client, and OpenTelemetry's messages beside it."""

import gzip
import json
import pathlib
import subprocess
import sys
import time
import uuid

import mlflow
import pytest
import requests
from mlflow.entities import AssessmentSource, Document
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@pytest.fixture(autouse=True)
def traced(experiment):
    yield
    mlflow.flush_trace_async_logging()


def last_trace():
    mlflow.flush_trace_async_logging()
    return mlflow.get_trace(mlflow.get_last_active_trace_id())


def test_a_decorated_function_is_a_trace_with_its_spans(client, experiment):
    @mlflow.trace(span_type="TOOL", attributes={"model": "m-1"})
    def add(a, b):
        return a + b

    @mlflow.trace
    def outer(x):
        return {"sum": add(x, 2), "text": "größer"}

    outer(1)
    trace = last_trace()
    assert trace.info.experiment_id == experiment
    assert str(trace.info.state) == "OK"
    assert trace.info.tags["mlflow.traceName"] == "outer"
    assert trace.info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    root, child = trace.data.spans
    assert root.name == "outer" and root.inputs == {"x": 1}
    assert root.outputs == {"sum": 3, "text": "größer"}
    assert child.parent_id == root.span_id and child.span_type == "TOOL"
    assert child.attributes["model"] == "m-1"
    assert child.inputs == {"a": 1, "b": 2} and child.outputs == 3
    assert trace.info.execution_duration >= 0


def test_spans_with_events_errors_and_nested_values_come_back(client):
    with pytest.raises(ValueError):
        with mlflow.start_span(name="failing", span_type="RETRIEVER") as span:
            span.set_inputs({"q": "x", "k": [1, 2.5, None, {"deep": True}]})
            span.set_outputs([Document(page_content="p", metadata={"doc_uri": "u"})])
            raise ValueError("no such thing")
    trace = last_trace()
    assert str(trace.info.state) == "ERROR"
    (span,) = trace.data.spans
    assert span.status.status_code == "ERROR" and "no such thing" in span.status.description
    assert span.inputs == {"q": "x", "k": [1, 2.5, None, {"deep": True}]}
    assert span.outputs[0]["page_content"] == "p"
    assert span.events[0].name == "exception"
    assert span.events[0].attributes["exception.type"] == "ValueError"


def test_traces_are_searched_by_what_they_and_their_spans_say(client, experiment):
    for index in range(3):
        with mlflow.start_span(name=f"call-{index}", span_type="LLM" if index else "CHAIN") as span:
            span.set_attribute("index", index)
            mlflow.update_current_trace(tags={"index": str(index)}, session_id=f"s{index % 2}")
    mlflow.flush_trace_async_logging()

    def names(filter_string, **options):
        found = mlflow.search_traces(
            locations=[experiment], filter_string=filter_string, return_type="list", **options
        )
        return [trace.data.spans[0].name for trace in found]

    # Two may begin in the same millisecond, so the order is asked for.
    newest_first = {"order_by": ["tags.index DESC"]}
    assert names("", **newest_first) == ["call-2", "call-1", "call-0"]
    assert names("tags.index = '1'") == ["call-1"]
    assert names("trace.name = 'call-0'") == ["call-0"]
    assert names("metadata.`mlflow.trace.session` = 's0'", **newest_first) == ["call-2", "call-0"]
    assert names("span.type = 'LLM'", **newest_first) == ["call-2", "call-1"]
    assert names("span.name LIKE '%-1'") == ["call-1"]
    assert names("trace.text LIKE '%call-2%'") == ["call-2"]
    assert names("status = 'ERROR'") == []
    assert names("", order_by=["tag.index ASC"], max_results=2) == ["call-0", "call-1"]
    page = client.search_traces(locations=[experiment], max_results=2)
    assert len(page) == 2 and page.token
    rest = client.search_traces(locations=[experiment], max_results=2, page_token=page.token)
    assert len(rest) == 1 and not rest.token
    frame = mlflow.search_traces(locations=[experiment])
    assert len(frame) == 3 and set(frame["state"]) == {"OK"}


def test_feedback_and_expectations_are_logged_changed_and_deleted(client, experiment):
    with mlflow.start_span(name="judged"):
        pass
    trace_id = last_trace().info.trace_id
    source = AssessmentSource(source_type="HUMAN", source_id="me@example.com")
    feedback = mlflow.log_feedback(
        trace_id=trace_id, name="right", value=False, rationale="wrong sum", source=source
    )
    expectation = mlflow.log_expectation(
        trace_id=trace_id, name="answer", value={"sum": [1, 2.5]}, source=source
    )
    assert mlflow.get_assessment(trace_id, expectation.assessment_id).value == {"sum": [1, 2.5]}
    mlflow.override_feedback(
        trace_id=trace_id, assessment_id=feedback.assessment_id, value=True, source=source
    )
    said = mlflow.get_trace(trace_id).info.assessments
    assert {item.name for item in said} == {"right", "answer"}
    assert {item.valid for item in said if item.name == "right"} == {False, True}
    mlflow.update_assessment(
        trace_id=trace_id,
        assessment_id=expectation.assessment_id,
        assessment=mlflow.entities.Expectation(name="answer", value=7),
    )
    assert mlflow.get_assessment(trace_id, expectation.assessment_id).value == 7
    found = client.search_traces(
        locations=[experiment], filter_string="feedback.right = 'true' AND expectation.answer > 6"
    )
    assert [trace.info.trace_id for trace in found] == [trace_id]
    mlflow.delete_assessment(trace_id, expectation.assessment_id)
    assert {item.name for item in mlflow.get_trace(trace_id).info.assessments} == {"right"}


def test_tags_change_and_traces_are_deleted(client, experiment):
    with mlflow.start_span(name="tagged"):
        pass
    trace_id = last_trace().info.trace_id
    client.set_trace_tag(trace_id, "team", "red")
    assert mlflow.get_trace(trace_id).info.tags["team"] == "red"
    client.delete_trace_tag(trace_id, "team")
    assert "team" not in mlflow.get_trace(trace_id).info.tags
    with pytest.raises(mlflow.exceptions.MlflowException) as raised:
        client.delete_trace_tag(trace_id, "team")
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert client.delete_traces(experiment_id=experiment, trace_ids=[trace_id]) == 1
    assert mlflow.get_trace(trace_id) is None
    with mlflow.start_span(name="old"):
        pass
    mlflow.flush_trace_async_logging()
    later = int(time.time() * 1000) + 60_000
    assert client.delete_traces(experiment_id=experiment, max_timestamp_millis=later) == 1


def test_a_run_has_its_traces(client, experiment):
    with mlflow.start_run() as run:
        with mlflow.start_span(name="inside"):
            pass
    with mlflow.start_span(name="outside"):
        pass
    outside = last_trace().info.trace_id
    found = mlflow.search_traces(run_id=run.info.run_id, return_type="list")
    assert [trace.info.tags["mlflow.traceName"] for trace in found] == ["inside"]
    client.link_traces_to_run([outside], run.info.run_id)
    assert len(mlflow.search_traces(run_id=run.info.run_id, return_type="list")) == 2


def test_a_client_that_keeps_spans_among_artifacts_reads_them_from_there(client, experiment):
    """As 3.3 and before do: the info by the API, the spans as the file traces.json."""
    from mlflow.tracing.client import TracingClient

    with mlflow.start_span(name="first") as span:
        span.set_inputs({"a": 1})
    trace = last_trace()
    old = TracingClient()
    info = trace.info
    info.trace_id = "tr-" + uuid.uuid4().hex
    info.tags.pop("mlflow.trace.spansLocation")
    for item in trace.data.spans:
        item._span._attributes["mlflow.traceRequestId"] = json.dumps(info.trace_id)
    started = old.start_trace(info)
    assert started.tags["mlflow.artifactLocation"].startswith("mlflow-artifacts:")
    old._upload_trace_data(started, trace.data)
    assert old.get_trace(info.trace_id).data.spans[0].inputs == {"a": 1}


SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "name": "from-otel",
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000001500000000",
    "status": {"code": 1},
}


def spans(*items):
    return {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]
                },
                "scopeSpans": [{"spans": list(items)}],
            }
        ]
    }


def test_spans_of_opentelemetry_are_taken_as_json_and_protobuf(url, experiment):
    headers = {"x-mlflow-experiment-id": experiment}
    trace = uuid.uuid4().hex
    answer = requests.post(
        url + "/v1/traces", json=spans({**SPAN, "traceId": trace}), headers=headers
    )
    assert answer.status_code == 200 and answer.json() == {}
    found = mlflow.get_trace(f"tr-{trace}")
    assert found.info.execution_duration == 1500
    assert found.info.tags["service.name"] == "shop"
    assert found.data.spans[0].name == "from-otel"

    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    good = resource_spans.scope_spans.add().spans.add()
    good.trace_id, good.span_id = uuid.uuid4().bytes, b"12345678"
    good.name, good.start_time_unix_nano = "packed", 1_700_000_000_000_000_000
    bad = resource_spans.scope_spans[0].spans.add()
    bad.trace_id, bad.name = b"short", "broken"
    answer = requests.post(
        url + "/v1/traces",
        data=gzip.compress(message.SerializeToString()),
        headers={
            **headers,
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1 and "broken" in partial.error_message
    assert mlflow.get_trace("tr-" + good.trace_id.hex()).data.spans[0].name == "packed"


def test_the_guides_example_prints_what_the_guide_says(url):
    root = pathlib.Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, root / "examples/traces/shop.py", url],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout in (root / "docs/guide/traces.md").read_text(encoding="utf-8")
    assert run.stdout.startswith("refused: only 0 of pear")
