// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { type Comment, get, get_all, send } from "./api";
import { time_text } from "./format";
import { Markdown } from "./markdown";
import { Card, Shown } from "./parts";
import { message_of, use_load } from "./use";

const SHOWN_MAX = 200;

// What people say about what `of` names ("runs/17", "models/flights/versions/3"), oldest first,
// with a field to say more.
export function Comments(props: { of: string; title?: string }) {
  const [changes, set_changes] = useState(0);
  const path = `/api/v1/${props.of}/comments`;
  const comments = use_load(
    `${path} ${changes}`,
    async (signal) => (await get_all<Comment>(path, SHOWN_MAX, signal)).reverse(),
    5000,
  );
  const changed = () => set_changes((before) => before + 1);
  return (
    <Card title={props.title ?? "Comments"}>
      <Shown of={comments}>
        {(all) => (
          <>
            {all.map((comment) => (
              <One key={comment.comment_id} comment={comment} changed={changed} />
            ))}
          </>
        )}
      </Shown>
      <Editor
        label="Comment"
        text=""
        save={async (text) => {
          await send("POST", path, { text });
          changed();
        }}
      />
    </Card>
  );
}

function One(props: { comment: Comment; changed: () => void }) {
  const { comment_id, author, text, created_ms, edited_ms, deleted_ms } = props.comment;
  const [is_editing, set_editing] = useState(false);
  const [error, set_error] = useState("");
  const path = `/api/v1/comments/${comment_id}`;
  const remove = async () => {
    try {
      await send("DELETE", path);
      props.changed();
    } catch (problem) {
      set_error(message_of(problem));
    }
  };
  return (
    <article class="comment">
      <header class="quiet">
        <strong>{author}</strong> {time_text(created_ms)}
        {(edited_ms || deleted_ms) && <History path={path} is_deleted={!!deleted_ms} />}
        {!deleted_ms && !is_editing && (
          <span class="acts">
            <button onClick={() => set_editing(true)}>edit</button>
            <button onClick={remove}>delete</button>
          </span>
        )}
      </header>
      {error && <p class="error">{error}</p>}
      {is_editing ? (
        <Editor
          label="Save"
          text={text}
          save={async (changed) => {
            await send("PATCH", path, { text: changed });
            set_editing(false);
            props.changed();
          }}
        />
      ) : (
        <Markdown text={text} />
      )}
    </article>
  );
}

// What a comment said before; loaded when it is opened.
function History(props: { path: string; is_deleted: boolean }) {
  const [is_open, set_open] = useState(false);
  return (
    <details class="before" onToggle={(event) => set_open(event.currentTarget.open)}>
      <summary>{props.is_deleted ? "deleted" : "edited"}</summary>
      {is_open && <Texts path={props.path} />}
    </details>
  );
}

function Texts(props: { path: string }) {
  const comment = use_load(props.path, (signal) => get<Comment>(props.path, signal));
  return (
    <Shown of={comment}>
      {({ history }) => (
        <>
          {(history ?? []).map((before) => (
            <div key={before.until_ms}>
              until {time_text(before.until_ms)}
              <Markdown text={before.text} />
            </div>
          ))}
        </>
      )}
    </Shown>
  );
}

function Editor(props: { label: string; text: string; save: (text: string) => Promise<void> }) {
  const [text, set_text] = useState(props.text);
  const [error, set_error] = useState("");
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      await props.save(text);
      set_text("");
      set_error("");
    } catch (problem) {
      set_error(message_of(problem));
    }
  };
  return (
    <form class="editor" onSubmit={submit}>
      <textarea
        rows={3}
        aria-label="comment"
        placeholder="Markdown"
        value={text}
        onInput={(event) => set_text(event.currentTarget.value)}
      />
      {error && <p class="error">{error}</p>}
      <button type="submit" disabled={text.trim() === ""}>
        {props.label}
      </button>
    </form>
  );
}
