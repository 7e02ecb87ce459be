// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vite";

// The server to work against while developing: `npm run dev` beside `./dev run`.
const server = process.env.CICLO_SERVER ?? "http://127.0.0.1:5080";

export default defineConfig({
  base: "/",
  build: { target: "es2022", assetsInlineLimit: 0, reportCompressedSize: false },
  server: { proxy: { "/api": server, "/get-artifact": server } },
});
