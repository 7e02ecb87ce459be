// SPDX-License-Identifier: Apache-2.0
//
// uPlot as a component.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  values: (number | null)[];
  color?: string;
  // Of the same length: drawn as a band around the line.
  low?: (number | null)[];
  high?: (number | null)[];
  dashed?: boolean;
}

export interface ChartProps {
  // Steps, or ms since the epoch with is_time.
  x: number[];
  lines: Line[];
  is_time?: boolean;
  height?: number;
  bars?: boolean;
  // x values that get a vertical line: alerts.
  marks?: number[];
  // Without axes and legend.
  plain?: boolean;
}

const DATES = new Map([
  ["{M}/{D}", "{MM}-{DD}"],
  ["{M}/{D}\n{YYYY}", "{MM}-{DD}\n{YYYY}"],
  ["\n{M}/{D}", "\n{MM}-{DD}"],
  ["{M}/{D}/{YY}", "{YYYY}-{MM}-{DD}"],
  ["\n{M}/{D}/{YY}", "\n{YYYY}-{MM}-{DD}"],
  ["{YYYY}-{MM}-{DD} {h}:{mm}{aa}", "{YYYY}-{MM}-{DD} {HH}:{mm}"],
  ["{h}{aa}", "{HH}:00"],
  ["{h}:{mm}{aa}", "{HH}:{mm}"],
]);

export const COLORS = ["#2f6feb", "#d9730d", "#1a8754", "#a347ba", "#c2255c", "#0c8599", "#868e96"];

export function color_of(number: number): string {
  return COLORS[number % COLORS.length] ?? "#2f6feb";
}

export function Chart(props: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const plot = new uPlot(options(props, element.clientWidth), data(props), element);
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: element.clientWidth, height: props.height ?? 200 }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [props.x, props.lines, props.marks]);
  return <div class="chart" ref={place} />;
}

function data(props: ChartProps): uPlot.AlignedData {
  const scale = props.is_time ? 1000 : 1;
  const series: (number | null)[][] = [];
  for (const line of props.lines) {
    series.push(line.values);
    if (line.low && line.high) series.push(line.low, line.high);
  }
  return [props.x.map((value) => value / scale), ...series] as uPlot.AlignedData;
}

function options(props: ChartProps, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--quiet").trim();
  const grid = { stroke: style.getPropertyValue("--line").trim(), width: 1 };
  const axis = { stroke: text, grid, ticks: grid, font: "11px system-ui" };
  const series: uPlot.Series[] = [{ label: props.is_time ? "time" : "step" }];
  const bands: uPlot.Band[] = [];
  props.lines.forEach((line, number) => {
    const stroke = line.color ?? color_of(number);
    series.push({
      label: line.label,
      stroke,
      width: 1.5,
      spanGaps: true,
      dash: line.dashed ? [4, 4] : undefined,
      points: { show: props.x.length < 60 && !line.dashed && !props.plain },
      fill: props.plain ? `${stroke}40` : undefined,
      value: (_, value) => (value === null ? "–" : String(Number(value.toPrecision(5)))),
      ...(props.bars && {
        fill: `${stroke}80`,
        paths: uPlot.paths.bars?.({ size: [0.9, 40] }),
        points: { show: false },
      }),
    });
    if (line.low && line.high) {
      // Edges without a colour; the band fills between them, and style.css hides their legend.
      const edge = { stroke: "transparent", width: 0, points: { show: false }, spanGaps: true };
      series.push(
        { ...edge, label: `${line.label} low` },
        { ...edge, label: `${line.label} high` },
      );
      bands.push({ series: [series.length - 1, series.length - 2], fill: `${stroke}2e` });
    }
  });
  return {
    width,
    height: props.height ?? 200,
    series,
    bands,
    scales: {
      x: { time: props.is_time ?? false },
      y: props.bars ? { range: (_, __, most) => [0, Math.max(1, most * 1.05)] } : {},
    },
    axes: props.plain ? [{ ...axis, size: 28 }, { show: false }] : [axis, { ...axis, size: 56 }],
    cursor: { points: { size: 6 } },
    legend: { show: !props.plain },
    tzDate: (s) => uPlot.tzDate(new Date(s * 1000), "Etc/UTC"),
    // Dates as everywhere else in the pages: year, month, day.
    fmtDate: (pattern) => uPlot.fmtDate(DATES.get(pattern) ?? pattern),
    hooks: { draw: [(plot) => draw_marks(plot, props)] },
  };
}

function draw_marks(plot: uPlot, props: ChartProps) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.setLineDash([]);
  ctx.strokeStyle = "#e0313180";
  ctx.lineWidth = 1;
  for (const mark of props.marks ?? []) {
    const x = plot.valToPos(props.is_time ? mark / 1000 : mark, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
