// SPDX-License-Identifier: Apache-2.0
import { useMemo, useState } from "preact/hooks";
import {
  type ColumnStatistics,
  type DataSet,
  type DataSetVersion,
  get,
  type Page,
  segment,
} from "../api";
import { Chart } from "../chart";
import { bytes_text, count_text, day_text, number_text, share_text, time_text } from "../format";
import { Card, PipelineRunLink, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

export function DataSetsPage() {
  const sets = use_load(
    "datasets",
    (signal) => get<Page<DataSet>>("/api/v1/datasets", signal),
    5000,
  );
  return (
    <>
      <Title>Data sets</Title>
      <Shown of={sets}>
        {({ items }) => (
          <Table
            rows={items}
            id={(set) => set.name}
            empty={
              <>
                no data set yet; <code>ciclo data add</code> makes one
              </>
            }
            columns={[
              {
                head: "Data set",
                cell: (set) => <a href={`#/datasets/${segment(set.name)}`}>{set.name}</a>,
              },
              { head: "Newest version", is_number: true, cell: (set) => set.latest },
              { head: "Changed", cell: (set) => time_text(set.updated_ms) },
              { head: "Description", cell: (set) => set.description },
            ]}
          />
        )}
      </Shown>
    </>
  );
}

export function DataSetPage(props: { name: string }) {
  const path = `/api/v1/datasets/${segment(props.name)}/versions`;
  const versions = use_load(path, (signal) => get<Page<DataSetVersion>>(path, signal), 10_000);
  const [chosen, choose] = useState<number>();
  return (
    <>
      <Title up={["Data sets", "/datasets"]}>{props.name}</Title>
      <Shown of={versions}>
        {({ items }) => (
          <>
            <Card title="Versions">
              <Table
                rows={items}
                id={(version) => version.number}
                columns={[
                  {
                    head: "Version",
                    is_number: true,
                    cell: (version) => (
                      <button type="button" class="link" onClick={() => choose(version.number)}>
                        {version.number}
                      </button>
                    ),
                  },
                  { head: "Made", cell: (version) => time_text(version.created_ms) },
                  { head: "Rows", is_number: true, cell: (version) => count_text(version.rows) },
                  { head: "Size", is_number: true, cell: (version) => bytes_text(version.bytes) },
                  { head: "Content", cell: (version) => <code>{version.hash.slice(0, 12)}</code> },
                  { head: "From", cell: (version) => <Source of={version.source} /> },
                ]}
              />
            </Card>
            {items[0] && <Statistics path={path} number={chosen ?? items[0].number} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Source(props: { of: unknown }) {
  if (typeof props.of !== "object" || props.of === null) return <>{String(props.of ?? "–")}</>;
  const { files, pipeline_run_id } = props.of as { files?: string[]; pipeline_run_id?: string };
  if (files) return <>{files.join(", ")}</>;
  if (!pipeline_run_id) return <>{JSON.stringify(props.of)}</>;
  return <PipelineRunLink id={pipeline_run_id} />;
}

function Statistics(props: { path: string; number: number }) {
  const path = `${props.path}/${props.number}`;
  const version = use_load(path, (signal) => get<DataSetVersion>(path, signal));
  return (
    <Card title={`Columns of version ${props.number}`}>
      <Shown of={version}>
        {({ statistics }) => (
          <Table
            rows={statistics?.columns ?? []}
            id={(column) => column.name}
            columns={[
              { head: "Column", cell: (column) => column.name },
              { head: "Type", cell: (column) => column.type },
              {
                head: "Nulls",
                is_number: true,
                cell: (column) => (column.rows ? share_text(column.nulls / column.rows) : "–"),
              },
              {
                head: "Distinct",
                is_number: true,
                cell: (column) =>
                  `${column.exact === false ? "≈ " : ""}${count_text(column.distinct)}`,
              },
              { head: "Min", is_number: true, cell: (column) => value_text(column, column.min) },
              { head: "Mean", is_number: true, cell: (column) => value_text(column, column.mean) },
              { head: "Max", is_number: true, cell: (column) => value_text(column, column.max) },
              { head: "Distribution", cell: (column) => <Distribution of={column} /> },
            ]}
          />
        )}
      </Shown>
    </Card>
  );
}

function value_text(column: ColumnStatistics, value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return column.type === "timestamp" ? day_text(value) : number_text(value);
}

const VALUES_LISTED = 12;

// Whether the values lie on a line, and are too many to be told one by one.
export function is_drawn(column: ColumnStatistics): boolean {
  const is_measured = ["number", "integer", "timestamp"].includes(column.type);
  return is_measured && column.distinct > VALUES_LISTED && (column.edges?.length ?? 0) > 2;
}

// Of numbers the density between deciles, of everything else the most frequent values.
function Distribution(props: { of: ColumnStatistics }) {
  const { edges, counts, top, rows, nulls, type } = props.of;
  const is_numeric = is_drawn(props.of);
  const shape = useMemo(() => density(edges ?? [], counts ?? []), [edges, counts]);
  if (is_numeric) {
    return (
      <div class="small-chart">
        <Chart {...shape} is_time={type === "timestamp"} height={72} plain />
      </div>
    );
  }
  const present = Math.max(1, rows - nulls);
  return (
    <span class="quiet">
      {(top ?? [])
        .slice(0, 4)
        .map(({ value, count }) => `${value || "“”"} ${share_text(count / present)}`)
        .join(" · ")}
    </span>
  );
}

// Bins between deciles hold equal counts, so what is drawn is count over width, as a step line.
export function density(edges: number[], counts: number[]) {
  const x: number[] = [];
  const values: number[] = [];
  counts.forEach((count, number) => {
    const low = edges[number];
    const high = edges[number + 1];
    if (low === undefined || high === undefined || high <= low) return;
    x.push(low, high);
    values.push(count / (high - low), count / (high - low));
  });
  return { x, lines: [{ label: "density", values }] };
}
