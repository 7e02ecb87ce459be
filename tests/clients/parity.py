# SPDX-License-Identifier: Apache-2.0
"""The same calls to two servers, and what they answer differently.

A scenario is a function that takes a Session and calls it. A session sends each call to its server
and keeps status and body with what must differ between two servers taken out: ids, by the names
that the scenario gives them, and times.
"""

import dataclasses
import json
import re
import time

import requests

# Fields that hold a time; what counts is that there is one.
TIME = re.compile(r"(^|_)(time|timestamp|time_ms|timestamp_ms)$")
# Lists without an order; those of points keep the order of each key.
UNORDERED = {"tags", "params", "metrics", "dataset_summaries", "request_metadata"}
# What scenarios do not say themselves: they live in 2025.
NOW = r"20(2[6-9]|[3-9]\d)-"
PREFIX = "/api/2.0/mlflow/"
PAGE_TOKEN = re.compile(r"(^|_)page_token$")


@dataclasses.dataclass
class Step:
    """One call: what was asked, and what came back, made comparable."""

    label: str
    status: int
    body: object


class Session:
    def __init__(self, url):
        self.url = url
        self.http = requests.Session()
        self.names = {}
        self.steps = []

    def remember(self, name, value):
        """Wherever the value stands from now on, also as a segment of a path, it is {name}."""
        self.names[str(value)] = "{" + name + "}"
        return value

    def call(
        self, method, path, body=None, params=None, label="", data=None, headers=None, keep=True
    ):
        if data is None and body is not None:
            data = json.dumps(body)
        answer = self.http.request(
            method,
            self.url + path,
            params=params,
            timeout=300,
            data=data,
            headers=(
                {"Content-Type": "application/json", **(headers or {})}
                if method != "GET"
                else headers
            ),
        )
        try:
            parsed = answer.json()
        except ValueError:
            parsed = answer.text if answer.status_code == 200 else "(no JSON)"
        if keep:
            shown = label or f"{method} {path} {json.dumps(body or params)[:200]}"
            self.steps.append(Step(self.named(shown), answer.status_code, self.comparable(parsed)))
        return parsed

    def post(self, path, body=None, prefix=PREFIX, **options):
        return self.call(
            "POST", prefix + path, body if body is not None else {}, **options
        )

    def get(self, path, params=None, prefix=PREFIX, **options):
        return self.call("GET", prefix + path, params=params, **options)

    def patch(self, path, body, prefix=PREFIX, **options):
        return self.call("PATCH", prefix + path, body, **options)

    def delete(self, path, body=None, prefix=PREFIX, **options):
        return self.call("DELETE", prefix + path, body, **options)

    @staticmethod
    def outcome(label, found):
        """Of a search whose objects are compared elsewhere: how many there are, or the error."""
        body = {"error_code": found["error_code"]} if "error_code" in found else {}
        return Step(label, 0, {**body, "found": len(found.get("traces", []))})

    def named(self, text):
        for value, name in sorted(self.names.items(), key=lambda item: -len(item[0])):
            if len(value) > 6:
                text = text.replace(value, name)
            else:  # the id of an experiment: a few digits, which may stand elsewhere by chance
                text = re.sub(rf"(?<=:/){value}(?=[/\"]|$)|(?<=/){value}(?=/)", name, text)
                text = re.sub(rf'(?<=_id": "){value}(?=")|(?<=_ids": \["){value}(?=")', name, text)
        return text

    def comparable(self, value, key=""):
        if isinstance(value, dict):
            if "error_code" in value:
                # The words of a message are each server's own.
                return {"error_code": value["error_code"], "message": bool(value.get("message"))}
            return {name: self.comparable(inner, name) for name, inner in value.items()}
        if isinstance(value, str) and value[:1] in "[{" and key == "value":
            try:  # a JSON text in a tag: what it says counts, not how it is written
                return self.comparable(json.loads(value), "json")
            except ValueError:
                pass
        if isinstance(value, list):
            items = [self.comparable(inner, key) for inner in value]
            return sorted(items, key=place_of) if key in UNORDERED else items
        if PAGE_TOKEN.search(key):
            return "(token)"
        if isinstance(value, str) and TIME.search(key) and re.match(NOW, value):
            return "(time)"
        if isinstance(value, int) and TIME.search(key) and value > 1_600_000_000_000:
            return "(time)"
        if key.endswith("experiment_id"):
            return self.names.get(str(value), value)
        return self.named(value) if isinstance(value, str) else value


def into_a_later_millisecond():
    """What is made next is later by the servers' clocks, too; of what is made in one millisecond
    each server chooses an order of its own."""
    time.sleep(0.005)


def place_of(item):
    """Where an item of an unordered list is put."""
    names = ("key", "name", "context", "dataset_name", "model_id")
    return [str(item.get(name, "")) for name in names] if isinstance(item, dict) else [str(item)]


def differences(expected, found, place=""):
    """Where two JSON values differ, a line each."""
    if isinstance(expected, dict) and isinstance(found, dict):
        out = []
        for key in [*expected, *(key for key in found if key not in expected)]:
            inner = f"{place}.{key}" if place else key
            if key not in found:
                out.append(f"{inner}: missing, MLflow has {expected[key]!r}")
            elif key not in expected:
                out.append(f"{inner}: {found[key]!r}, MLflow has no such member")
            else:
                out += differences(expected[key], found[key], inner)
        return out
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [
                f"{place}: {len(found)} items, MLflow has {len(expected)}: {found} | {expected}"
            ]
        return [
            line
            for index, pair in enumerate(zip(expected, found))
            for line in differences(*pair, f"{place}[{index}]")
        ]
    same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return [] if same else [f"{place or 'body'}: {found!r}, MLflow says {expected!r}"]


def compare(scenario, reference_url, url, session=Session):
    """Runs the scenario against both; the differences, each with the call it belongs to."""
    reference = session(reference_url)
    scenario(reference)
    ours = session(url)
    scenario(ours)
    out = []
    for expected, found in zip(reference.steps, ours.steps, strict=True):
        lines = differences(expected.body, found.body)
        if expected.status != found.status:
            lines.insert(0, f"status {found.status}, MLflow says {expected.status}")
        out += [(expected.label, line) for line in lines]
    return out


def check(name, found, deviations):
    """Fails for a difference that no deviation explains, and for a deviation that none needs.

    A deviation is (scenario, pattern of the call, pattern of the difference, why we differ).
    """
    needed, unexpected = set(), []
    for label, line in found:
        matching = [
            deviation
            for deviation in deviations
            if re.fullmatch(deviation[0], name)
            and re.search(deviation[1], label)
            and re.search(deviation[2], line)
        ]
        needed.update(matching[:1])
        if not matching:
            unexpected.append(f"{label}\n    {line}")
    assert not unexpected, "\n".join(unexpected)
    own = {deviation for deviation in deviations if deviation[0] == name}
    assert own <= needed, f"no longer needed: {own - needed}"
