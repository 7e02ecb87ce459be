// SPDX-License-Identifier: Apache-2.0
//
// The steps of a pipeline run as a graph, laid out by dagre.
import { graphlib, layout } from "@dagrejs/dagre";
import { useMemo } from "preact/hooks";
import type { Step } from "./api";
import { duration_text } from "./format";

const WIDTH = 168;
const HEIGHT = 48;
const MARGIN = 8;

interface Routed {
  points: { x: number; y: number }[];
}

export interface Placed {
  width: number;
  height: number;
  nodes: { name: string; x: number; y: number }[];
  edges: { from: string; to: string; points: { x: number; y: number }[] }[];
}

// Positions depend on names and needs alone, so that the picture stands still while states change.
export function place(steps: Pick<Step, "name" | "needs">[]): Placed {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 20, ranksep: 48, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  const names = new Set(steps.map((step) => step.name));
  for (const step of steps) graph.setNode(step.name, { width: WIDTH, height: HEIGHT });
  for (const step of steps) {
    for (const need of step.needs ?? []) if (names.has(need)) graph.setEdge(need, step.name);
  }
  layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  // Dagre's size leaves out edges that run below all nodes.
  const points = graph.edges().flatMap((edge) => (graph.edge(edge) as Routed).points);
  return {
    width: Math.max(size.width ?? WIDTH, ...points.map(({ x }) => x + MARGIN)),
    height: Math.max(size.height ?? HEIGHT, ...points.map(({ y }) => y + MARGIN)),
    nodes: graph.nodes().map((name) => {
      const { x, y } = graph.node(name) as { x: number; y: number };
      return { name, x, y };
    }),
    edges: graph.edges().map((edge) => ({
      from: edge.v,
      to: edge.w,
      points: (graph.edge(edge) as Routed).points,
    })),
  };
}

export function Graph(props: { steps: Step[]; chosen?: string; choose: (name: string) => void }) {
  const shape = JSON.stringify(props.steps.map((step) => [step.name, step.needs]));
  const placed = useMemo(() => place(props.steps), [shape]);
  const by_name = new Map(props.steps.map((step) => [step.name, step]));
  return (
    <div class="scroll graph">
      <svg
        width={placed.width}
        viewBox={`0 0 ${placed.width} ${placed.height}`}
        role="img"
        aria-label="graph of the steps"
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" class="arrow" />
          </marker>
        </defs>
        {placed.edges.map((edge) => (
          <path
            key={`${edge.from}→${edge.to}`}
            class="edge"
            marker-end="url(#arrow)"
            d={`M${edge.points.map((point) => `${point.x} ${point.y}`).join("L")}`}
          />
        ))}
        {placed.nodes.map(({ name, x, y }) => {
          const step = by_name.get(name);
          if (!step) return null;
          return (
            <g
              key={name}
              class={`node ${step.state} ${name === props.chosen ? "chosen" : ""}`}
              transform={`translate(${x - WIDTH / 2} ${y - HEIGHT / 2})`}
              tabIndex={0}
              role="button"
              onClick={() => props.choose(name)}
              onKeyDown={(event) => event.key === "Enter" && props.choose(name)}
            >
              <rect width={WIDTH} height={HEIGHT} rx="6" />
              <rect class="stripe" width="5" height={HEIGHT} rx="2" />
              <text x="14" y="20" class="name">
                {name.length > 20 ? `${name.slice(0, 19)}…` : name}
              </text>
              <text x="14" y="37" class="note">
                {note(step)}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function note(step: Step): string {
  if (step.state === "running" && step.progress && step.progress.total > 0) {
    return `running ${Math.round((100 * step.progress.done) / step.progress.total)} %`;
  }
  if (step.state === "succeeded" && step.started_ms && step.ended_ms) {
    return duration_text(step.ended_ms - step.started_ms);
  }
  return step.state;
}
