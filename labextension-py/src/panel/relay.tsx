/** The section of the relay: where it is, how it is, what to do. */

import type { RelayPlace } from '../wire';
import { useNow } from './clock';
import { StateIcon } from './state_icon';

interface RelayProps {
  place: RelayPlace | null;
  live: boolean;
  nextTryMs: number | null;
  retry(): void;
}

export function Relay({ place, live, nextTryMs, retry }: RelayProps): JSX.Element {
  if (!place) {
    return <p className="cumulus-lab-empty">Looking…</p>;
  }
  const well = place.healthy && live;
  return (
    <div className="cumulus-lab-relay" role="status" data-healthy={place.healthy}>
      <div className="cumulus-lab-worker-head">
        <StateIcon shape={well ? 'ready' : place.healthy ? 'starting' : 'down'} />
        <span className="cumulus-lab-worker-name">{stateWords(place, live)}</span>
      </div>
      <div>{placeWords(place)}</div>
      {place.message && (
        <div className={place.healthy ? '' : 'cumulus-lab-worker-error'}>{place.message}</div>
      )}
      {place.next && <div className="cumulus-lab-next">{place.next}</div>}
      {place.version && <div className="cumulus-lab-next">Version {place.version}</div>}
      {!well && <Retry nextTryMs={nextTryMs} retry={retry} />}
    </div>
  );
}

/** Over the jobs where these are not as they are now: nobody has to open the relay's section to see it. */
export function Away({ place, live, nextTryMs, retry }: RelayProps): JSX.Element | null {
  if (!place || (place.healthy && (live || nextTryMs === null))) {
    return null;
  }
  return (
    <div className="cumulus-lab-away" role="status">
      <div className="cumulus-lab-worker-head">
        <StateIcon shape="down" />
        <span>{place.message || 'The relay is away. Jobs go on, and are shown as they were.'}</span>
      </div>
      {place.next && <div className="cumulus-lab-next">{place.next}</div>}
      <Retry nextTryMs={live ? null : nextTryMs} retry={retry} />
    </div>
  );
}

function Retry({ nextTryMs, retry }: { nextTryMs: number | null; retry(): void }): JSX.Element {
  const now = useNow(nextTryMs !== null);
  const seconds = nextTryMs === null ? 0 : Math.ceil((nextTryMs - now) / 1000);
  return (
    <div className="cumulus-lab-retry">
      <button type="button" className="cumulus-lab-button" onClick={retry}>
        Try again now
      </button>
      {/* A countdown would be read out every second. */}
      {seconds > 0 && <span aria-hidden="true">or in {seconds} s</span>}
    </div>
  );
}

function stateWords(place: RelayPlace, live: boolean): string {
  if (!place.healthy) {
    return place.kind === 'absent' && !place.url ? 'No relay' : 'Away';
  }
  return live ? 'Healthy' : 'Connecting…';
}

function placeWords(place: RelayPlace): string {
  switch (place.kind) {
    case 'embedded':
      return 'In this Jupyter server.';
    case 'elsewhere':
      return `Elsewhere: ${place.url}`;
    default:
      return place.url ? `Looked for at ${place.url}` : '';
  }
}
