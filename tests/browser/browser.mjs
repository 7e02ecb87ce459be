// SPDX-License-Identifier: Apache-2.0
//
// The system's Chromium, driven by the playwright-core of ui/.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

// For whatever a page must show: a machine with much else to do takes its time.
export const PATIENCE_MS = 120_000;

// Ends the process with 77 when there is no browser, or none that starts: on Ubuntu the package
// chromium-browser only calls a snap, which a container cannot run. CICLO_TEST_BROWSER names another
// program.
export async function open_browser(ui) {
  const named = process.env.CICLO_TEST_BROWSER;
  const executablePath = named ?? PATHS.find(existsSync);
  if (!executablePath) skip("there is no Chromium");
  const { chromium } = createRequire(resolve(ui, "package.json"))(
    "playwright-core",
  );
  return chromium
    .launch({
      executablePath,
      timeout: PATIENCE_MS,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-background-networking",
        "--disable-component-update",
      ],
    })
    .catch((error) =>
      skip(
        `${executablePath} does not start (${error.message.split("\n")[0]})`,
      ),
    );
}

function skip(reason) {
  console.log(`${reason}: the pages are not tested`);
  process.exit(77);
}

// Whatever the page complains of becomes a problem.
export function watch(page, problems) {
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
}
