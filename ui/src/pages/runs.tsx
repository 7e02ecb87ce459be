// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { type Experiment, mlflow, post, type Run } from "../api";
import { ago_text, duration_text, number_text } from "../format";
import { Badge, type Column, Empty, Shown, Table, Title } from "../parts";
import { message_of, use_load } from "../use";

const PAGE = 100;

export function RunsPage() {
  const experiments = use_load("experiments", async (signal) => {
    const answer = await post<{ experiments?: Experiment[] }>(
      mlflow("experiments/search"),
      { max_results: 1000, view_type: "ACTIVE_ONLY" },
      signal,
    );
    return answer.experiments ?? [];
  });
  const [chosen, choose] = useState<string>("");
  return (
    <>
      <Title>Runs</Title>
      <Shown of={experiments}>
        {(all) =>
          all.length === 0 ? (
            <Empty>no experiment yet</Empty>
          ) : (
            <>
              <label class="field">
                Experiment{" "}
                <select value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
                  <option value="">all</option>
                  {all.map((one) => (
                    <option key={one.experiment_id} value={one.experiment_id}>
                      {one.name}
                    </option>
                  ))}
                </select>
              </label>
              <Runs
                key={chosen}
                experiments={chosen ? [chosen] : all.map((one) => one.experiment_id)}
              />
            </>
          )
        }
      </Shown>
    </>
  );
}

interface Search {
  filter: string;
  order: string;
}

function Runs(props: { experiments: string[] }) {
  const [filter, set_filter] = useState("");
  const [search, set_search] = useState<Search>({ filter: "", order: "" });
  const [runs, set_runs] = useState<Run[]>();
  const [next, set_next] = useState<string>();
  const [error, set_error] = useState<string>();

  const load = async (token?: string) => {
    try {
      const answer = await post<{ runs?: Run[]; next_page_token?: string }>(mlflow("runs/search"), {
        experiment_ids: props.experiments,
        filter: search.filter,
        order_by: search.order ? [search.order] : [],
        max_results: PAGE,
        page_token: token,
      });
      set_runs((before) => [...(token && before ? before : []), ...(answer.runs ?? [])]);
      set_next(answer.next_page_token);
      set_error(undefined);
    } catch (problem) {
      set_error(message_of(problem));
    }
  };
  useEffect(() => {
    void load();
  }, [search]);

  const sort = (key: string) => {
    const order = search.order === `${key} DESC` ? `${key} ASC` : `${key} DESC`;
    set_search({ ...search, order });
  };
  return (
    <>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          set_search({ ...search, filter });
        }}
      >
        <input
          class="wide"
          value={filter}
          placeholder={"filter: metrics.auc > 0.7 and params.eta = '0.1'"}
          onInput={(event) => set_filter(event.currentTarget.value)}
        />
        <button type="submit">Search</button>
      </form>
      {error && <p class="error">{error}</p>}
      {runs && (
        <Table
          rows={runs}
          columns={columns(runs, search.order, sort)}
          id={(run) => run.info.run_id}
          empty="no run matches"
        />
      )}
      {next && (
        <button type="button" onClick={() => void load(next)}>
          More
        </button>
      )}
    </>
  );
}

function columns(runs: Run[], order: string, sort: (key: string) => void): Column<Run>[] {
  const head = (label: string, key: string) => (
    <button type="button" class="sort" onClick={() => sort(key)}>
      {label}
      {order === `${key} DESC` ? " ↓" : order === `${key} ASC` ? " ↑" : ""}
    </button>
  );
  const now = Date.now();
  return [
    {
      head: "Run",
      cell: (run) => (
        <a href={`#/runs/${run.info.run_id}`}>{run.info.run_name || run.info.run_id}</a>
      ),
    },
    { head: "State", cell: (run) => <Badge state={run.info.status} /> },
    {
      head: head("Started", "attributes.start_time"),
      cell: (run) => ago_text(run.info.start_time, now),
    },
    {
      head: "Took",
      cell: (run) =>
        run.info.start_time && run.info.end_time
          ? duration_text(run.info.end_time - run.info.start_time)
          : "–",
    },
    ...most_used(runs.map((run) => (run.data.metrics ?? []).map((metric) => metric.key))).map(
      (key): Column<Run> => ({
        head: head(key, `metrics.\`${key}\``),
        is_number: true,
        cell: (run) => number_text(run.data.metrics?.find((metric) => metric.key === key)?.value),
      }),
    ),
    ...most_used(runs.map((run) => (run.data.params ?? []).map((param) => param.key))).map(
      (key): Column<Run> => ({
        head: key,
        cell: (run) => run.data.params?.find((param) => param.key === key)?.value ?? "",
      }),
    ),
  ];
}

// The eight keys that most rows have, in the order of their names.
export function most_used(rows: string[][]): string[] {
  const counts = new Map<string, number>();
  for (const keys of rows) for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
    .slice(0, 8)
    .map(([key]) => key)
    .sort();
}
