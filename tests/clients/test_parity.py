# SPDX-License-Identifier: Apache-2.0
"""MLflow's own server and ours answer alike, but where a reason is written down here."""

import parity
import parity_scenarios
import pytest

# (scenario, pattern of the call, pattern of the difference, why we answer otherwise). Each must be
# needed, so that the list stays true.
DEVIATIONS = [
    # Where MLflow answers 500 or stores nonsense, a 400 that names the value helps.
    (
        "experiments",
        "experiments/update .*new_name.*y",
        "",
        "500 for renaming a deleted experiment",
    ),
    ("experiment_errors", "tag value no text", "", "takes a number for a text"),
    ("experiment_search", "view_type.*NONSENSE", "", "an unknown view is taken for the default"),
    ("run_search", "NONSENSE", "body", "an unknown view is taken for the default"),
    ("run_errors", "long tag key", "", "a tag's key may be too long at creation only"),
    ("run_errors", r'"key": "a\\n"', "", "a line break at the end of a key passes its check"),
    ("run_errors", "an empty body", "error_code", "its message is an error of SQL"),
    ("metrics", r'"value": (\[\]|\{\})', "", "500 for a list or an object as a value"),
    ("metrics", "1e400", "", "a text beyond the range of doubles is infinity"),
    ("metrics", "9223372036854775808", "", "a number beyond 64 bits is cut"),
    ("metrics", "runs/get |vnan", "value|timestamp", 'reads the text "nan" as 0 at time 0'),
    ("metrics", "get-history.*0000", "", "the history of a run that does not exist is empty"),
    ("batches", "bad metric keeps all out", "", 'stores 0 for the value "x"'),
    ("batches", "runs/get", "run.data.metrics: ", "… and so has one more metric"),
    ("batches", "an item is no object", "", "500"),
    ("inputs", '"datasets": .{"tags": ..}|"name": "x"', "", "stores a data set without a name"),
    ("registry_search", "max_results.: 0", "", "an empty page"),
    ("registry_search", "tags.a IS NULL", "", "500"),
    ("versions", "stage.: .None.*archive.*true", "", "500"),
    ("run_search", "'AND'|1 AND'", "body", "half a condition is ignored"),
    ("run_search", "order_by.*metrics.m.*metrics.m DESC", "body", "500 for a key named twice"),
    (
        "logged_models",
        "nonsense = |acc > .x|experiment_ids",
        "INTERNAL_ERROR|status 400.*500",
        "500",
    ),
    ("logged_models", r'"model_json": "\[\]"', "", "500"),
    ("logged_models", '"max_results": 0', "", "0 is taken for the default"),
    (
        "logged_models",
        "m-none .*READY",
        "",
        "400 for a model that does not exist; its GET says 404",
    ),
    ("logged_models", "params.*q.*3", "BAD_REQUEST", "its message is an error of SQL"),
    ("webhooks", r"NONSENSE|\[\{\}\]", "400.*500|no JSON", "500 for an event that does not exist"),
    ("webhooks", '"CREATED"., ."entity": "MODEL_V', "error_code", "its message is an error of SQL"),
    ("traces", "issue.name", "", "an issue has no name to search for"),
    ("traces", r"RLIKE '\('", "", "a pattern that is none finds nothing"),
    ("traces", "PATCH.*tr-none", "", "its message is an error of SQL"),
    ("traces", 'link-to-run.*"none"', "", "a link to a run that does not exist is lost silently"),
    ("traces", "an unknown state", "", "a state that it does not know is taken for none"),
    ("traces", "filter-correlation", "npmi_smoothed: 0.52211200881261", "the last of 16 digits"),
    # More is taken, or said.
    ("spans", "filter.: .text LIKE", "", "a bare word may be an attribute"),
    ("spans", "get-trace-artifact", r"spans\[1\].status.message", "no message is null"),
    ("spans", "no experiment", "", "a parameter that is missing is a 400"),
    ("spans", "no spans|half", "error_code|message|detail", "errors have one shape"),
    ("run_search", "' '|> [+]1|Run name", "body", "we take these"),
    ("registry_search", "creation_timestamp DESC", "", "we order by it"),
    ("versions", "", "description: ''", "a description that was taken away is empty, not absent"),
    ("registry", "x{100}", "", "names have at most 256 characters"),
    ("logged_models", "0.6.*dataset_name", "", "without a digest it is any data set of that name"),
    ("logged_models", "runs/get", "model_uuid", "what a model does not say is left out"),
    (
        ".*",
        "unknown path|wrong method|preview prefix|0mlflow",
        "body: ",
        "errors are JSON everywhere",
    ),
    ("server", "origin|foreign host", "body: ", "errors are JSON everywhere"),
    ("artifacts", "PUT|upload-artifact", "body: {}", "an answer of JSON is JSON"),
    ("artifacts", "a directory", "", "one shape of errors"),
    ("server", "health", "body", "an answer of JSON"),
    ("server", "server-info", "presigned|gateway", "what the server cannot do is not promised"),
]


@pytest.mark.parametrize(
    "scenario", parity_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__
)
def test_answers_as_mlflow_does(reference, url, scenario):
    found = parity.compare(scenario, reference, url)
    parity.check(scenario.__name__, found, DEVIATIONS)
