#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""shop.py SERVER: traces three requests of a small program, judges one, and finds it again."""

import sys

import mlflow


@mlflow.trace(span_type="RETRIEVER")
def look_up(item):
    return {"apple": 3, "pear": 0}[item]


@mlflow.trace(name="order")
def order(item, count):
    mlflow.update_current_trace(session_id="anna", tags={"item": item})
    if look_up(item) < count:
        raise ValueError(f"only {look_up(item)} of {item}")
    return f"{count} × {item}"


def main(server):
    mlflow.set_tracking_uri(server)
    experiment = mlflow.set_experiment("shop").experiment_id
    for item, count in [("apple", 2), ("apple", 3), ("pear", 1)]:
        try:
            order(item, count)
        except ValueError as error:
            print("refused:", error)
    mlflow.flush_trace_async_logging()

    def find(filter_string):
        return mlflow.search_traces(
            locations=[experiment], filter_string=filter_string, return_type="list"
        )

    (failed,) = find("status = 'ERROR' AND tags.item = 'pear'")
    mlflow.log_feedback(trace_id=failed.info.trace_id, name="expected", value=True)
    judged = find("feedback.expected = 'true' AND span.type = 'RETRIEVER'")
    for span in judged[0].data.spans:
        print(span.name, span.inputs, span.status.status_code.value)


if __name__ == "__main__":
    main(sys.argv[1])
