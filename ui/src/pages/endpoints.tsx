// SPDX-License-Identifier: Apache-2.0
import { type Endpoint, get, type Page, segment } from "../api";
import { count_text, latency_text } from "../format";
import { Badge, Shown, Table, Title } from "../parts";
import { use_load } from "../use";

export function EndpointsPage() {
  const endpoints = use_load(
    "endpoints",
    (signal) => get<Page<Endpoint>>("/api/v1/endpoints", signal),
    3000,
  );
  return (
    <>
      <Title>Endpoints</Title>
      <Shown of={endpoints}>
        {({ items }) => (
          <Table
            rows={items}
            id={(endpoint) => endpoint.name}
            empty="no endpoint yet"
            columns={[
              {
                head: "Endpoint",
                cell: (endpoint) => (
                  <a href={`#/endpoints/${segment(endpoint.name)}`}>{endpoint.name}</a>
                ),
              },
              { head: "State", cell: (endpoint) => <Badge state={endpoint.state} /> },
              {
                head: "Model",
                cell: (endpoint) => (
                  <a href={`#/models/${segment(endpoint.model)}`}>{endpoint.model}</a>
                ),
              },
              {
                head: "Follows",
                cell: (endpoint) => endpoint.alias || `version ${endpoint.version}`,
              },
              {
                head: "Serves version",
                is_number: true,
                cell: (endpoint) => endpoint.serving_version || "–",
              },
              {
                head: "Requests",
                is_number: true,
                cell: (endpoint) => count_text(endpoint.stats?.requests ?? 0),
              },
              {
                head: "p50",
                is_number: true,
                cell: (endpoint) => latency_text(endpoint.stats?.p50_us),
              },
              {
                head: "p99",
                is_number: true,
                cell: (endpoint) => latency_text(endpoint.stats?.p99_us),
              },
              { head: "", cell: (endpoint) => <span class="quiet">{endpoint.message}</span> },
            ]}
          />
        )}
      </Shown>
    </>
  );
}
