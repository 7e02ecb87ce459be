// SPDX-License-Identifier: Apache-2.0
//
// The server's answers as the pages read them: docs/reference/api.md, and MLflow's REST API for
// runs and models.

export interface Page<T> {
  items: T[];
  next?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  const response = await fetch(path, init);
  const text = await response.text();
  if (!response.ok) throw to_error(response.status, text);
  return (text === "" ? {} : JSON.parse(text)) as T;
}

// Ciclo says {"error": {code, message}}, MLflow {error_code, message}.
function to_error(status: number, text: string): ApiError {
  try {
    const body = JSON.parse(text);
    return new ApiError(
      status,
      body.error?.code ?? body.error_code ?? "",
      body.error?.message ?? body.message ?? text,
    );
  } catch {
    return new ApiError(status, "", text || `the server answered ${status}`);
  }
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>(path, { signal });

export const post = <T>(path: string, body: unknown, signal?: AbortSignal) =>
  call<T>(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

// A change under a key of its own, so that it is done once however often it is sent.
export const send = <T>(method: string, path: string, body?: unknown) =>
  call<T>(path, {
    method,
    headers: { "Content-Type": "application/json", "Idempotency-Key": new_key() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

// Not crypto.randomUUID, which pages over plain http do not have.
function new_key(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function get_text(path: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(path, { signal });
  const text = await response.text();
  if (!response.ok) throw to_error(response.status, text);
  return text;
}

export const segment = encodeURIComponent;

// --- Runs and models (MLflow)

export interface Experiment {
  experiment_id: string;
  name: string;
  lifecycle_stage: string;
}

export interface KeyValue {
  key: string;
  value: string;
}

export interface Metric {
  key: string;
  value: number | string; // "NaN" is a string
  timestamp: number;
  step: number;
}

export interface Run {
  info: {
    run_id: string;
    run_name: string;
    experiment_id: string;
    status: string;
    start_time?: number;
    end_time?: number;
    user_id?: string;
    artifact_uri?: string;
  };
  data: { metrics?: Metric[]; params?: KeyValue[]; tags?: KeyValue[] };
}

export interface RegisteredModel {
  name: string;
  description?: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  latest_versions?: ModelVersion[];
  aliases?: { alias: string; version: string }[];
}

export interface ModelVersion {
  name: string;
  version: string;
  creation_timestamp: number;
  source?: string;
  run_id?: string;
  status?: string;
  description?: string;
  aliases?: string[];
  tags?: KeyValue[];
}

export const mlflow = (path: string) => `/api/2.0/mlflow/${path}`;

// --- Pipelines, data sets, endpoints (Ciclo)

export type State =
  "pending" | "running" | "succeeded" | "cached" | "failed" | "skipped" | "cancelled";

export interface Step {
  name: string;
  kind: string;
  state: State;
  why?: string;
  error?: string;
  attempts?: number;
  execution_id?: string;
  needs?: string[];
  started_ms?: number | null;
  ended_ms?: number | null;
  progress?: { done: number; total: number; message: string } | null;
  outputs?: { port: string; artifact_id: string; hash: string }[];
}

export interface PipelineRun {
  pipeline_run_id: string;
  pipeline: string;
  state: State;
  error?: string;
  cause?: unknown;
  created_ms: number;
  started_ms?: number | null;
  ended_ms?: number | null;
  steps?: Step[];
}

export interface DataSet {
  name: string;
  description?: string;
  latest: number;
  created_ms: number;
  updated_ms: number;
}

export interface ColumnStatistics {
  name: string;
  type: string;
  rows: number;
  nulls: number;
  distinct: number;
  exact?: boolean;
  min?: number | null;
  max?: number | null;
  mean?: number | null;
  std?: number | null;
  edges?: number[];
  counts?: number[];
  top?: { value: string; count: number }[];
}

export interface DataSetVersion {
  name: string;
  number: number;
  hash: string;
  rows: number;
  bytes: number;
  source?: unknown;
  created_ms: number;
  statistics?: { rows: number; columns: ColumnStatistics[] };
}

export interface AliasMove {
  id: number;
  alias: string;
  version?: number | null;
  previous?: number | null;
  time_ms: number;
  caller?: string;
  reason?: string;
}

export interface Comment {
  comment_id: string;
  author: string;
  text: string; // Markdown; empty once deleted
  created_ms: number;
  edits: number;
  edited_ms?: number;
  deleted_ms?: number;
  history?: { text: string; until_ms: number }[];
}

export interface Endpoint {
  name: string;
  model: string;
  alias?: string;
  version?: string;
  monitor?: unknown;
  state: "pending" | "ready" | "failed";
  serving_version?: string;
  message?: string;
  created_ms: number;
  updated_ms: number;
  signature?: { inputs: SignatureColumn[]; outputs: SignatureColumn[] };
  stats?: {
    requests: number;
    failures: number;
    rows: number;
    p50_us?: number | null;
    p99_us?: number | null;
  };
}

export interface SignatureColumn {
  name: string;
  type: string;
  required?: boolean;
}

export interface Deployment {
  id: number;
  model: string;
  version: string;
  previous?: string;
  time_ms: number;
}

export interface ColumnDrift {
  column: string;
  test: string;
  psi: number;
  psi_corrected: number;
  psi_nearest: number;
  psi_limit: number; // 0 in windows from before there were limits
  p_value: number;
  q_value: number;
  null_share: number;
  null_share_reference: number;
  new_category_share: number;
  is_drifted: boolean;
  reasons: string[];
}

export interface LiveMetric {
  metric: string;
  value: number;
  low: number;
  high: number;
  reference?: number | null;
  is_degraded: boolean;
}

export interface MonitorWindow {
  id: string;
  version: string;
  start_ms: number;
  end_ms: number;
  rows: number;
  is_judged: boolean;
  is_drifted: boolean;
  is_degraded: boolean;
  labels: number;
  columns: ColumnDrift[];
  metrics: LiveMetric[];
}

export interface Alert {
  id: number;
  kind: string;
  endpoint: string;
  version: string;
  start_ms: number;
  end_ms: number;
  time_ms: number;
  detail?: unknown;
}

// All pages of a list, at most `items_max`.
export async function get_all<T>(
  path: string,
  items_max = 1000,
  signal?: AbortSignal,
): Promise<T[]> {
  const items: T[] = [];
  let next: string | undefined;
  do {
    const mark = path.includes("?") ? "&" : "?";
    const page = next === undefined ? "" : `&page=${segment(next)}`;
    const answer: Page<T> = await get(
      `${path}${mark}limit=${Math.min(items_max, 1000)}${page}`,
      signal,
    );
    items.push(...answer.items);
    next = answer.next;
  } while (next && items.length < items_max);
  return items.slice(0, items_max);
}
