// SPDX-License-Identifier: Apache-2.0
import { useMemo } from "preact/hooks";
import { get, type Metric, mlflow, type Run, segment } from "../api";
import { Chart } from "../chart";
import { Comments } from "../comments";
import { bytes_text, duration_text, number_text, time_text } from "../format";
import { Badge, Card, Facts, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

const CHARTS_MAX = 24;

interface Artifact {
  path: string;
  is_dir: boolean;
  file_size?: number;
}

export function RunPage(props: { id: string }) {
  const run = use_load(
    props.id,
    async (signal) =>
      (await get<{ run: Run }>(mlflow(`runs/get?run_id=${segment(props.id)}`), signal)).run,
    3000,
  );
  return (
    <Shown of={run}>
      {({ info, data }) => (
        <>
          <Title up={["Runs", "/runs"]}>
            {info.run_name || info.run_id} <Badge state={info.status} />
          </Title>
          <Facts
            of={[
              ["Run", <code>{info.run_id}</code>],
              ["Started", time_text(info.start_time)],
              [
                "Took",
                info.start_time && info.end_time
                  ? duration_text(info.end_time - info.start_time)
                  : "–",
              ],
              ["User", info.user_id || "–"],
            ]}
          />
          <Histories
            id={props.id}
            metrics={data.metrics ?? []}
            is_live={info.status === "RUNNING"}
          />
          <div class="columns">
            <Card title="Metrics">
              <Table
                rows={data.metrics ?? []}
                id={(metric) => metric.key}
                columns={[
                  { head: "Metric", cell: (metric) => metric.key },
                  { head: "Value", is_number: true, cell: (metric) => number_text(metric.value) },
                  { head: "Step", is_number: true, cell: (metric) => metric.step },
                ]}
              />
            </Card>
            <Card title="Params">
              <Table
                rows={data.params ?? []}
                id={(param) => param.key}
                columns={[
                  { head: "Param", cell: (param) => param.key },
                  { head: "Value", cell: (param) => param.value },
                ]}
              />
            </Card>
            <Card title="Tags">
              <Table
                rows={(data.tags ?? []).filter((tag) => !tag.key.startsWith("mlflow."))}
                id={(tag) => tag.key}
                columns={[
                  { head: "Tag", cell: (tag) => tag.key },
                  { head: "Value", cell: (tag) => tag.value },
                ]}
              />
            </Card>
            <Card title="Artifacts">
              <Artifacts run={props.id} path="" />
            </Card>
          </div>
          <Comments of={`runs/${segment(props.id)}`} />
        </>
      )}
    </Shown>
  );
}

// A chart for each metric that has more than one step.
function Histories(props: { id: string; metrics: Metric[]; is_live: boolean }) {
  const keys = props.metrics.filter((metric) => metric.step > 0).map((metric) => metric.key);
  const shown = keys.slice(0, CHARTS_MAX);
  const histories = use_load(
    `${props.id} ${shown.join()}`,
    (signal) =>
      Promise.all(
        shown.map(async (key) => {
          const query = `run_id=${segment(props.id)}&metric_key=${segment(key)}`;
          const answer = await get<{ metrics?: Metric[] }>(
            mlflow(`metrics/get-history?${query}`),
            signal,
          );
          return { key, points: answer.metrics ?? [] };
        }),
      ),
    props.is_live ? 3000 : 0,
  );
  if (shown.length === 0) return null;
  return (
    <Shown of={histories}>
      {(all) => (
        <div class="columns">
          {all.map(({ key, points }) => (
            <Card key={key} title={key}>
              <History name={key} points={points} />
            </Card>
          ))}
        </div>
      )}
    </Shown>
  );
}

function History(props: { name: string; points: Metric[] }) {
  const { x, lines } = useMemo(() => {
    const points = [...props.points].sort((a, b) => a.step - b.step);
    const values = points.map((point) => (typeof point.value === "number" ? point.value : null));
    return { x: points.map((point) => point.step), lines: [{ label: props.name, values }] };
  }, [props.points]);
  return <Chart x={x} lines={lines} height={170} />;
}

function Artifacts(props: { run: string; path: string }) {
  const query = `run_id=${segment(props.run)}${props.path ? `&path=${segment(props.path)}` : ""}`;
  const list = use_load(query, async (signal) => {
    const answer = await get<{ files?: Artifact[] }>(mlflow(`artifacts/list?${query}`), signal);
    return answer.files ?? [];
  });
  const name = (path: string) => path.split("/").pop();
  return (
    <Shown of={list}>
      {(files) =>
        files.length === 0 ? (
          <p class="empty">none</p>
        ) : (
          <ul class="files">
            {files.map((file) => (
              <li key={file.path}>
                {file.is_dir ? (
                  <details>
                    <summary>{name(file.path)}/</summary>
                    <Artifacts run={props.run} path={file.path} />
                  </details>
                ) : (
                  <>
                    <a
                      href={`/get-artifact?run_id=${segment(props.run)}&path=${segment(file.path)}`}
                      download
                    >
                      {name(file.path)}
                    </a>{" "}
                    <span class="quiet">{bytes_text(file.file_size ?? 0)}</span>
                  </>
                )}
              </li>
            ))}
          </ul>
        )
      }
    </Shown>
  );
}
