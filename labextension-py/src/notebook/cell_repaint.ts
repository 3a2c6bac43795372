/** One cell that is painted from the events of its job, to the job's end: the kernel's messages belong to nobody. */

import type { ICodeCellModel } from '@jupyterlab/cells';
import type { IMimeBundle, IOutput } from '@jupyterlab/nbformat';
import type { Kernel } from '@jupyterlab/services';

import { RelayError } from '../api';
import type { IRelayModel } from '../model';
import { END_STATES, type JobView } from '../wire';
import { JobOutputs } from './job_outputs';
import { askKernel } from './kernel_memory';
import { resultRepr } from './python_repr';
import { cardOutput, errorOutput, finalOutput, valuesHint } from './quiet_line';
import { QUICK_MS } from './repaint_rule';

const PAGE = 500;
const GONE = 404;

export interface Canvas {
  readonly cell: ICodeCellModel;
  /** False: somebody else paints the cell now, or it is gone. */
  isOurs(): boolean;
  /** The kernel that ran the cell, if it is the notebook's still; known once the notebook is connected. */
  kernel(): Promise<Kernel.IKernelConnection | null>;
}

export class CellRepaint {
  constructor(
    private readonly relay: IRelayModel,
    private readonly jobId: string,
    private readonly canvas: Canvas
  ) {}

  /** Paint until the job has ended; returns early where the cell is no longer ours. */
  async run(job: JobView): Promise<void> {
    const begun = !END_STATES.has(job.state);
    if (begun) {
      this.canvas.cell.executionState = 'running';
    }
    try {
      const ended = await this.follow(job);
      if (ended && this.canvas.isOurs()) {
        await this.finish(ended);
      }
    } finally {
      if (begun && this.canvas.isOurs()) {
        this.canvas.cell.executionState = 'idle';
      }
    }
  }

  /** Take the events as they come; the ended job once all were taken, `null` where the cell was given up. */
  private async follow(job: JobView): Promise<JobView | null> {
    let now = job;
    for (;;) {
      // Later changes than this are waited for, none is missed.
      const changed = this.nextChange();
      now = this.relay.job(this.jobId) ?? now;
      const complete = await this.read(now);
      if (complete === null || !this.canvas.isOurs()) {
        return null;
      }
      if (END_STATES.has(now.state) && complete) {
        return now;
      }
      if (!END_STATES.has(now.state) && this.outputs.seq > this.shown) {
        this.shown = this.outputs.seq;
        this.apply([cardOutput(now, this.relay.place, this.outputs.cut), ...this.outputs.outputs()]);
      }
      await changed;
      if (!this.canvas.isOurs()) {
        return null;
      }
    }
  }

  /** Read what is new. False: the relay is away; `null`: the job is no longer there. */
  private async read(job: JobView): Promise<boolean | null> {
    try {
      while (this.outputs.seq < job.last_seq && this.canvas.isOurs()) {
        const events = await this.relay.api.events(this.jobId, this.outputs.seq, PAGE);
        this.outputs.take(events);
        if (events.length === 0) {
          break;
        }
      }
      return true;
    } catch (error) {
      return error instanceof RelayError && error.status === GONE ? null : false;
    }
  }

  private nextChange(): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        this.relay.changed.disconnect(done);
        resolve();
      };
      this.relay.changed.connect(done);
    });
  }

  private async finish(job: JobView): Promise<void> {
    const { outputs } = this;
    outputs.end();
    const shown = outputs.outputs();
    const error = errorOutput(job, outputs.raised);
    const ran = (job.ended_ms ?? 0) - (job.created_ms ?? 0);
    const hadCard = this.painted || this.canvas.cell.outputs.length > 0 || ran >= QUICK_MS;
    const quiet = hadCard ? [finalOutput(job, outputs.tail(), outputs.peakBytes)] : [];
    const all = [...quiet, ...shown, ...(error ? [error] : [])];
    if (all.length > 0) {
      this.apply(all);
    }
    await this.addResult(job, all.length);
  }

  /** The result is an object of the kernel's: it knows how to show it, if it was there until the end. */
  private async addResult(job: JobView, count: number): Promise<void> {
    const { cell } = this.canvas;
    const kernel = await this.canvas.kernel();
    const source = cell.sharedModel.getSource();
    const found = kernel ? await askKernel(kernel, source) : null;
    const number = found?.count ?? null;
    const data = found?.data ?? (number === null ? await this.plainResult() : null);
    if (!this.canvas.isOurs() || cell.outputs.length !== count || cell.sharedModel.getSource() !== source) {
      return;
    }
    if (number !== null && cell.executionCount !== number && (count > 0 || found?.data)) {
      cell.executionCount = number;
    }
    if (data && job.state === 'COMPLETED') {
      const metadata = found?.metadata ?? {};
      cell.outputs.add({ output_type: 'execute_result', data, metadata, execution_count: number });
    }
    if (number === null && this.outputs.leftValues && job.state !== 'CANCELLED' && count > 0) {
      cell.outputs.add(valuesHint(job));
    }
  }

  /** What can be shown of the result without a kernel. */
  private async plainResult(): Promise<IMimeBundle | null> {
    if (this.outputs.resultBundle || !this.outputs.leftValues) {
      return this.outputs.resultBundle;
    }
    const text = await this.relay.api.result(this.jobId).catch(() => '');
    const shown = text ? resultRepr(text) : null;
    return shown === null ? null : { 'text/plain': shown };
  }

  /** Make these the cell's outputs, and touch only those that differ. */
  private apply(wanted: IOutput[]): void {
    const { outputs } = this.canvas.cell;
    const texts = wanted.map(output => JSON.stringify(output));
    const kinds = wanted.map(kindOf);
    const fits = this.painted && outputs.length === this.kinds.length && this.kinds.length <= kinds.length;
    if (!fits || this.kinds.some((kind, index) => kind !== kinds[index])) {
      outputs.clear();
      // As with a cell that is run: this is the output of the reader's own job.
      this.canvas.cell.trusted = true;
      this.texts = [];
      this.painted = true;
    }
    wanted.forEach((output, index) => {
      if (index >= this.texts.length) {
        outputs.add(output);
      } else if (texts[index] !== this.texts[index]) {
        outputs.set(index, output);
      }
    });
    this.texts = texts;
    this.kinds = kinds;
  }

  private readonly outputs = new JobOutputs();
  /** The outputs that are there, as text. */
  private texts: string[] = [];
  private kinds: string[] = [];
  private painted = false;
  /** The last event that the cell shows. */
  private shown = 0;
}

/** What an output area cannot change in place. */
function kindOf(output: IOutput): string {
  return `${output.output_type} ${String(output['name'] ?? '')}`;
}
