/** Server-Sent Events from a response's body. `EventSource` could not send the page's token. */

export interface ServerEvent {
  name: string;
  data: string;
}

/** The events of one body, as they come. `alive` is called for any byte, heartbeats too. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  alive: () => void
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      alive();
      const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parse(block);
        if (event) {
          yield event;
        }
      }
    }
  } finally {
    // The stream may have failed by itself, which is what its reader is told by the failure.
    void reader.cancel().catch(() => undefined);
  }
}

function parse(block: string): ServerEvent | null {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) {
      name = line.slice(6).trim();
    } else if (line.startsWith('data:')) {
      data.push(line.slice(5).replace(/^ /, ''));
    }
  }
  return data.length ? { name, data: data.join('\n') } : null;
}
