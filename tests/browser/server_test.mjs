// SPDX-License-Identifier: Apache-2.0
//
// The pages as the program serves them: starts a server, logs a run to it as a client does, and looks.
//
//   node server_test.mjs UI PROGRAM [SCREENSHOTS]     a fresh server of that program
//   node server_test.mjs UI URL SCREENSHOTS           one that runs: pictures of what it shows
//
// UI is the folder ui/. Ends with 77 when there is no browser.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open_browser, watch } from "./browser.mjs";

const [ui, given, screenshots] = process.argv.slice(2);
const problems = [];

async function start(program, root) {
  const server = spawn(
    program,
    ["server", "--listen", "127.0.0.1:0", "--root", root],
    {
      stdio: ["ignore", "pipe", "ignore"],
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
        { timeout: 10_000 },
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
    } finally {
      server.removeAllListeners("exit");
      server.kill("SIGKILL");
      rmSync(root, { recursive: true, force: true });
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
