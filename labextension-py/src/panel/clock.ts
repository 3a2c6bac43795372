/** The time, once a second, for all that shows it; nothing ticks where nothing is shown. */

import { useEffect, useState } from 'react';

const watchers = new Set<(now: number) => void>();
let timer = 0;

function tick(): void {
  const now = Date.now();
  watchers.forEach(tell => tell(now));
}

/** Now, as epoch milliseconds. Draws anew every second while `ticking`. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) {
      return;
    }
    setNow(Date.now());
    watchers.add(setNow);
    timer ||= window.setInterval(tick, 1000);
    return () => {
      watchers.delete(setNow);
      if (!watchers.size) {
        window.clearInterval(timer);
        timer = 0;
      }
    };
  }, [ticking]);
  return now;
}
