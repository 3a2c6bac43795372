/** What the pages show: jobs, workers and the relay, kept up to date by one event stream. */

import type { ISignal } from '@lumino/signaling';

import type { RelayApi } from './api';
import type { JobView, RelayPlace, WorkerView } from './wire';

export interface IRelayModel {
  readonly api: RelayApi;
  /** Newest first. */
  readonly jobs: readonly JobView[];
  readonly workers: readonly WorkerView[];
  /** `null` until it is known. */
  readonly place: RelayPlace | null;
  /** Something changed; at most four times a second. */
  readonly changed: ISignal<IRelayModel, void>;
  job(id: string): JobView | undefined;
  /** Read everything anew, and at once where the stream waits before its next try. */
  refresh(): void;
}
