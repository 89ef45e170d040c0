/**
 * The data of server-sent events, one at a time, as https://html.spec.whatwg.org/multipage/server-sent-events.html has
 * them. Names and ids of events, and comments, are passed over.
 */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A carriage return at the end may be half of a line's end.
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        length += line.length;
        if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
        if (line !== '') continue;
        if (data.length > 0) yield data.join('\n');
        data = [];
        length = 0;
      }
      if (length + rest.length > longestMessage) return;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Far above any message: what doesn't end is not Keyferry's. */
const longestMessage = 16 * 1024 * 1024;
