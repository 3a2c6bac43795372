/** What the kernel remembers of a cell that it ran while the page was away: its number and its result. */

import type { IMimeBundle } from '@jupyterlab/nbformat';
import type { Kernel } from '@jupyterlab/services';

import { valuesIn } from './kernel_question';

export interface Remembered {
  /** The cell's number; `null`: this kernel never ran it, so what its job left is not bound here. */
  readonly count: number | null;
  /** The result as the kernel shows it; `null` where there is none. */
  readonly data: IMimeBundle | null;
  readonly metadata: IMimeBundle;
}

/** Ask what it remembers; it answers when it is idle. */
export async function askKernel(kernel: Kernel.IKernelConnection, source: string): Promise<Remembered> {
  const history = 'get_ipython().history_manager.input_hist_raw';
  const wanted = JSON.stringify(source.trimEnd());
  const count = `max(i for i, s in enumerate(${history}) if s.rstrip() == ${wanted})`;
  const found = await valuesIn(kernel, { count, result: `Out[${count}]` });
  const number = Number(found['count']?.data?.['text/plain']);
  const result = found['result'];
  return {
    count: Number.isInteger(number) && number > 0 ? number : null,
    data: result?.status === 'ok' ? (result.data ?? null) : null,
    metadata: result?.metadata ?? {}
  };
}
