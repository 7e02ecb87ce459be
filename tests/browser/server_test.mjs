// SPDX-License-Identifier: Apache-2.0
//
// The pages as the program serves them: starts a server, logs a run to it as a client does, and looks;
// then runs a small project on it, with predictions, labels and drift, and looks whether every page
// shows them.
//
//   node server_test.mjs UI PROGRAM [SCREENSHOTS]     a fresh server of that program
//   node server_test.mjs UI URL SCREENSHOTS           one that runs: pictures of what it shows
//
// UI is the folder ui/. Ends with 77 when there is no browser.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open_browser, PATIENCE_MS, watch } from "./browser.mjs";

const [ui, given, screenshots] = process.argv.slice(2);
const problems = [];

async function start(program, root) {
  const server = spawn(
    program,
    ["server", "--listen", "127.0.0.1:0", "--root", root],
    {
      stdio: ["ignore", "pipe", "ignore"],
      // A connection that rests while the project runs is not closed when it is used again.
      env: { ...process.env, CICLO_HTTP_IDLE_TIMEOUT_MS: "3600000" },
    },
  );
  const address = await new Promise((done, fail) => {
    let text = "";
    server.stdout.on("data", (piece) => {
      text += piece;
      const ready = /^ready (\S+)$/m.exec(text);
      if (ready) done(ready[1]);
    });
    server.on("exit", (status) =>
      fail(new Error(`the server ended with ${status}`)),
    );
  });
  return { server, address };
}

async function send(address, path, body) {
  const answer = await fetch(`${address}/api/2.0/mlflow/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok)
    throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// A run with a history and a registered model, through the API that clients use.
async function log_a_run(address) {
  const { experiment_id } = await send(address, "experiments/create", {
    name: "browser",
  });
  const { run } = await send(address, "runs/create", {
    experiment_id,
    run_name: "seen",
    start_time: Date.now(),
  });
  const run_id = run.info.run_id;
  const metrics = Array.from({ length: 20 }, (_, step) => ({
    key: "auc",
    value: 0.5 + step / 50,
    timestamp: Date.now(),
    step,
  }));
  await send(address, "runs/log-batch", {
    run_id,
    metrics,
    params: [{ key: "eta", value: "0.1" }],
  });
  await send(address, "registered-models/create", { name: "delay" });
  await send(address, "model-versions/create", {
    name: "delay",
    source: "s3://models/1",
    run_id,
  });
  await send(address, "registered-models/alias", {
    name: "delay",
    alias: "champion",
    version: "1",
  });
  return run_id;
}

async function shows(page, path, texts) {
  for (const text of texts) {
    try {
      await page.waitForFunction(
        (wanted) => document.querySelector("main")?.innerText.includes(wanted),
        text,
        { timeout: PATIENCE_MS },
      );
    } catch {
      const found = await page.locator("main").innerText();
      problems.push(
        `${path}: does not show "${text}", but: ${found.slice(0, 300)}`,
      );
    }
  }
  if ((await page.locator("main > .error").count()) > 0) {
    problems.push(
      `${path}: ${await page.locator("main > .error").first().innerText()}`,
    );
  }
}

async function picture(page, name) {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({
    path: join(screenshots, `${name}.png`),
    fullPage: true,
  });
}

async function look(page, address, run_id) {
  const expected = [
    ["/runs", ["seen", "0.88", "0.1"]],
    [`/runs/${run_id}`, ["seen", "auc", "running"]],
    ["/pipelines", ["no pipeline has run yet"]],
    ["/datasets", ["no data set yet"]],
    ["/models", ["delay", "champion → 1"]],
    ["/models/delay", ["Deployment history", "champion"]],
    ["/endpoints", ["no endpoint yet"]],
  ];
  for (const [path, texts] of expected) {
    await page.goto(`${address}/#${path}`);
    await shows(page, path, texts);
    await picture(page, path.slice(1).replaceAll("/", "-"));
  }
}

const DAY = 86_400_000;
const START = Date.UTC(2024, 0, 1);
const TRAINING_DAYS = 40;
const LIVE_DAYS = 4;
const ROWS_A_DAY = 240;

// A fixed sequence in [0, 1).
let seed = 3;
function uniform() {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
}

function visit(day, row, shift) {
  const pages = Math.floor(90 * uniform()) + shift;
  const channel = ["mail", "search", "direct"][row % 3];
  const buys = uniform() < (pages % 90 > 45 ? 0.8 : 0.2) ? 1 : 0;
  const at = START + day * DAY + row * Math.floor(DAY / ROWS_A_DAY);
  return { at, pages, seconds: 300 * uniform(), channel, buys };
}

function visits(first_day, days, shift = 0) {
  return Array.from({ length: days * ROWS_A_DAY }, (_, number) =>
    visit(
      first_day + Math.floor(number / ROWS_A_DAY),
      number % ROWS_A_DAY,
      shift,
    ),
  );
}

async function call(address, method, path, body) {
  const answer = await fetch(`${address}${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok)
    throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

// Trains and deploys on a table that the test writes, as a user does.
function run_project(program, address, folder) {
  const lines = visits(0, TRAINING_DAYS).map(
    ({ at, pages, seconds, channel, buys }) =>
      `${new Date(at).toISOString().slice(0, 19)},${pages},${seconds.toFixed(2)},${channel},${buys}`,
  );
  const file = join(folder, "visits.csv");
  writeFileSync(
    file,
    ["at,pages,seconds,channel,buys", ...lines, ""].join("\n"),
  );
  const project = join(folder, "project");
  const quiet = { stdio: ["ignore", "ignore", "pipe"] };
  execFileSync(
    program,
    ["init", file, "--target", "buys", "--dir", project],
    quiet,
  );
  execFileSync(
    program,
    ["run", "--project", project, "--server", address],
    quiet,
  );
}

// Days of traffic that has left the training's range, with labels a day later.
async function live_traffic(address) {
  const rows = visits(TRAINING_DAYS, LIVE_DAYS, 500);
  const id = (number) => `visit-${number}`;
  const types = {
    integer: "INT64",
    timestamp: "INT64",
    number: "FP64",
    text: "BYTES",
  };
  const endpoint = await call(address, "GET", "/api/v1/endpoints/visits");
  await call(address, "POST", "/v2/models/visits/infer", {
    parameters: {
      inference_ids: rows.map((_, number) => id(number)),
      event_times_ms: rows.map(({ at }) => at),
    },
    inputs: endpoint.signature.inputs.map(({ name, type }) => ({
      name,
      datatype: types[type],
      shape: [rows.length],
      data: rows.map((row) => row[name]),
    })),
  });
  await call(address, "POST", "/api/v1/endpoints/visits/labels", {
    labels: rows.map((row, number) => ({
      inference_id: id(number),
      label: row.buys,
      time_ms: row.at + DAY,
    })),
  });
  await call(address, "POST", "/api/v1/endpoints/visits/windows/close", {});
  await settled(address);
}

// What the alarms have started has ended.
async function settled(address) {
  const end = Date.now() + 600_000;
  while (Date.now() < end) {
    const { runs_active } = await call(
      address,
      "POST",
      "/api/v1/endpoints/visits/settle",
      {},
    );
    if (runs_active.length === 0) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the retraining has not ended within ten minutes");
}

// The first link of a page's table that reads so, or any. The table of the page before, which may
// stand there for a moment, is not meant.
async function open_first(page, address, section, text) {
  await page.goto(`${address}/#/${section}`);
  await page.waitForSelector(`nav a.here[href="#/${section}"]`);
  const link = page
    .locator("tbody tr a", text ? { hasText: text } : {})
    .first();
  await link.click();
}

async function needs(page, path, selector, count) {
  try {
    await page.waitForFunction(
      ([wanted, least]) => document.querySelectorAll(wanted).length >= least,
      [selector, count],
      { timeout: PATIENCE_MS },
    );
  } catch {
    const found = await page.locator(selector).count();
    problems.push(`${path}: ${found} of ${selector} instead of ${count}`);
  }
}

async function look_at_project(page, address) {
  await page.goto(`${address}/#/pipelines`);
  await shows(page, "/pipelines", [
    "visits",
    "drift.detected on visits",
    "manual",
  ]);
  await picture(page, "project-pipelines");

  const runs = await call(
    address,
    "GET",
    "/api/v1/pipeline-runs?pipeline=visits",
  );
  await page.goto(`${address}/#/pipelines/${runs.items[0].pipeline_run_id}`);
  await shows(page, "a pipeline run", ["manual", "never run", "succeeded"]);
  await needs(page, "a pipeline run", ".graph .node", 10);
  await picture(page, "project-pipeline");

  await page.goto(`${address}/#/datasets`);
  await shows(page, "/datasets", ["visits.examples"]);
  await page.goto(`${address}/#/datasets/visits.examples`);
  await shows(page, "a data set", [
    "9,600",
    "pages",
    "channel",
    "direct 33.3 %",
  ]);
  await needs(page, "a data set", ".small-chart canvas", 3); // at, pages (whole numbers), seconds
  await picture(page, "project-dataset");

  await open_first(page, address, "runs");
  await shows(page, "a run", ["finished", "test_auc", "model"]);
  await needs(page, "a run", ".chart canvas", 2);

  await page.goto(`${address}/#/models/visits`);
  await shows(page, "a model", ["champion", "pipeline run"]);

  await page.goto(`${address}/#/endpoints`);
  await shows(page, "/endpoints", ["visits", "ready"]);
  await page.goto(`${address}/#/endpoints/visits`);
  await shows(page, "an endpoint", [
    "Live quality",
    `of ${LIVE_DAYS} judged drifted`,
    "drift.detected",
    "Deployments",
    "seconds",
  ]);
  await needs(page, "an endpoint", ".chart canvas", 3);
  await needs(page, "an endpoint", ".heat td.drifted", LIVE_DAYS);
  await page
    .waitForFunction(
      () => !document.querySelector("main").innerText.includes("loading"),
      undefined,
      { timeout: PATIENCE_MS },
    )
    .catch(() => problems.push("an endpoint: still loading"));
  await picture(page, "project-endpoint");
}

// Whatever a running server has: each list, and the first of each.
async function look_around(page, address) {
  for (const section of [
    "runs",
    "pipelines",
    "datasets",
    "models",
    "endpoints",
  ]) {
    await page.goto(`${address}/#/${section}`);
    await page.waitForTimeout(1500);
    await shows(page, section, []);
    await picture(page, section);
    const first = page.locator("tbody tr a").first();
    if ((await first.count()) === 0) continue;
    await first.click();
    await page.waitForTimeout(2500);
    await shows(page, `the first of ${section}`, []);
    await picture(page, `${section}-first`);
  }
}

const browser = await open_browser(ui);
const page = await browser.newPage({ viewport: { width: 1360, height: 900 } });
watch(page, problems);
try {
  if (given.startsWith("http")) {
    await look_around(page, given);
  } else {
    const root = mkdtempSync(join(tmpdir(), "ciclo-browser."));
    const { server, address } = await start(given, root);
    try {
      await look(page, address, await log_a_run(address));
      run_project(given, address, root);
      await live_traffic(address);
      await look_at_project(page, address);
    } finally {
      server.removeAllListeners("exit");
      if (server.exitCode === null && server.signalCode === null) {
        const ended = new Promise((done) => server.on("exit", done));
        server.kill("SIGKILL");
        await ended; // it writes there until then
      }
      rmSync(root, { recursive: true, force: true, maxRetries: 10 });
    }
  }
} finally {
  await browser.close();
}
for (const problem of new Set(problems)) console.log(problem);
console.log(
  problems.length === 0
    ? "the pages are as expected"
    : "the pages are not as expected",
);
process.exit(problems.length === 0 ? 0 : 1);
