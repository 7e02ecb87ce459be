// SPDX-License-Identifier: Apache-2.0
//
// Opens every page in a real Chromium, with prepared answers in place of a server, and looks whether what
// matters is there, without an error on the console.
//
//   node pages_test.mjs UI [SCREENSHOTS]
//
// UI is the folder ui/. Ends with 77 when there is no browser.
import { createServer } from "node:http";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { open_browser, PATIENCE_MS, watch } from "./browser.mjs";
import { answer, pipeline_run } from "./fixtures.mjs";

const [ui, screenshots] = process.argv.slice(2);
const dist = join(ui, "dist");
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

let streams = 0;

function serve(request, response) {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname.endsWith("/events")) return stream(response);
  if (url.pathname.endsWith("/log"))
    return response.end("round 29\nround 30\n");
  if (url.pathname.startsWith("/api/")) {
    const known = answer(request.method, url.pathname, url.searchParams);
    response.writeHead(known ? 200 : 404, {
      "Content-Type": "application/json",
    });
    return response.end(
      JSON.stringify(
        known ?? { error: { code: "not_found", message: url.pathname } },
      ),
    );
  }
  const file = join(dist, url.pathname === "/" ? "index.html" : url.pathname);
  if (!existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
  });
  response.end(readFileSync(file));
}

// The run as it is, then with its training done.
function stream(response) {
  streams += 1;
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (run) =>
    response.write(`event: pipeline_run\ndata: ${JSON.stringify(run)}\n\n`);
  send(pipeline_run);
  const steps = pipeline_run.steps.map((step) => ({
    ...step,
    state: "succeeded",
    started_ms: 1000,
    ended_ms: 2500,
  }));
  setTimeout(() => {
    send({
      ...pipeline_run,
      state: "succeeded",
      ended_ms: pipeline_run.started_ms + 8000,
      steps,
    });
    response.end();
  }, 500);
}

// The page, what must be in it, and a selector that must match at least so often.
const PAGES = [
  [
    "runs",
    "/runs",
    ["trial-1", "auc", "0.71", "max_depth", "NaN", "running"],
    "tbody tr",
    5,
  ],
  [
    "run",
    "/runs/run1",
    [
      "trial-1",
      "finished",
      "log_loss",
      "report.json",
      "12.3 s",
      "anna",
      "edited",
      "deleted",
      "<img src=x onerror=alert(1)>",
    ],
    ".chart canvas",
    2,
  ],
  [
    "pipelines",
    "/pipelines",
    ["drift.detected on flights", "failed", "eta must be above 0"],
    "tbody tr",
    2,
  ],
  [
    "pipeline",
    `/pipelines/${pipeline_run.pipeline_run_id}`,
    ["parameters.eta changed from 0.1 to 0.2"],
    ".graph .node",
    9,
  ],
  ["datasets", "/datasets", ["flights", "New York 2013"], "tbody tr", 1],
  [
    "dataset",
    "/datasets/flights",
    ["336,776", "distance", "UA 17.4 %", "flights.csv"],
    ".small-chart canvas",
    2,
  ],
  ["models", "/models", ["champion → 2"], "tbody tr", 1],
  [
    "model",
    "/models/flights",
    ["gate passed: auc 0.751 > 0.742", "champion", "good on Sundays"],
    "tbody tr",
    4,
  ],
  ["endpoints", "/endpoints", ["182,345", "64 µs", "1.5 ms"], "tbody tr", 1],
  [
    "endpoint",
    "/endpoints/flights",
    ["Live quality", "drift.detected", "temp", "version 2"],
    ".heat td.drifted",
    5,
  ],
];

const problems = [];

async function look(browser, address, color_scheme) {
  const page = await browser.newPage({
    viewport: { width: 1360, height: 900 },
    colorScheme: color_scheme,
  });
  watch(page, problems);
  for (const [name, path, texts, selector, count] of PAGES) {
    await page.goto(`${address}/#${path}`);
    try {
      await page.waitForFunction(
        ([wanted, least]) => document.querySelectorAll(wanted).length >= least,
        [selector, count],
        { timeout: PATIENCE_MS },
      );
    } catch {
      problems.push(`${name}: fewer than ${count} of ${selector}`);
    }
    for (const text of texts) {
      try {
        await page.waitForFunction(
          (wanted) =>
            document.querySelector("main")?.innerText.includes(wanted),
          text,
          { timeout: PATIENCE_MS },
        );
      } catch {
        problems.push(`${name}: does not show "${text}"`);
      }
    }
    if ((await page.locator(".error").count()) > (name === "pipelines" ? 1 : 0))
      problems.push(`${name}: shows an error`);
    if (name === "pipeline") await follow(page);
    if (screenshots) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({
        path: join(screenshots, `${name}-${color_scheme}.png`),
        fullPage: true,
      });
    }
  }
  await page.close();
}

// What the stream says is shown without a reload; a click on a step shows its log.
async function follow(page) {
  await page.waitForSelector("h1 .badge.succeeded");
  await page.locator(".graph .node", { hasText: "train" }).click();
  await page.waitForSelector("pre.log");
  const before = streams;
  if ((await page.locator(".node.succeeded").count()) !== 9)
    problems.push("pipeline: not all steps succeeded");
  if (streams !== before)
    problems.push("pipeline: a finished run is followed further");
}

async function look_at_failures(browser, address) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(`${address}/#/endpoints/none`);
  const shown = await page.locator(".error").innerText();
  if (!shown.includes("/api/v1/endpoints/none"))
    problems.push("a failure's message is not shown");
  await page.close();
}

const server = createServer(serve);
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const address = `http://127.0.0.1:${server.address().port}`;
const browser = await open_browser(ui);
try {
  await look(browser, address, "light");
  if (screenshots) await look(browser, address, "dark");
  await look_at_failures(browser, address);
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
for (const problem of new Set(problems)) console.log(problem);
console.log(
  problems.length === 0
    ? `${PAGES.length} pages are as expected`
    : "the pages are not as expected",
);
process.exit(problems.length === 0 ? 0 : 1);
