# SPDX-License-Identifier: Apache-2.0
"""The mlflow client returns and raises the same with MLflow's own server and with ours."""

import client_parity
import client_scenarios
import parity
import pytest

# As in test_parity.py: (scenario, pattern of the call, pattern of the difference, why).
DEVIATIONS = [
    # Where MLflow answers 500, tells of SQL or ignores what it cannot read, a 400 helps.
    ("experiments", "rename_experiment.*located", "code", "its message is an error of SQL"),
    ("experiments", "rename_experiment.*other", "", "500 for renaming a deleted experiment"),
    ("runs", "create_run.''", "code", "its message is an error of SQL"),
    ("points", "get_metric_history.'0000", "", "the history of a run that does not exist is empty"),
    ("run_search", "1' AND\"", "body", "half a condition is ignored"),
    ("registry_search", "models.*max_results': (0|-1)", "body", "an empty page"),
    ("logged_models", "nonsense = |acc > 'x'", "", "500"),
    # More is taken, or said.
    ("logged_models", "datasets': ..'dataset_name': 'd'", "", "a data set of any digest"),
    ("models", "logged", "modelVersions", "says each version twice, once with a number for a text"),
    ("models", "search", "aliases", "a search tells aliases too"),
]


@pytest.mark.parametrize(
    "scenario", client_scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__
)
def test_the_client_sees_no_difference(reference, url, scenario):
    found = parity.compare(scenario, reference, url, client_parity.ClientSession)
    parity.check(scenario.__name__, found, DEVIATIONS)
