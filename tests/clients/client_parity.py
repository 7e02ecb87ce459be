# SPDX-License-Identifier: Apache-2.0
"""The same calls through the mlflow client to two servers, and what the objects say differently.

A scenario is a function that takes a ClientSession. Each call's result is taken apart into the
fields of the entity that the client made of the answer; an exception into its class, error code
and status.
"""

import collections.abc
import enum
import math

import mlflow
import pandas
from mlflow.entities import Experiment, LoggedModel, Run
from mlflow.entities._mlflow_object import _MlflowObject
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList

import parity


class ClientSession(parity.Session):
    """One server, its client, and the fluent API pointed at it."""

    def __init__(self, url):
        super().__init__(url)
        mlflow.set_tracking_uri(url)
        mlflow.set_registry_uri(url)
        self.client = mlflow.MlflowClient(url, url)

    def do(self, label, call):
        """Calls, keeps what came of it, and returns it; None when an exception came."""
        result = None
        try:
            result = call()
            self.name_ids(result)
            seen = plain(result)
        except MlflowException as error:
            seen = {
                "exception": type(error).__name__,
                "code": error.error_code,
                "status": error.get_http_status_code(),
            }
        except Exception as error:  # what the client itself raises for its arguments
            seen = {"exception": type(error).__name__}
        self.steps.append(parity.Step(self.named(label), 0, self.comparable(seen)))
        return result

    def name_ids(self, result):
        """What was just made has an id that no name stands for yet."""
        if isinstance(result, Run) and result.info.run_id not in self.names:
            self.remember(f"a run{len(self.names)}", result.info.run_id)
        if isinstance(result, LoggedModel) and result.model_id not in self.names:
            self.remember(f"a model{len(self.names)}", result.model_id)
        if isinstance(result, Experiment) and result.experiment_id not in self.names:
            self.remember(f"an experiment{len(self.names)}", result.experiment_id)
        if isinstance(result, PagedList):
            for each in result:
                self.name_ids(each)

    def __getattr__(self, method):
        """A method of the client, kept under its name and arguments."""

        def call(*arguments, **options):
            shown = [repr(plain(each))[:80] for each in arguments]
            shown += [f"{name}={plain(value)!r}"[:80] for name, value in options.items()]
            return self.do(
                f"{method}({', '.join(shown)})",
                lambda: getattr(self.client, method)(*arguments, **options),
            )

        return call


def plain(value):
    """What a JSON text could hold of it."""
    if isinstance(value, PagedList):
        return {"items": [plain(each) for each in value], "more": bool(value.token)}
    if isinstance(value, _MlflowObject):
        return {name: plain(inner) for name, inner in value}
    if isinstance(value, pandas.DataFrame):
        columns = sorted(value.columns)
        return {"columns": columns, "rows": [plain(row) for row in value[columns].values.tolist()]}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, collections.abc.Sequence):
        return [plain(each) for each in value]
    return type(value).__name__
