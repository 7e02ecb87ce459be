// SPDX-License-Identifier: Apache-2.0
//
// Answers of docs/reference/api.md and of MLflow's API, large enough that every part of a page shows.

const DAY = 86_400_000;
const START = Date.UTC(2013, 5, 1);

// A fixed sequence in [0, 1): the same picture each time.
let seed = 7;
function uniform() {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
}

const COLUMNS = [
  "temp",
  "hour",
  "distance",
  "carrier",
  "origin",
  "wind_speed",
  "visib",
  "plane_age",
];

function drift(column, day, version) {
  const season =
    column === "temp" ? Math.max(0, Math.sin((day - 20) / 40)) * 0.6 : 0;
  const psi = Math.max(
    0,
    season * (version === "1" ? 1 : 0.3) + 0.08 * uniform(),
  );
  const is_drifted = psi > 0.2;
  return {
    column,
    test: column === "carrier" || column === "origin" ? "chi_square" : "ks",
    rows: 900,
    psi: psi + 0.01,
    psi_corrected: psi,
    psi_nearest: psi,
    psi_limit: 0.2,
    null_change: 0.002,
    null_limit: 0.05,
    statistic: psi / 3,
    p_value: is_drifted ? 0 : 0.4,
    q_value: is_drifted ? 0 : 0.6,
    null_share: 0.01,
    null_share_reference: 0.012,
    null_p_value: 0.5,
    null_q_value: 0.7,
    new_category_share: 0,
    new_category_p_value: 1,
    new_category_q_value: 1,
    is_drifted,
    reasons: is_drifted ? ["distribution"] : [],
  };
}

const windows = Array.from({ length: 120 }, (_, day) => {
  const version = day < 50 ? "1" : "2";
  const columns = COLUMNS.map((column) => drift(column, day, version));
  const auc =
    0.74 -
    (version === "1" ? day * 0.001 : (day - 50) * 0.0003) +
    0.01 * (uniform() - 0.5);
  return {
    id: `w${day}`,
    endpoint: "flights",
    model: "flights",
    version,
    start_ms: START + day * DAY,
    end_ms: START + (day + 1) * DAY,
    rows: 850 + Math.round(150 * uniform()),
    is_judged: true,
    is_drifted: columns.some((column) => column.is_drifted),
    columns,
    labels: 800,
    is_degraded: auc < 0.7,
    closed_ms: 1,
    measured_ms: 2,
    metrics: [
      {
        metric: "auc",
        value: auc,
        low: auc - 0.02,
        high: auc + 0.02,
        reference: 0.75,
        is_degraded: auc < 0.7,
      },
      {
        metric: "log_loss",
        value: 0.5,
        low: 0.48,
        high: 0.52,
        reference: 0.49,
        is_degraded: false,
      },
    ],
  };
}).reverse();

const step = (name, kind, needs, state, more = {}) => ({
  name,
  kind,
  needs,
  state,
  why: "never run",
  error: "",
  attempts: 1,
  execution_id: `e-${name}`,
  started_ms: START,
  ended_ms: state === "running" ? null : START + 4200,
  outputs: [],
  ...more,
});

export const pipeline_run = {
  pipeline_run_id: "0198c0ffee00700080000000000000aa",
  pipeline: "flights",
  state: "running",
  error: "",
  cause: {
    kind: "trigger",
    trigger: "flights.drift",
    event: {
      id: 7,
      kind: "drift.detected",
      subject: "flights",
      time_ms: START,
      body: { endpoint: "flights", end_ms: START },
    },
  },
  created_ms: START,
  started_ms: START,
  ended_ms: null,
  steps: [
    step("flights", "ingest", [], "cached", { why: "nothing changed" }),
    step("weather", "ingest", [], "cached", { why: "nothing changed" }),
    step("features", "join", ["flights", "weather"], "succeeded", {
      why: "input flights changed",
      outputs: [
        {
          port: "table",
          artifact_id: "0198c0ffee00700080000000000000ab",
          hash: "af1349b9f5f9a1a6a0404dea",
        },
      ],
    }),
    step("validate", "validate", ["features"], "succeeded"),
    step("split", "split", ["features"], "succeeded"),
    step("train", "train", ["split"], "running", {
      why: "parameters.eta changed from 0.1 to 0.2",
      progress: { done: 3, total: 10, message: "round 30" },
    }),
    step("evaluate", "evaluate", ["train", "split"], "pending", {
      attempts: 0,
      started_ms: null,
      ended_ms: null,
    }),
    step("gate", "gate", ["evaluate"], "pending", {
      attempts: 0,
      started_ms: null,
      ended_ms: null,
    }),
    step("register", "register", ["gate", "validate"], "pending", {
      attempts: 0,
      started_ms: null,
      ended_ms: null,
    }),
  ],
};

const run = (number) => ({
  info: {
    run_id: `run${number}`,
    run_name: `trial-${number}`,
    experiment_id: "1",
    status: number === 0 ? "RUNNING" : "FINISHED",
    start_time: START + number * 1000,
    end_time: number === 0 ? undefined : START + number * 1000 + 12_300,
    user_id: "ciclo",
  },
  data: {
    metrics: [
      { key: "auc", value: 0.7 + 0.01 * number, timestamp: START, step: 40 },
      {
        key: "log_loss",
        value: 0.5 - 0.01 * number,
        timestamp: START,
        step: 40,
      },
      { key: "broken", value: "NaN", timestamp: START, step: 0 },
    ],
    params: [
      { key: "eta", value: "0.1" },
      { key: "max_depth", value: String(3 + number) },
    ],
    tags: [
      { key: "kind", value: "trial" },
      { key: "mlflow.user", value: "x" },
    ],
  },
});

const history = (key) =>
  Array.from({ length: 41 }, (_, step) => ({
    key,
    value:
      key === "auc"
        ? 0.74 - 0.2 * Math.exp(-step / 9)
        : 0.45 + 0.3 * Math.exp(-step / 7),
    timestamp: START + step,
    step,
  }));

const numeric = (name, edges) => ({
  name,
  type: "number",
  rows: 336776,
  nulls: 1200,
  distinct: 214,
  exact: true,
  min: edges[0],
  max: edges.at(-1),
  mean: 1039.9,
  std: 733.2,
  edges,
  counts: edges.slice(1).map(() => 33_000),
  top: [],
});

const version = (number) => ({
  name: "flights",
  number,
  hash: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
  rows: 336776,
  bytes: 4_812_345,
  source: { files: ["flights.csv"] },
  created_ms: START + number * 1000,
  files: [],
});

const endpoint = {
  name: "flights",
  model: "flights",
  alias: "champion",
  version: "",
  capture: true,
  monitor: { window: "1d" },
  state: "ready",
  serving_version: "2",
  message: "",
  created_ms: START,
  updated_ms: START,
  signature: {
    inputs: COLUMNS.map((name) => ({ name, type: "number", required: true })),
    outputs: [{ name: "probability", type: "number" }],
  },
  stats: {
    requests: 182_345,
    failures: 2,
    rows: 182_345,
    p50_us: 64,
    p99_us: 1512,
  },
};

const model_version = (number) => ({
  name: "flights",
  version: String(number),
  creation_timestamp: START + number,
  source: "models:/m",
  run_id: `run${number}`,
  status: "READY",
  description: "",
});

const list = (items) => ({ items });
const aliases = [{ alias: "champion", version: "2" }];
const model = {
  name: "flights",
  description: "late or not",
  creation_timestamp: START,
  last_updated_timestamp: START,
  aliases,
  latest_versions: [model_version(2)],
};

// By "METHOD path" without the query.
export function answer(method, path, query) {
  const known = {
    "POST /api/2.0/mlflow/experiments/search": {
      experiments: [
        { experiment_id: "1", name: "flights", lifecycle_stage: "active" },
      ],
    },
    "POST /api/2.0/mlflow/runs/search": { runs: [0, 1, 2, 3, 4].map(run) },
    "GET /api/2.0/mlflow/runs/get": { run: run(1) },
    "GET /api/2.0/mlflow/metrics/get-history": {
      metrics: history(query.get("metric_key")),
    },
    "GET /api/2.0/mlflow/artifacts/list": {
      files: query.get("path")
        ? [{ path: "model/MLmodel", is_dir: false, file_size: 812 }]
        : [
            { path: "model", is_dir: true },
            { path: "report.json", is_dir: false, file_size: 20480 },
          ],
    },
    "GET /api/2.0/mlflow/registered-models/search": {
      registered_models: [model],
    },
    "GET /api/2.0/mlflow/registered-models/get": { registered_model: model },
    "GET /api/2.0/mlflow/model-versions/search": {
      model_versions: [model_version(1), model_version(2)],
    },
    "GET /api/v1/models/flights/aliases/history": list([
      {
        id: 2,
        alias: "champion",
        version: 2,
        previous: 1,
        time_ms: START + 50 * DAY,
        caller: "pipeline",
        reason: "gate passed: auc 0.751 > 0.742",
      },
      {
        id: 1,
        alias: "champion",
        version: 1,
        previous: null,
        time_ms: START,
        caller: "pipeline",
        reason: "first version",
      },
    ]),
    "GET /api/v1/runs/run1/comments": list([
      {
        comment_id: "c2",
        kind: "run",
        author: "bert",
        text: "",
        created_ms: START + 2000,
        edits: 0,
        deleted_ms: START + 3000,
      },
      {
        comment_id: "c1",
        kind: "run",
        author: "anna",
        text: "The loss **jumps** at `step 3`, see https://example.com/why\n\n<img src=x onerror=alert(1)>",
        created_ms: START,
        edits: 1,
        edited_ms: START + 1000,
      },
    ]),
    "GET /api/v1/models/flights/comments": list([
      {
        comment_id: "c3",
        kind: "model",
        author: "anna",
        text: "- good on Sundays",
        created_ms: START,
        edits: 0,
      },
    ]),
    "GET /api/v1/pipeline-runs": list([
      pipeline_run,
      {
        ...pipeline_run,
        pipeline_run_id: "0198c0ffee00700080000000000000ac",
        state: "failed",
        ended_ms: START + 9000,
        error: "train: eta must be above 0",
        steps: undefined,
      },
    ]),
    [`GET /api/v1/pipeline-runs/${pipeline_run.pipeline_run_id}`]: pipeline_run,
    "GET /api/v1/datasets": list([
      {
        name: "flights",
        description: "New York 2013",
        latest: 2,
        created_ms: START,
        updated_ms: START,
      },
    ]),
    "GET /api/v1/datasets/flights/versions": list([version(2), version(1)]),
    "GET /api/v1/datasets/flights/versions/2": {
      ...version(2),
      statistics: {
        rows: 336776,
        columns: [
          numeric(
            "distance",
            [17, 300, 500, 700, 800, 900, 1000, 1400, 2400, 4983],
          ),
          numeric("temp", [10, 30, 40, 45, 50, 55, 60, 70, 100]),
          {
            name: "carrier",
            type: "text",
            rows: 336776,
            nulls: 0,
            distinct: 16,
            exact: true,
            top: [
              { value: "UA", count: 58665 },
              { value: "B6", count: 54635 },
              { value: "EV", count: 54173 },
            ],
          },
        ],
      },
    },
    "GET /api/v1/endpoints": list([endpoint]),
    "GET /api/v1/endpoints/flights": endpoint,
    "GET /api/v1/endpoints/flights/windows": list(windows),
    "GET /api/v1/endpoints/flights/deployments": list([
      {
        id: 2,
        model: "flights",
        version: "2",
        previous: "1",
        time_ms: START + 50 * DAY,
      },
      { id: 1, model: "flights", version: "1", previous: "", time_ms: START },
    ]),
    "GET /api/v1/alerts": list([
      {
        id: 1,
        kind: "drift.detected",
        endpoint: "flights",
        window_id: "w40",
        version: "1",
        start_ms: START + 40 * DAY,
        end_ms: START + 41 * DAY,
        time_ms: 1,
        detail: { columns: [{ column: "temp", psi: 0.4 }] },
      },
    ]),
  };
  return known[`${method} ${path}`];
}
