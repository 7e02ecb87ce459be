// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import {
  type AliasMove,
  get,
  mlflow,
  type ModelVersion,
  type Page,
  type RegisteredModel,
  segment,
} from "../api";
import { Comments } from "../comments";
import { short_id, time_text } from "../format";
import { Badge, Card, PipelineRunLink, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

export function ModelsPage() {
  const models = use_load(
    "models",
    async (signal) => {
      const path = mlflow("registered-models/search?max_results=1000");
      const answer = await get<{ registered_models?: RegisteredModel[] }>(path, signal);
      return answer.registered_models ?? [];
    },
    5000,
  );
  return (
    <>
      <Title>Models</Title>
      <Shown of={models}>
        {(all) => (
          <Table
            rows={all}
            id={(model) => model.name}
            empty="no registered model yet"
            columns={[
              {
                head: "Model",
                cell: (model) => <a href={`#/models/${segment(model.name)}`}>{model.name}</a>,
              },
              {
                head: "Newest version",
                is_number: true,
                cell: (model) => model.latest_versions?.[0]?.version ?? "–",
              },
              {
                head: "Aliases",
                cell: (model) =>
                  (model.aliases ?? []).map(({ alias, version }) => (
                    <span key={alias} class="badge alias">
                      {alias} → {version}
                    </span>
                  )),
              },
              { head: "Changed", cell: (model) => time_text(model.last_updated_timestamp) },
              { head: "Description", cell: (model) => model.description },
            ]}
          />
        )}
      </Shown>
    </>
  );
}

export function ModelPage(props: { name: string }) {
  const name = props.name;
  const model = use_load(
    name,
    async (signal) => {
      const filter = segment(`name='${name}'`);
      const [registered, versions, moves] = await Promise.all([
        get<{ registered_model: RegisteredModel }>(
          mlflow(`registered-models/get?name=${segment(name)}`),
          signal,
        ),
        get<{ model_versions?: ModelVersion[] }>(
          mlflow(`model-versions/search?filter=${filter}&max_results=1000`),
          signal,
        ),
        get<Page<AliasMove>>(`/api/v1/models/${segment(name)}/aliases/history`, signal),
      ]);
      return {
        ...registered.registered_model,
        versions: versions.model_versions ?? [],
        moves: moves.items,
      };
    },
    5000,
  );
  return (
    <Shown of={model}>
      {({ description, aliases, versions, moves }) => (
        <>
          <Title up={["Models", "/models"]}>{name}</Title>
          {description && <p>{description}</p>}
          <Card title="Versions">
            <Table
              rows={[...versions].sort((a, b) => Number(b.version) - Number(a.version))}
              id={(version) => version.version}
              columns={[
                { head: "Version", is_number: true, cell: (version) => version.version },
                {
                  head: "Aliases",
                  cell: (version) =>
                    (aliases ?? [])
                      .filter((one) => String(one.version) === String(version.version))
                      .map(({ alias }) => (
                        <span key={alias} class="badge alias">
                          {alias}
                        </span>
                      )),
                },
                {
                  head: "State",
                  cell: (version) => version.status && <Badge state={version.status} />,
                },
                { head: "Made", cell: (version) => time_text(version.creation_timestamp) },
                {
                  head: "Run",
                  cell: (version) =>
                    version.run_id && (
                      <a href={`#/runs/${version.run_id}`}>{short_id(version.run_id)}</a>
                    ),
                },
                { head: "Description", cell: (version) => version.description },
              ]}
            />
          </Card>
          <Comments of={`models/${segment(name)}`} />
          {[...versions]
            .sort((a, b) => Number(b.version) - Number(a.version))
            .map(({ version }) => (
              <VersionComments key={version} name={name} version={version} />
            ))}
          <Card title="Deployment history" note="every move of an alias, newest first">
            <Table
              rows={moves}
              id={(move) => move.id}
              columns={[
                { head: "When", cell: (move) => time_text(move.time_ms) },
                { head: "Alias", cell: (move) => move.alias },
                { head: "Version", is_number: true, cell: (move) => move.version ?? "removed" },
                { head: "Before", is_number: true, cell: (move) => move.previous ?? "–" },
                { head: "By", cell: (move) => move.caller },
                { head: "Reason", cell: (move) => <Reason of={move.reason ?? ""} /> },
              ]}
            />
          </Card>
        </>
      )}
    </Shown>
  );
}

// Loaded when they are opened: a model may have many versions.
function VersionComments(props: { name: string; version: string }) {
  const [is_open, set_open] = useState(false);
  const of = `models/${segment(props.name)}/versions/${props.version}`;
  return (
    <details class="of-version" onToggle={(event) => set_open(event.currentTarget.open)}>
      <summary>Comments on version {props.version}</summary>
      {is_open && <Comments of={of} title={`Version ${props.version}`} />}
    </details>
  );
}

// A reason that names a pipeline run leads to it.
function Reason(props: { of: string }) {
  const run = /^pipeline run (\w+)$/.exec(props.of)?.[1];
  return run ? <PipelineRunLink id={run} /> : <>{props.of}</>;
}
