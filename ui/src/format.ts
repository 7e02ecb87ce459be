// SPDX-License-Identifier: Apache-2.0
//
// Values as texts for people.

const NONE = "–";

export function time_text(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms === 0) return NONE;
  const text = new Date(ms).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

export function day_text(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function ago_text(ms: number | null | undefined, now_ms: number): string {
  if (ms === null || ms === undefined || ms === 0) return NONE;
  const s = Math.max(0, Math.round((now_ms - ms) / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

export function duration_text(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms < 0) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

// Of microseconds: 64 µs, 1.2 ms.
export function latency_text(us: number | null | undefined): string {
  if (us === null || us === undefined) return NONE;
  if (us < 1000) return `${Math.round(us)} µs`;
  return duration_text_short(us / 1000);
}

function duration_text_short(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

// Four significant digits; "NaN" and the infinities come as texts.
export function number_text(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return count_text(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(3);
  return String(Number(value.toPrecision(4)));
}

export function count_text(value: number): string {
  return value.toLocaleString("en-US");
}

export function bytes_text(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size.toFixed(size < 10 ? 1 : 0)} ${units[unit]}`;
}

export function share_text(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

export function short_id(id: string): string {
  return id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-6)}` : id;
}
