/** One GPU as a bar of ten tenths, with who holds them. */

import type { DeviceView } from '../wire';
import { deviceName, memory } from '../words';

const WHOLE = 10;

interface Part {
  /** Empty where the job is somebody else's. */
  jobId: string;
  name: string;
  tenths: number;
}

interface GpuProps {
  device: DeviceView;
  /** Which of its worker's it is, where it has several. */
  number: number | null;
  /** Finds the name of one of the user's own jobs. */
  jobName(id: string): string;
}

export function GpuBar({ device, number, jobName }: GpuProps): JSX.Element {
  const parts = partsOf(device, jobName);
  const free = Math.max(0, WHOLE - device.used_tenths);
  const rest = free === WHOLE ? 'all free' : free ? `${amount(free)} free` : 'none free';
  const words = [...parts.map(part => `${part.name} ${amount(part.tenths)}`), rest];
  const name = number === null ? deviceName(device) : `${number}: ${deviceName(device)}`;
  const saysSo = /simulated/i.test(name);
  return (
    <div className="cumulus-lab-gpu">
      <div className="cumulus-lab-gpu-head">
        <span className="cumulus-lab-gpu-name" title={device.id}>
          {name}
        </span>
        {device.simulated && !saysSo && <span className="cumulus-lab-tag">simulated</span>}
        {device.memory_mib > 0 && <span className="cumulus-lab-gpu-memory">{memory(device.memory_mib)}</span>}
      </div>
      <div
        className="cumulus-lab-tenths"
        role="img"
        aria-label={`${name}: ${device.used_tenths} of ten tenths taken: ${words.join(', ')}`}
      >
        {tenthsOf(parts).map((tenth, index) => (
          <span key={index} className={tenth.className} title={tenth.title} />
        ))}
      </div>
      <div className="cumulus-lab-gpu-words" aria-hidden="true">
        {parts.map((part, index) => (
          <span key={index}>
            <bdi>{part.name}</bdi> {amount(part.tenths)} ·{' '}
          </span>
        ))}
        {rest}
      </div>
    </div>
  );
}

function partsOf(device: DeviceView, jobName: (id: string) => string): Part[] {
  const own: Part[] = [];
  let others = device.used_tenths;
  for (const holder of device.holders) {
    if (holder.job_id) {
      own.push({ jobId: holder.job_id, name: holder.name || jobName(holder.job_id), tenths: holder.tenths });
      others -= holder.tenths;
    }
  }
  // What nobody is named for is taken all the same.
  return others > 0 ? [...own, { jobId: '', name: 'others', tenths: others }] : own;
}

function tenthsOf(parts: Part[]): { className: string; title: string }[] {
  const tenths = parts.flatMap((part, index) => {
    const own = `cumulus-lab-mod-own cumulus-lab-mod-${index % 2 ? 'odd' : 'even'}`;
    const kind = part.jobId ? own : 'cumulus-lab-mod-others';
    const title = `${part.name}: ${amount(part.tenths)} of this GPU`;
    return Array.from({ length: part.tenths }, () => ({ className: kind, title }));
  });
  const free = { className: 'cumulus-lab-mod-free', title: 'free' };
  return Array.from({ length: WHOLE }, (_, index) => tenths[index] ?? free);
}

function amount(tenths: number): string {
  return String(tenths / WHOLE);
}
