// Server-sent events, read with fetch: an EventSource cannot stop reading, which
// is what this page wants to show.

// Yields {id, type, data} as they come; each is whole.
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = fresh();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== null) yield event;
        event = fresh(event.id);
        continue;
      }
      const [, field, text] = /^([^:]*):? ?([^]*)$/.exec(line);
      if (field === "id") event.id = text;
      else if (field === "event") event.type = text;
      else if (field === "data") event.data = event.data === null ? text : event.data + "\n" + text;
    }
  }
}

const fresh = (id = "") => ({ id, type: "message", data: null });
