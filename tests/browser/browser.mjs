// SPDX-License-Identifier: Apache-2.0
//
// The system's Chromium, driven by the playwright-core of ui/.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

// Ends the process with 77 when there is no browser.
export async function open_browser(ui) {
  const executablePath = PATHS.find(existsSync);
  if (!executablePath) {
    console.log("there is no Chromium: the pages are not tested");
    process.exit(77);
  }
  const { chromium } = createRequire(resolve(ui, "package.json"))(
    "playwright-core",
  );
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-sync",
      "--disable-background-networking",
      "--disable-component-update",
    ],
  });
}

// Whatever the page complains of becomes a problem.
export function watch(page, problems) {
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
}
