/**
 * Which of a browser's pages writes into a cell: one only, so that two tabs on one notebook do not overwrite each
 * other.
 *
 * Where the browser offers no locks (a page that was not fetched over https, nor from this machine), every page may.
 */

export interface Claim {
  /** Becomes true when another page has taken the cell over. */
  readonly lost: boolean;
  release(): void;
}

export class Claims {
  /** `scope` tells servers apart that have one origin. */
  constructor(private readonly scope: string) {}

  /** Take the cell where no other page has it; `null` where one has. */
  take(cell: string): Promise<Claim | null> {
    return this.request(cell, { ifAvailable: true });
  }

  /** Take the cell whoever has it: this page runs it. It stays taken for as long as the page lives. */
  seize(cell: string): void {
    void this.request(cell, { steal: true });
  }

  private async request(cell: string, options: LockOptions): Promise<Claim | null> {
    const held = this.held.get(cell);
    if (held && !held.lost) {
      return held;
    }
    if (!navigator.locks) {
      return { lost: false, release: () => undefined };
    }
    return new Promise(resolve => {
      const claim = { lost: false, release: () => undefined as void };
      navigator.locks
        .request(`cumulus:${this.scope}:${cell}`, options, lock => {
          if (lock === null) {
            resolve(null);
            return undefined;
          }
          this.held.set(cell, claim);
          resolve(claim);
          return new Promise<void>(release => {
            claim.release = () => {
              this.held.delete(cell);
              release();
            };
          });
        })
        .catch(() => {
          // Another page runs the cell.
          claim.lost = true;
          this.held.delete(cell);
          resolve(null);
        });
    });
  }

  private readonly held = new Map<string, Claim>();
}
