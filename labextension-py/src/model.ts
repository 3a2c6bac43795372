/** What the pages show: jobs, workers and the relay, kept up to date by one event stream. */

import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { RelayApi } from './api';
import type { JobView, RelayPlace, WorkerView } from './wire';

export interface IRelayModel {
  readonly api: RelayApi;
  /** Newest first. A job that has not changed is the same object as before. */
  readonly jobs: readonly JobView[];
  readonly workers: readonly WorkerView[];
  /** `null` until it is known. Where nothing answers it says so, and keeps what was known besides. */
  readonly place: RelayPlace | null;
  /** True while the stream is there: what is here is as it is now. */
  readonly live: boolean;
  /** When the stream is tried again, as epoch milliseconds; `null` while it is there or being opened. */
  readonly nextTryMs: number | null;
  /** Something changed; at most four times a second. */
  readonly changed: ISignal<IRelayModel, void>;
  job(id: string): JobView | undefined;
  /** Read everything anew, and at once where the stream waits before its next try. */
  refresh(): void;
}

export const IRelayModel = new Token<IRelayModel>(
  'cumulus-lab:IRelayModel',
  'The jobs, workers and relay that this Jupyter server knows, as they are now.'
);
