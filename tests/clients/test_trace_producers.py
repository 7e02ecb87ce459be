# SPDX-License-Identifier: Apache-2.0
"""Programs that record traces as they do in the field, unmodified: OpenTelemetry's SDK with its own
exporter, and MLflow's decorators around nested, asynchronous, generating and threaded code."""

import asyncio
import concurrent.futures
import uuid

import mlflow
import pytest
from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)


@pytest.fixture(autouse=True)
def traced(experiment):
    yield
    mlflow.flush_trace_async_logging()


def found(experiment, **options):
    mlflow.flush_trace_async_logging()
    return mlflow.search_traces(locations=[experiment], return_type="list", **options)


class Results(SpanExporter):
    """Hands on to an exporter and keeps what it said."""

    def __init__(self, exporter):
        self.exporter, self.results = exporter, []

    def export(self, spans):
        self.results.append(self.exporter.export(spans))
        return self.results[-1]

    def shutdown(self):
        self.exporter.shutdown()


def exporter_to(url, experiment, **options):
    headers = {"x-mlflow-experiment-id": experiment, **options.pop("headers", {})}
    return Results(
        OTLPSpanExporter(endpoint=url + "/v1/traces", headers=headers, timeout=120, **options)
    )


def record_order(tracer):
    """One trace of four spans; returns its id as MLflow has it."""
    with tracer.start_as_current_span("order", kind=otel.SpanKind.SERVER) as root:
        root.set_attribute("session.id", "anna")
        for index in range(2):
            with tracer.start_as_current_span(f"look-up-{index}") as span:
                span.set_attributes(
                    {"count": index, "price": 2.5, "fresh": True, "names": ["pear", "größer"]}
                )
                span.add_event("cache", {"hit": False, "size": 3})
        links = [otel.Link(root.get_span_context())]
        with tracer.start_as_current_span("pay", links=links) as span:
            span.record_exception(ValueError("no money"))
            span.set_status(otel.Status(otel.StatusCode.ERROR, "refused"))
        return f"tr-{root.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor])
def test_the_exporter_of_opentelemetry_delivers(client, experiment, url, compression, processor):
    run = client.create_run(experiment).info.run_id
    exporter = exporter_to(
        url, experiment, compression=compression, headers={"x-mlflow-run-id": run}
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "shop.size": 3}))
    provider.add_span_processor(processor(exporter))
    trace_id = record_order(provider.get_tracer("shop"))
    assert provider.force_flush(120_000)
    provider.shutdown()
    assert set(exporter.results) == {SpanExportResult.SUCCESS}
    trace = mlflow.get_trace(trace_id)
    assert trace.info.state == "OK" and trace.info.experiment_id == experiment
    assert trace.info.tags["service.name"] == "shop" and trace.info.tags["shop.size"] == "3"
    assert "telemetry.sdk.name" not in trace.info.tags
    assert trace.info.trace_metadata["mlflow.trace.session"] == "anna"
    spans = {span.name: span for span in trace.data.spans}
    root = trace.data.spans[0]
    assert root.name == "order" and set(spans) == {"order", "look-up-0", "look-up-1", "pay"}
    assert {span.parent_id for name, span in spans.items() if name != "order"} == {root.span_id}
    attributes = spans["look-up-1"].attributes
    assert {key: attributes[key] for key in ("count", "price", "fresh", "names")} == {
        "count": 1,
        "price": 2.5,
        "fresh": True,
        "names": ["pear", "größer"],
    }
    (event,) = spans["look-up-0"].events
    assert event.name == "cache" and event.attributes == {"hit": False, "size": 3}
    paid = spans["pay"]
    assert (paid.status.status_code, paid.status.description) == ("ERROR", "refused")
    assert paid.events[0].attributes["exception.type"] == "ValueError"
    assert paid.links[0].span_id == root.span_id
    assert [t.info.trace_id for t in found(experiment, filter_string=f"run_id = '{run}'")] == [
        trace_id
    ]
    assert len(found(experiment, filter_string="span.attributes.count = '1'")) == 1


def test_the_exporter_of_opentelemetry_gives_up_what_is_refused(client, experiment, url):
    for wrong in ["99999999", "nonsense"]:
        exporter = exporter_to(url, wrong)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("shop").start_as_current_span("lost"):
            pass
        provider.shutdown()
        assert exporter.results == [SpanExportResult.FAILURE]
    assert found(experiment) == []


def test_spans_of_many_batches_are_one_trace(client, experiment, url):
    exporter = exporter_to(url, experiment)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=16))
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("root") as root:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            context = otel.set_span_in_context(root)
            for index in range(100):
                pool.submit(lambda i: tracer.start_span(f"part-{i}", context).end(), index)
        trace_id = f"tr-{root.get_span_context().trace_id:032x}"
    assert provider.force_flush(120_000)
    provider.shutdown()
    assert len(exporter.results) >= 7
    trace = mlflow.get_trace(trace_id)
    assert len(trace.data.spans) == 101 and trace.data.spans[0].name == "root"
    assert trace.info.state == "OK"


def test_nested_and_asynchronous_functions(client, experiment):
    @mlflow.trace(span_type="TOOL")
    async def look_up(item):
        await asyncio.sleep(0)
        if item == "pear":
            raise LookupError("no pear")
        return item.upper()

    @mlflow.trace
    async def gather(items):
        return await asyncio.gather(*(look_up(i) for i in items), return_exceptions=True)

    @mlflow.trace(name="outer", attributes={"team": "red"})
    def outer(items):
        with mlflow.start_span(name="by-hand") as span:
            span.set_inputs(items)
            answers = asyncio.run(gather(items))
            span.set_outputs([str(answer) for answer in answers])
        return len(answers)

    assert outer(["apple", "pear", "fig"]) == 3
    (trace,) = found(experiment)
    assert trace.info.state == "OK"
    spans = trace.data.spans
    by_id = {span.span_id: span for span in spans}
    parents = sorted((s.name, by_id[s.parent_id].name if s.parent_id else None) for s in spans)
    assert parents == [
        ("by-hand", "outer"),
        ("gather", "by-hand"),
        ("look_up", "gather"),
        ("look_up", "gather"),
        ("look_up", "gather"),
        ("outer", None),
    ]
    states = {s.inputs["item"]: s.status.status_code for s in spans if s.name == "look_up"}
    assert states == {"apple": "OK", "pear": "ERROR", "fig": "OK"}
    assert next(s for s in spans if s.name == "by-hand").outputs == ["APPLE", "no pear", "FIG"]


def test_generators_and_threads(client, experiment):
    @mlflow.trace(output_reducer=lambda words: " ".join(words))
    def words(text):
        yield from text.split()

    @mlflow.trace
    def in_thread(number):
        return number * 2

    assert list(words("a b c")) == ["a", "b", "c"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(in_thread, range(8))) == [0, 2, 4, 6, 8, 10, 12, 14]
    traces = found(experiment)
    assert len(traces) == 9 and all(len(trace.data.spans) == 1 for trace in traces)
    (generated,) = found(experiment, filter_string="name RLIKE '^w.rds$'")
    assert generated.data.spans[0].outputs == "a b c"


def test_errors_leave_their_trace_and_the_next_is_whole(client, experiment):
    @mlflow.trace
    def fails():
        with mlflow.start_span("inner"):
            raise RuntimeError("broken")

    for _ in range(2):
        with pytest.raises(RuntimeError):
            fails()
    with mlflow.start_span("fine"):
        pass
    # Two may begin in the same millisecond, so the order is not asked for.
    traces = [(t.info.tags["mlflow.traceName"], t.info.state) for t in found(experiment)]
    assert sorted(traces) == [("fails", "ERROR"), ("fails", "ERROR"), ("fine", "OK")]
    for trace in found(experiment, filter_string="status = 'ERROR' AND span.name = 'inner'"):
        assert [span.status.status_code for span in trace.data.spans] == ["ERROR", "ERROR"]
        assert trace.data.spans[1].events[0].attributes["exception.message"] == "broken"


def test_a_search_is_a_data_frame(client, experiment):
    key = uuid.uuid4().hex
    for index in range(3):
        with mlflow.start_span(name=f"call-{index}", span_type="LLM") as span:
            span.set_inputs({"messages": [{"role": "user", "content": f"question {index}"}]})
            span.set_outputs({"answer": index, "nested": {"list": [1, None]}})
            mlflow.update_current_trace(tags={"key": key, "index": str(index)})
    mlflow.flush_trace_async_logging()
    frame = mlflow.search_traces(
        locations=[experiment],
        filter_string=f"tags.key = '{key}' AND span.type = 'LLM'",
        order_by=["tags.index ASC"],
    )
    assert len(frame) == 3 and list(frame["state"]) == ["OK"] * 3
    assert [tags["index"] for tags in frame["tags"]] == ["0", "1", "2"]
    assert frame["request"][1]["messages"][0]["content"] == "question 1"
    assert frame["response"][2] == {"answer": 2, "nested": {"list": [1, None]}}
    previews = {trace.info.request_preview for trace in found(experiment)}
    assert previews == {"question 0", "question 1", "question 2"}
    assert all(duration >= 0 for duration in frame["execution_duration"])
    assert [spans[0]["name"] for spans in frame["spans"]] == ["call-0", "call-1", "call-2"]
    few = mlflow.search_traces(locations=[experiment], max_results=2, include_spans=False)
    assert len(few) == 2
    assert mlflow.search_traces(locations=[experiment], filter_string="name = 'none'").empty
