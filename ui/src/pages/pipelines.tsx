// SPDX-License-Identifier: Apache-2.0
import { get, type Page, type PipelineRun } from "../api";
import { ago_text, duration_text, short_id } from "../format";
import { Badge, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

export function PipelinesPage() {
  const runs = use_load(
    "pipeline-runs",
    (signal) => get<Page<PipelineRun>>("/api/v1/pipeline-runs", signal),
    2000,
  );
  const now = Date.now();
  return (
    <>
      <Title>Pipeline runs</Title>
      <Shown of={runs}>
        {({ items }) => (
          <Table
            rows={items}
            id={(run) => run.pipeline_run_id}
            empty={
              <>
                no pipeline has run yet; <code>ciclo run</code> runs a project
              </>
            }
            columns={[
              {
                head: "Pipeline run",
                cell: (run) => (
                  <a href={`#/pipelines/${run.pipeline_run_id}`}>{short_id(run.pipeline_run_id)}</a>
                ),
              },
              { head: "Pipeline", cell: (run) => run.pipeline },
              { head: "State", cell: (run) => <Badge state={run.state} /> },
              { head: "Started by", cell: (run) => cause_text(run.cause) },
              { head: "Started", cell: (run) => ago_text(run.started_ms ?? run.created_ms, now) },
              {
                head: "Took",
                cell: (run) =>
                  run.started_ms && run.ended_ms
                    ? duration_text(run.ended_ms - run.started_ms)
                    : "–",
              },
              { head: "", cell: (run) => <span class="quiet">{run.error}</span> },
            ]}
          />
        )}
      </Shown>
    </>
  );
}

// Who started a pipeline run. {"kind": "trigger", "trigger": "flights.drift", "event": {"kind":
// "drift.detected", "subject": "flights", …}} reads "drift.detected on flights"; a trigger without
// an event, which a schedule pulled, reads as its name; {"kind": "manual"} reads "manual".
export function cause_text(cause: unknown): string {
  if (typeof cause !== "object" || cause === null) return "–";
  const { kind, trigger, event } = cause as Record<string, unknown>;
  if (typeof event === "object" && event !== null) {
    const { kind: what, subject } = event as Record<string, unknown>;
    if (typeof what === "string") return subject ? `${what} on ${String(subject)}` : what;
  }
  if (typeof trigger === "string") return `trigger ${trigger}`;
  return typeof kind === "string" ? kind : "–";
}
