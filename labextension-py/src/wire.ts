/** What the relay says, as `cumulus_jupyter/protocol/jobs.py` and `events.py` write it. */

export type State =
  | 'QUEUED'
  | 'SCHEDULING'
  | 'CREATING_PARTITION'
  | 'RUNNING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED';

export interface Origin {
  notebook: string;
  cell: string;
  kernel: string;
}

export interface Progress {
  id: string;
  label: string;
  done: number;
  total: number | null;
  unit: string;
}

export interface Usage {
  cpu_percent: number | null;
  memory_bytes: number | null;
  gpu_percent: number | null;
  gpu_memory_bytes: number | null;
}

export interface Problem {
  code: string;
  message: string;
  job_id: string;
  next: string;
}

export interface JobView {
  id: string;
  state: State;
  name: string;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  attempt: number;
  resources: { gpu: number | null; cpu: number | null; memory_mib: number | null; duration_s: number };
  labels: Record<string, string>;
  executor: string;
  worker: string;
  devices: DeviceView[];
  enforced_by: string;
  /** What it has of which GPU and what holds it to that, in words. */
  share: string;
  message: string;
  position: number | null;
  cancel_requested: boolean;
  error: Problem | null;
  last_seq: number;
  origin: Origin;
  progress: Progress | null;
  usage: Usage | null;
}

export interface Holder {
  /** Empty where the job is somebody else's. */
  job_id: string;
  name: string;
  tenths: number;
}

export interface DeviceView {
  id: string;
  name: string;
  memory_mib: number;
  used_tenths: number;
  simulated: boolean;
  enforced_by: string;
  holders: Holder[];
}

export interface WorkerView {
  id: string;
  executor: string;
  state: 'ready' | 'down';
  cpu: number;
  memory_mib: number;
  used_cpu: number;
  used_memory_mib: number;
  devices: DeviceView[];
  jobs: string[];
  slots: number;
  message: string;
}

/** Where the relay is that this page's server talks to. */
export interface RelayPlace {
  kind: 'embedded' | 'elsewhere' | 'absent';
  url: string;
  healthy: boolean;
  message: string;
  next: string;
  version: string;
  relay_id: string;
}

export interface LogEvent {
  seq: number;
  time_ms: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

export interface LogPage {
  /** Oldest first. */
  events: LogEvent[];
  /** True: there is more before the first one. */
  earlier: boolean;
  /** Lines behind `after` that are not in this page; `null` where counting them would take long. */
  skipped_lines: number | null;
}

/** A job's event, flat; `type` tells which. */
export interface JobEvent {
  seq: number;
  time_ms: number;
  type: string;
  [field: string]: unknown;
}

/** What makes a new worker of a host. */
export interface EnrolmentLine {
  command: string;
  expires_ms: number;
  note: string;
}

export const END_STATES: ReadonlySet<State> = new Set<State>(['COMPLETED', 'FAILED', 'CANCELLED']);
