// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from "preact/hooks";
import {
  type Alert,
  type ColumnDrift,
  type Deployment,
  type Endpoint,
  get,
  get_all,
  type MonitorWindow,
  type Page,
  segment,
} from "../api";
import { Chart, color_of, type Line } from "../chart";
import { count_text, day_text, latency_text, share_text, time_text } from "../format";
import { Badge, Card, Empty, Facts, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

const WINDOWS_MAX = 2000;

export function EndpointPage(props: { name: string }) {
  const path = `/api/v1/endpoints/${segment(props.name)}`;
  const endpoint = use_load(path, (signal) => get<Endpoint>(path, signal), 3000);
  return (
    <Shown of={endpoint}>
      {(one) => (
        <>
          <Title up={["Endpoints", "/endpoints"]}>
            {one.name} <Badge state={one.state} />
          </Title>
          {one.message && <p class="error">{one.message}</p>}
          <Facts
            of={[
              ["Model", <a href={`#/models/${segment(one.model)}`}>{one.model}</a>],
              ["Follows", one.alias || `version ${one.version}`],
              ["Serves version", one.serving_version || "–"],
              ["Requests", count_text(one.stats?.requests ?? 0)],
              ["Rows", count_text(one.stats?.rows ?? 0)],
              ["Failures", count_text(one.stats?.failures ?? 0)],
              ["p50", latency_text(one.stats?.p50_us)],
              ["p99", latency_text(one.stats?.p99_us)],
            ]}
          />
          <Monitoring path={path} />
          <div class="columns">
            <Alerts name={props.name} />
            <Deployments path={path} />
            {one.signature && (
              <Card title="Inputs">
                <Table
                  rows={one.signature.inputs}
                  id={(column) => column.name}
                  columns={[
                    { head: "Column", cell: (column) => column.name },
                    { head: "Type", cell: (column) => column.type },
                  ]}
                />
              </Card>
            )}
          </div>
        </>
      )}
    </Shown>
  );
}

function Monitoring(props: { path: string }) {
  const windows = use_load(
    `${props.path}/windows`,
    async (signal) => {
      const all = await get_all<MonitorWindow>(`${props.path}/windows`, WINDOWS_MAX, signal);
      return all.sort((a, b) => a.start_ms - b.start_ms);
    },
    10_000,
  );
  return (
    <Shown of={windows}>
      {(all) =>
        all.length === 0 ? (
          <Card title="Monitor">
            <Empty>no window of traffic has closed yet</Empty>
          </Card>
        ) : (
          <>
            <Quality windows={all} />
            <Drift windows={all} />
            <Traffic windows={all} />
          </>
        )
      }
    </Shown>
  );
}

// One line a model version with the band of its interval; the reference of each version dashed.
export function quality_lines(windows: MonitorWindow[], metric: string): Line[] {
  const lines: Line[] = [];
  versions_of(windows).forEach((version, number) => {
    const of = windows.map((window) =>
      window.version === version ? window.metrics.find((one) => one.metric === metric) : undefined,
    );
    if (of.every((one) => one === undefined)) return;
    const color = color_of(number);
    lines.push({
      label: `version ${version}`,
      color,
      values: of.map((one) => one?.value ?? null),
      low: of.map((one) => one?.low ?? null),
      high: of.map((one) => one?.high ?? null),
    });
    if (of.some((one) => typeof one?.reference === "number")) {
      lines.push({
        label: `${version} in validation`,
        color,
        dashed: true,
        values: of.map((one) => one?.reference ?? null),
      });
    }
  });
  return lines;
}

function versions_of(windows: MonitorWindow[]): string[] {
  return [...new Set(windows.map((window) => window.version))].sort(
    (a, b) => Number(a) - Number(b),
  );
}

function Quality(props: { windows: MonitorWindow[] }) {
  const metrics = [
    ...new Set(props.windows.flatMap((window) => window.metrics.map((one) => one.metric))),
  ];
  const [chosen, choose] = useState<string>();
  const metric = chosen ?? metrics[0];
  const chart = useMemo(
    () => ({
      x: props.windows.map((window) => window.start_ms),
      lines: quality_lines(props.windows, metric ?? ""),
      marks: props.windows.filter((window) => window.is_degraded).map((window) => window.start_ms),
    }),
    [props.windows, metric],
  );
  return (
    <Card
      title="Live quality"
      note={metric ? "with its 95 % interval; red lines: degraded" : undefined}
    >
      {metrics.length === 0 ? (
        <Empty>not enough labels have come yet</Empty>
      ) : (
        <>
          <Choice of={metrics} chosen={metric ?? ""} choose={choose} />
          <Chart {...chart} is_time height={240} />
        </>
      )}
    </Card>
  );
}

function Choice(props: { of: string[]; chosen: string; choose: (one: string) => void }) {
  return (
    <div class="choice">
      {props.of.map((one) => (
        <button
          key={one}
          type="button"
          class={one === props.chosen ? "here" : ""}
          onClick={() => props.choose(one)}
        >
          {one}
        </button>
      ))}
    </div>
  );
}

// Columns by windows, as colours; a click shows one column over time.
function Drift(props: { windows: MonitorWindow[] }) {
  const columns = useMemo(() => by_strength(props.windows), [props.windows]);
  const [chosen, choose] = useState<string>();
  const column = chosen ?? columns[0];
  const chart = useMemo(
    () => ({
      x: props.windows.map((window) => window.start_ms),
      lines: [
        { label: `PSI of ${column}`, values: course(props.windows, column, psi_of) },
        {
          label: "limit",
          dashed: true,
          color: color_of(1),
          values: course(props.windows, column, limit_of),
        },
      ],
      marks: props.windows
        .filter((window) => window.columns.some((one) => one.column === column && one.is_drifted))
        .map((window) => window.start_ms),
    }),
    [props.windows, column],
  );
  const drifted = props.windows.filter((window) => window.is_drifted).length;
  const judged = props.windows.filter((window) => window.is_judged).length;
  return (
    <Card
      title="Drift"
      note={`against the nearest training window; ${drifted} of ${judged} judged drifted`}
    >
      <div class="scroll">
        <table class="heat">
          <tbody>
            {columns.map((name) => (
              <tr key={name} class={name === column ? "here" : ""} onClick={() => choose(name)}>
                <th>{name}</th>
                {props.windows.map((window) => (
                  <Cell key={window.id} window={window} column={name} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">
        {day_text(props.windows[0]?.start_ms ?? 0)} to{" "}
        {day_text(props.windows[props.windows.length - 1]?.end_ms ?? 0)}; the darker, the nearer the
        population stability index to the column's limit; outlined: drifted; empty: not judged, as
        the window was cut or held too few rows. Click a row for its course.
      </p>
      <Chart {...chart} is_time height={180} />
    </Card>
  );
}

function Cell(props: { window: MonitorWindow; column: string }) {
  const drift = props.window.columns.find((one) => one.column === props.column);
  if (!drift || !props.window.is_judged) return <td />;
  const strength = strength_of(drift) ** 2;
  const text = [
    `${props.column}, ${day_text(props.window.start_ms)}, version ${props.window.version}`,
    `PSI ${psi_of(drift).toFixed(3)}, limit ${limit_of(drift).toFixed(3)}`,
    `${drift.test} p ${drift.q_value.toPrecision(2)}`,
    `nulls ${share_text(drift.null_share)} (training ${share_text(drift.null_share_reference)})`,
    ...(drift.is_drifted ? [`drifted: ${drift.reasons.join(", ")}`] : []),
  ];
  return (
    <td
      class={drift.is_drifted ? "drifted" : ""}
      style={{ backgroundColor: `rgb(217 115 13 / ${0.06 + 0.94 * strength})` }}
      title={text.join("\n")}
    />
  );
}

// Windows that were measured before there were limits have a PSI against all training rows only.
const LIMIT_BEFORE = 0.2;

function psi_of(drift: ColumnDrift): number {
  return drift.psi_limit ? drift.psi_nearest : drift.psi_corrected;
}

function limit_of(drift: ColumnDrift): number {
  return drift.psi_limit || LIMIT_BEFORE;
}

// How near to its limit, at most 1.
function strength_of(drift: ColumnDrift): number {
  return Math.min(1, psi_of(drift) / limit_of(drift));
}

function course(
  windows: MonitorWindow[],
  column: string | undefined,
  value: (drift: ColumnDrift) => number,
): (number | null)[] {
  return windows.map((window) => {
    const drift = window.columns.find((one) => one.column === column);
    return drift && window.is_judged ? value(drift) : null;
  });
}

// Names of all columns, those that drifted most often and most first.
export function by_strength(windows: MonitorWindow[]): string[] {
  const strength = new Map<string, number>();
  for (const window of windows) {
    for (const one of window.columns) {
      const more = (one.is_drifted ? 1 : 0) + strength_of(one) / 1000;
      strength.set(one.column, (strength.get(one.column) ?? 0) + more);
    }
  }
  return [...strength]
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
    .map(([name]) => name);
}

function Traffic(props: { windows: MonitorWindow[] }) {
  const chart = useMemo(
    () => ({
      x: props.windows.map((window) => window.start_ms),
      lines: versions_of(props.windows).map((version) => ({
        label: `rows of version ${version}`,
        values: props.windows.map((window) => (window.version === version ? window.rows : null)),
      })),
    }),
    [props.windows],
  );
  return (
    <Card title="Traffic" note="rows a window">
      <Chart {...chart} is_time height={150} bars />
    </Card>
  );
}

const ALERTS_SHOWN = 12;

function Alerts(props: { name: string }) {
  const [is_whole, show_all] = useState(false);
  const path = `/api/v1/alerts?endpoint=${segment(props.name)}`;
  const alerts = use_load(path, (signal) => get<Page<Alert>>(path, signal), 5000);
  return (
    <Card title="Alerts">
      <Shown of={alerts}>
        {({ items }) => (
          <>
            <Table
              rows={is_whole ? items : items.slice(0, ALERTS_SHOWN)}
              id={(alert) => alert.id}
              empty="none"
              columns={[
                { head: "Window", cell: (alert) => day_text(alert.start_ms) },
                { head: "What", cell: (alert) => alert.kind },
                { head: "Version", is_number: true, cell: (alert) => alert.version },
                { head: "Detail", cell: (alert) => detail_text(alert.detail) },
              ]}
            />
            {!is_whole && items.length > ALERTS_SHOWN && (
              <button type="button" class="link" onClick={() => show_all(true)}>
                {items.length - ALERTS_SHOWN} older
              </button>
            )}
          </>
        )}
      </Shown>
    </Card>
  );
}

const DETAILS_SHOWN = 4;

// The names in {"columns": [{"column": "temp", …}], "metrics": [{"metric": "auc", …}]}.
export function detail_text(detail: unknown): string {
  if (typeof detail !== "object" || detail === null) return "";
  const { columns, metrics } = detail as Record<string, unknown>;
  const list = [columns, metrics].flatMap((one) => (Array.isArray(one) ? one : []));
  const names = list
    .map((one) => (typeof one === "string" ? one : (one?.column ?? one?.metric ?? "")))
    .filter(Boolean);
  const rest = names.length - DETAILS_SHOWN;
  if (rest <= 1) return names.join(", ");
  return `${names.slice(0, DETAILS_SHOWN).join(", ")} and ${rest} more`;
}

function Deployments(props: { path: string }) {
  const path = `${props.path}/deployments`;
  const deployments = use_load(path, (signal) => get<Page<Deployment>>(path, signal), 5000);
  return (
    <Card title="Deployments">
      <Shown of={deployments}>
        {({ items }) => (
          <Table
            rows={items}
            id={(deployment) => deployment.id}
            columns={[
              { head: "When", cell: (deployment) => time_text(deployment.time_ms) },
              { head: "Version", is_number: true, cell: (deployment) => deployment.version },
              {
                head: "Before",
                is_number: true,
                cell: (deployment) => deployment.previous || "–",
              },
            ]}
          />
        )}
      </Shown>
    </Card>
  );
}
