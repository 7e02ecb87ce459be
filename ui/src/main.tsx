// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import "./style.css";
import { DataSetPage, DataSetsPage } from "./pages/datasets";
import { EndpointPage } from "./pages/endpoint";
import { EndpointsPage } from "./pages/endpoints";
import { ModelPage, ModelsPage } from "./pages/models";
import { PipelineRunPage } from "./pages/pipeline_run";
import { PipelinesPage } from "./pages/pipelines";
import { RunPage } from "./pages/run";
import { RunsPage } from "./pages/runs";
import { use_path } from "./use";

const SECTIONS: [string, string][] = [
  ["runs", "Runs"],
  ["pipelines", "Pipelines"],
  ["datasets", "Data sets"],
  ["models", "Models"],
  ["endpoints", "Endpoints"],
];

function App() {
  const path = use_path();
  const [section = "runs", name] = path.split("/").slice(1);
  return (
    <>
      <nav>
        <a class="brand" href="#/runs">
          <img src="/icon.svg" alt="" /> Ciclo
        </a>
        {SECTIONS.map(([key, label]) => (
          <a key={key} href={`#/${key}`} class={key === section ? "here" : ""}>
            {label}
          </a>
        ))}
      </nav>
      <main key={path}>
        {page(section, name === undefined ? undefined : decodeURIComponent(name))}
      </main>
    </>
  );
}

function page(section: string, name?: string) {
  switch (section) {
    case "runs":
      return name ? <RunPage id={name} /> : <RunsPage />;
    case "pipelines":
      return name ? <PipelineRunPage id={name} /> : <PipelinesPage />;
    case "datasets":
      return name ? <DataSetPage name={name} /> : <DataSetsPage />;
    case "models":
      return name ? <ModelPage name={name} /> : <ModelsPage />;
    case "endpoints":
      return name ? <EndpointPage name={name} /> : <EndpointsPage />;
    default:
      return <p class="error">there is no page “{section}”</p>;
  }
}

const place = document.getElementById("app");
if (place) render(<App />, place);
