// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { get, get_text, type PipelineRun, post, segment, type Step } from "../api";
import { duration_text, short_id, time_text } from "../format";
import { Graph } from "../graph";
import { Badge, Card, Facts, Shown, Table, Title } from "../parts";
import { type Loaded, message_of, use_load } from "../use";
import { cause_text } from "./pipelines";

export function PipelineRunPage(props: { id: string }) {
  const run = use_live_run(props.id);
  const [chosen, choose] = useState<string>();
  return (
    <Shown of={run}>
      {(one) => {
        const steps = one.steps ?? [];
        const step = steps.find(({ name }) => name === chosen);
        return (
          <>
            <Title up={["Pipelines", "/pipelines"]}>
              {one.pipeline} <code>{short_id(one.pipeline_run_id)}</code>{" "}
              <Badge state={one.state} />
              {one.state === "running" && (
                <button type="button" onClick={() => void cancel(props.id)}>
                  Cancel
                </button>
              )}
            </Title>
            <Facts
              of={[
                ["Started by", cause_text(one.cause)],
                ["Started", time_text(one.started_ms ?? one.created_ms)],
                ["Took", took(one)],
                ["Steps", count_states(steps)],
              ]}
            />
            {one.error && <p class="error">{one.error}</p>}
            <Card title="Graph">
              <Graph steps={steps} chosen={chosen} choose={choose} />
            </Card>
            {step && <StepCard run={props.id} step={step} />}
            <Card title="Steps">
              <Table
                rows={steps}
                id={(row) => row.name}
                columns={[
                  {
                    head: "Step",
                    cell: (row) => (
                      <button type="button" class="link" onClick={() => choose(row.name)}>
                        {row.name}
                      </button>
                    ),
                  },
                  { head: "Kind", cell: (row) => row.kind },
                  { head: "State", cell: (row) => <Badge state={row.state} /> },
                  { head: "Took", is_number: true, cell: took },
                  { head: "Why", cell: (row) => row.error || row.why || progress_text(row) },
                ]}
              />
            </Card>
          </>
        );
      }}
    </Shown>
  );
}

function StepCard(props: { run: string; step: Step }) {
  const { step } = props;
  const path = `/api/v1/pipeline-runs/${segment(props.run)}/steps/${segment(step.name)}/log`;
  const log = use_load(`${path} ${step.state}`, (signal) => get_text(path, signal));
  return (
    <Card title={step.name} note={step.kind}>
      <Facts
        of={[
          ["State", <Badge state={step.state} />],
          ["Why", step.why || "–"],
          ["Started", time_text(step.started_ms)],
          ["Took", took(step)],
          ["Attempts", step.attempts ?? 0],
          ["Needs", step.needs?.join(", ") || "nothing"],
        ]}
      />
      {step.error && <p class="error">{step.error}</p>}
      {(step.outputs?.length ?? 0) > 0 && (
        <Table
          rows={step.outputs ?? []}
          id={(output) => output.port}
          columns={[
            { head: "Output", cell: (output) => output.port },
            { head: "Artifact", cell: (output) => <code>{short_id(output.artifact_id)}</code> },
            { head: "Content", cell: (output) => <code>{output.hash.slice(0, 12)}</code> },
          ]}
        />
      )}
      {log.value && <pre class="log">{log.value}</pre>}
    </Card>
  );
}

// The run, again at each change until it has ended.
function use_live_run(id: string): Loaded<PipelineRun> {
  const [loaded, set_loaded] = useState<Loaded<PipelineRun>>({});
  useEffect(() => {
    const path = `/api/v1/pipeline-runs/${segment(id)}`;
    let stream: EventSource | undefined;
    let is_gone = false;
    get<PipelineRun>(path).then(
      (value) => {
        if (is_gone) return;
        set_loaded({ value });
        if (is_final(value)) return;
        stream = new EventSource(`${path}/events`);
        stream.addEventListener("pipeline_run", (event) => {
          const now: PipelineRun = JSON.parse((event as MessageEvent<string>).data);
          set_loaded({ value: now });
          // The server ends the stream then, and the browser would open it again.
          if (is_final(now)) stream?.close();
        });
      },
      (problem) => !is_gone && set_loaded({ error: message_of(problem) }),
    );
    return () => {
      is_gone = true;
      stream?.close();
    };
  }, [id]);
  return loaded;
}

function is_final(run: PipelineRun): boolean {
  return run.state !== "pending" && run.state !== "running";
}

async function cancel(id: string) {
  try {
    await post(`/api/v1/pipeline-runs/${segment(id)}/cancel`, {});
  } catch (problem) {
    alert(message_of(problem));
  }
}

function took(of: { started_ms?: number | null; ended_ms?: number | null }): string {
  if (!of.started_ms) return "–";
  return duration_text((of.ended_ms ?? Date.now()) - of.started_ms);
}

function progress_text(step: Step): string {
  if (!step.progress) return "";
  const { done, total, message } = step.progress;
  return [total > 0 ? `${done} of ${total}` : "", message].filter(Boolean).join(", ");
}

function count_states(steps: Step[]): string {
  const counts = new Map<string, number>();
  for (const step of steps) counts.set(step.state, (counts.get(step.state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ") || "–";
}
