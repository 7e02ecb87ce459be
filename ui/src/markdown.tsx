// SPDX-License-Identifier: Apache-2.0
//
// The Markdown of comments as elements: paragraphs, lists, quotes, code, emphasis and links. Text
// stays text, whatever is in it: no HTML, no picture, and a link leads to http or https only.
import type { ComponentChildren } from "preact";

export function Markdown(props: { text: string }) {
  return <div class="markdown">{blocks_of(props.text).map(block_element)}</div>;
}

export type Block =
  | { kind: "paragraph" | "quote" | "code"; text: string }
  | { kind: "heading"; text: string }
  | { kind: "list"; is_ordered: boolean; items: string[] };

const FENCE = /^\s*```/;
const ITEM = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const QUOTE = /^>\s?(.*)$/;

export function blocks_of(text: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined; // goes on with the next line
  let fenced: { kind: "code"; text: string } | undefined;
  const add = (block: Block, goes_on: boolean) => {
    blocks.push(block);
    open = goes_on ? block : undefined;
  };
  for (const line of text.split(/\r?\n/)) {
    if (FENCE.test(line)) {
      if (fenced) fenced = undefined;
      else add((fenced = { kind: "code", text: "" }), false);
      continue;
    }
    if (fenced) {
      fenced.text += (fenced.text === "" ? "" : "\n") + line;
      continue;
    }
    const [heading, item, quote] = [HEADING.exec(line), ITEM.exec(line), QUOTE.exec(line)];
    if (line.trim() === "") {
      open = undefined;
    } else if (heading) {
      add({ kind: "heading", text: heading[1] ?? "" }, false);
    } else if (item) {
      const is_ordered = item[1] !== undefined;
      const words = item[2] ?? "";
      if (open?.kind === "list" && open.is_ordered === is_ordered) open.items.push(words);
      else add({ kind: "list", is_ordered, items: [words] }, true);
    } else if (quote) {
      if (open?.kind === "quote") open.text += `\n${quote[1]}`;
      else add({ kind: "quote", text: quote[1] ?? "" }, true);
    } else if (open?.kind === "list") {
      open.items.push(`${open.items.pop()} ${line.trim()}`);
    } else if (open?.kind === "paragraph") {
      open.text += `\n${line}`;
    } else {
      add({ kind: "paragraph", text: line }, true);
    }
  }
  return blocks;
}

function block_element(block: Block, number: number) {
  switch (block.kind) {
    case "code":
      return (
        <pre key={number}>
          <code>{block.text}</code>
        </pre>
      );
    case "heading":
      return (
        <p key={number}>
          <strong>{inline(block.text)}</strong>
        </p>
      );
    case "quote":
      return <blockquote key={number}>{inline(block.text)}</blockquote>;
    case "paragraph":
      return <p key={number}>{inline(block.text)}</p>;
    case "list": {
      const items = block.items.map((item, place) => <li key={place}>{inline(item)}</li>);
      return block.is_ordered ? <ol key={number}>{items}</ol> : <ul key={number}>{items}</ul>;
    }
  }
}

// `code`, **strong**, *emphasis*, [text](address) and bare addresses; only strong holds others.
const INLINE = new RegExp(
  [
    /`([^`]+)`/,
    /\*\*(.+?)\*\*/,
    /\*([^*\s][^*]*)\*/,
    /\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/,
    /(https?:\/\/[^\s<>"')]+)/,
  ]
    .map((form) => form.source)
    .join("|"),
);

export function inline(text: string): ComponentChildren {
  const out: ComponentChildren[] = [];
  let rest = text;
  for (let found = INLINE.exec(rest); found; found = INLINE.exec(rest)) {
    const [whole, code, strong, emphasis, label, address, bare] = found;
    out.push(rest.slice(0, found.index));
    if (code !== undefined) out.push(<code>{code}</code>);
    else if (strong !== undefined) out.push(<strong>{inline(strong)}</strong>);
    else if (emphasis !== undefined) out.push(<em>{emphasis}</em>);
    else out.push(<Link to={address ?? bare ?? ""}>{label ?? bare}</Link>);
    rest = rest.slice(found.index + whole.length);
  }
  out.push(rest);
  return out;
}

function Link(props: { to: string; children: ComponentChildren }) {
  return (
    <a href={props.to} target="_blank" rel="noopener noreferrer nofollow">
      {props.children}
    </a>
  );
}
