// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import type { ColumnDrift, MonitorWindow } from "./api";
import { ago_text, bytes_text, duration_text, latency_text, number_text } from "./format";
import { place } from "./graph";
import { blocks_of, inline } from "./markdown";
import { density, is_drawn } from "./pages/datasets";
import { by_strength, detail_text, quality_lines } from "./pages/endpoint";
import { cause_text } from "./pages/pipelines";
import { most_used } from "./pages/runs";

test("values read well", () => {
  expect(number_text(0.123456)).toBe("0.1235");
  expect(number_text(1e-9)).toBe("1.000e-9");
  expect(number_text(336776)).toBe("336,776");
  expect(number_text("NaN")).toBe("NaN");
  expect(number_text(null)).toBe("–");
  expect(bytes_text(1536)).toBe("1.5 KiB");
  expect(duration_text(61_000)).toBe("1 min 1 s");
  expect(latency_text(1500)).toBe("1.5 ms");
  expect(ago_text(1000, 3_601_000)).toBe("1 h ago");
});

test("Markdown becomes blocks, and what looks like HTML stays text", () => {
  expect(blocks_of("# Why\none\ntwo\n\n- a\n- b\n  more\n1. c\n> q\n```\nx < y\n```")).toEqual([
    { kind: "heading", text: "Why" },
    { kind: "paragraph", text: "one\ntwo" },
    { kind: "list", is_ordered: false, items: ["a", "b more"] },
    { kind: "list", is_ordered: true, items: ["c"] },
    { kind: "quote", text: "q" },
    { kind: "code", text: "x < y" },
  ]);
  expect(inline("<script>alert(1)</script>")).toEqual(["<script>alert(1)</script>"]);
  expect(inline("[x](javascript:alert(1))")).toEqual(["[x](javascript:alert(1))"]);
});

test("the graph runs from left to right and ignores needs that are not there", () => {
  const placed = place([
    { name: "a", needs: [] },
    { name: "b", needs: ["a", "gone"] },
  ]);
  const x = new Map(placed.nodes.map((node) => [node.name, node.x]));
  expect(x.get("a")).toBeLessThan(x.get("b") ?? 0);
  expect(placed.edges.map(({ from, to }) => [from, to])).toEqual([["a", "b"]]);
});

test("bins of unequal width are drawn by density", () => {
  expect(density([0, 1, 3], [10, 10])).toEqual({
    x: [0, 1, 1, 3],
    lines: [{ label: "density", values: [10, 10, 5, 5] }],
  });
  expect(density([2, 2], [10]).x).toEqual([]);
});

test("whole numbers are drawn unless they are few", () => {
  const column = (type: string, distinct: number) => ({
    ...{ name: "x", rows: 100, nulls: 0, edges: [0, 1, 2, 3] },
    ...{ type, distinct },
  });
  expect(is_drawn(column("integer", 40))).toBe(true);
  expect(is_drawn(column("number", 40))).toBe(true);
  expect(is_drawn(column("integer", 7))).toBe(false);
  expect(is_drawn(column("text", 40))).toBe(false);
});

test("the keys that most runs have become columns", () => {
  expect(most_used([["b", "a"], ["b"], []])).toEqual(["a", "b"]);
  expect(most_used([["a", "b", "c", "d", "e", "f", "g", "h", "i"], ["i"]])).not.toContain("h");
});

const column = (name: string, psi: number, is_drifted: boolean) =>
  ({
    column: name,
    psi_nearest: psi,
    psi_limit: 0.2,
    is_drifted,
    reasons: [],
  }) as unknown as ColumnDrift;
const window_of = (version: string, auc: number | null, columns: ColumnDrift[] = []) =>
  ({
    version,
    columns,
    metrics:
      auc === null
        ? []
        : [{ metric: "auc", value: auc, low: auc - 1, high: auc + 1, reference: 5 }],
  }) as unknown as MonitorWindow;

test("each version has its line, interval and reference", () => {
  const lines = quality_lines([window_of("1", 3), window_of("10", 4), window_of("2", null)], "auc");
  expect(lines.map((line) => line.label)).toEqual([
    "version 1",
    "1 in validation",
    "version 10",
    "10 in validation",
  ]);
  expect(lines[0]?.values).toEqual([3, null, null]);
  expect(lines[2]?.low).toEqual([null, 3, null]);
});

test("columns that drift most stand first", () => {
  const windows = [
    window_of("1", 1, [column("calm", 0.1, false), column("loud", 0.3, true)]),
    window_of("1", 1, [column("calm", 0.1, false), column("loud", 0, false)]),
  ];
  expect(by_strength(windows)).toEqual(["loud", "calm"]);
});

test("causes and details are told by name, whatever their shape", () => {
  const event = { id: 7, kind: "drift.detected", subject: "flights", time_ms: 1, body: {} };
  expect(cause_text({ kind: "trigger", trigger: "flights.drift", event })).toBe(
    "drift.detected on flights",
  );
  expect(cause_text({ kind: "trigger", trigger: "nightly" })).toBe("trigger nightly");
  expect(cause_text({ kind: "manual" })).toBe("manual");
  expect(cause_text(null)).toBe("–");
  expect(detail_text({ columns: [{ column: "temp" }], metrics: ["auc"] })).toBe("temp, auc");
  expect(detail_text({ metrics: ["a", "b", "c", "d", "e", "f"] })).toBe("a, b, c, d and 2 more");
  expect(detail_text(undefined)).toBe("");
});
