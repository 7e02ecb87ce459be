// SPDX-License-Identifier: Apache-2.0
//
// Small pieces that the pages share.
import type { ComponentChildren } from "preact";
import { short_id } from "./format";
import type { Loaded } from "./use";

export function Shown<T>(props: { of: Loaded<T>; children: (value: T) => ComponentChildren }) {
  const { value, error } = props.of;
  return (
    <>
      {error && <p class="error">{error}</p>}
      {value === undefined ? !error && <p class="quiet">loading …</p> : props.children(value)}
    </>
  );
}

export function Title(props: { up?: [string, string]; children: ComponentChildren }) {
  return (
    <header class="title">
      {props.up && (
        <a class="quiet" href={`#${props.up[1]}`}>
          {props.up[0]} /
        </a>
      )}
      <h1>{props.children}</h1>
    </header>
  );
}

export function Badge(props: { state: string }) {
  return <span class={`badge ${props.state.toLowerCase()}`}>{props.state.toLowerCase()}</span>;
}

export function PipelineRunLink(props: { id: string }) {
  return <a href={`#/pipelines/${props.id}`}>pipeline run {short_id(props.id)}</a>;
}

export function Facts(props: { of: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {props.of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Card(props: {
  title: string;
  note?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <section class="card">
      <h2>
        {props.title} {props.note && <span class="quiet">{props.note}</span>}
      </h2>
      {props.children}
    </section>
  );
}

export function Empty(props: { children: ComponentChildren }) {
  return <p class="empty">{props.children}</p>;
}

export interface Column<T> {
  head: ComponentChildren;
  cell: (row: T) => ComponentChildren;
  is_number?: boolean;
}

export function Table<T>(props: {
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string | number;
  empty?: ComponentChildren;
}) {
  if (props.rows.length === 0) return <Empty>{props.empty ?? "none yet"}</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            {props.columns.map((column, number) => (
              <th key={number} class={column.is_number ? "number" : ""}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={props.id(row)}>
              {props.columns.map((column, number) => (
                <td key={number} class={column.is_number ? "number" : ""}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
