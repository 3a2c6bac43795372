/** Asks a kernel for what it knows, without leaving a trace in it. */

import type { IMimeBundle } from '@jupyterlab/nbformat';
import type { Kernel } from '@jupyterlab/services';

/** What became of one expression. */
export interface Answer {
  readonly status: string;
  readonly data?: IMimeBundle;
  readonly metadata?: IMimeBundle;
}

/** The values of Python expressions, by the names given to them; none where the kernel has gone away. */
export async function valuesIn(
  kernel: Kernel.IKernelConnection,
  expressions: Record<string, string>
): Promise<Record<string, Answer | undefined>> {
  const future = kernel.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    allow_stdin: false,
    user_expressions: expressions
  });
  try {
    const { content } = await future.done;
    return content.status === 'ok' ? (content.user_expressions as unknown as Record<string, Answer>) : {};
  } catch {
    return {};
  }
}

/** One value as Python writes it; `null` where there is none. */
export async function reprIn(kernel: Kernel.IKernelConnection, expression: string): Promise<string | null> {
  const { value } = await valuesIn(kernel, { value: expression });
  return value?.status === 'ok' ? String(value.data?.['text/plain'] ?? '') : null;
}
