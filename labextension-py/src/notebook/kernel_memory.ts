/** What the kernel remembers of a cell that it ran while the page was away: its number and its result. */

import type { IMimeBundle } from '@jupyterlab/nbformat';
import type { Kernel } from '@jupyterlab/services';

export interface Remembered {
  /** The cell's number; `null`: this kernel never ran it, so what its job left is not bound here. */
  readonly count: number | null;
  /** The result as the kernel shows it; `null` where there is none. */
  readonly data: IMimeBundle | null;
  readonly metadata: IMimeBundle;
}

const NOTHING: Remembered = { count: null, data: null, metadata: {} };

/** Ask without leaving a trace; the kernel answers when it is idle. */
export async function askKernel(kernel: Kernel.IKernelConnection, source: string): Promise<Remembered> {
  const history = 'get_ipython().history_manager.input_hist_raw';
  const wanted = JSON.stringify(source.trimEnd());
  const count = `max(i for i, s in enumerate(${history}) if s.rstrip() == ${wanted})`;
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    user_expressions: { count, result: `Out[${count}]` }
  });
  try {
    const { content } = await future.done;
    if (content.status !== 'ok') {
      return NOTHING;
    }
    const found = content.user_expressions as unknown as Record<string, Expression | undefined>;
    const number = Number(found['count']?.data?.['text/plain']);
    const result = found['result'];
    return {
      count: Number.isInteger(number) && number > 0 ? number : null,
      data: result?.status === 'ok' ? (result.data ?? null) : null,
      metadata: result?.metadata ?? {}
    };
  } catch {
    return NOTHING; // The kernel went away before it came to this.
  }
}

interface Expression {
  readonly status: string;
  readonly data?: IMimeBundle;
  readonly metadata?: IMimeBundle;
}
