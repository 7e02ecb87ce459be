// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";

export interface Loaded<T> {
  value?: T;
  error?: string;
}

// Loads, and again every `poll_ms` while the page is looked at (0: once). Keeps the last value
// while it loads again; a change of `key` starts anew.
export function use_load<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  poll_ms = 0,
): Loaded<T> {
  const [loaded, set_loaded] = useState<Loaded<T> & { key: string }>({ key });
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const once = async () => {
      if (!document.hidden) {
        try {
          const value = await load(abort.signal);
          if (!abort.signal.aborted) set_loaded({ key, value });
        } catch (problem) {
          if (abort.signal.aborted) return;
          set_loaded((before) => ({ ...before, key, error: message_of(problem) }));
        }
      }
      if (poll_ms > 0 && !abort.signal.aborted) timer = window.setTimeout(once, poll_ms);
    };
    void once();
    return () => {
      abort.abort();
      window.clearTimeout(timer);
    };
  }, [key, poll_ms]);
  return loaded.key === key ? loaded : {};
}

export function message_of(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}

// The part of the address after '#': "/runs/17".
export function use_path(): string {
  const read = () => decodeURI(location.hash.replace(/^#/, "")) || "/runs";
  const [path, set_path] = useState(read);
  useEffect(() => {
    const changed = () => set_path(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return path;
}
