/**
 * Draws a job's display in a cell as a card that the relay feeds: it lives through a reload of the page and a restart
 * of the kernel. Where this page's relay does not know the job it gives way to what the kernel put beside it.
 */

import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { Panel, Widget } from '@lumino/widgets';

import { createCard, type Card } from '../../../cumulus_jupyter/view/front/card.js';
import { RelayError } from '../api';
import { LogFollower } from '../log_follower';
import type { IRelayModel } from '../model';
import { END_STATES, type JobView } from '../wire';
import { JOB_MIME, WIDGET_MIME, referenceIn, type JobReference } from './job_mime';
import { snapshotOf } from './snapshot';

/** Before the widgets' renderer, which would draw the same from the kernel. */
export const RANK = -100;
const NO_WIDGET = 'Error displaying widget';
const NOT_FOUND = 404;

export interface CardContext {
  readonly relay: IRelayModel;
  /** The registry of the notebook that is rendered with this resolver: it alone knows the notebook's widgets. */
  rendermimeFor(resolver: IRenderMime.IResolver | null): IRenderMimeRegistry;
  /** Show a job's log in a place of its own. */
  openLog(job: JobView): void;
  /** Whether there is such a place. */
  canOpenLog(): boolean;
  /** Something could not be done. */
  complain(error: unknown, doing: string): void;
}

export class JobRenderer extends Panel implements IRenderMime.IRenderer {
  constructor(
    private readonly options: IRenderMime.IRendererOptions,
    private readonly context: CardContext
  ) {
    super();
    this.addClass('cumulus-JobOutput');
    this.seen = new IntersectionObserver(entries => {
      this.onScreen = entries.at(-1)?.isIntersecting ?? false;
      this.look();
    });
    this.seen.observe(this.node);
    context.relay.changed.connect(this.look, this);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.mime = model;
    this.reference = referenceIn(model.data);
    this.look();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.seen.disconnect();
    this.context.relay.changed.disconnect(this.look, this);
    this.removeCard();
    super.dispose();
  }

  /** Draw what there is to draw now; nothing is drawn anew, or fetched, while nobody can see it. */
  private look(): void {
    const { reference } = this;
    if (this.isDisposed || !this.mime) {
      return;
    }
    if (!reference || reference.final || this.isElsewhere(reference)) {
      this.giveWay();
      return;
    }
    this.job = this.context.relay.job(reference.job_id) ?? this.job;
    if (this.job && this.job.id === reference.job_id) {
      this.draw(this.job, reference);
    } else if (this.onScreen) {
      void this.fetch(reference.job_id);
    }
  }

  private isElsewhere(reference: JobReference): boolean {
    const { place } = this.context.relay;
    const known = place?.relay_id ?? '';
    return place?.kind === 'absent' || (known !== '' && reference.relay_id !== '' && known !== reference.relay_id);
  }

  private draw(job: JobView, reference: JobReference): void {
    if (this.card && !this.onScreen) {
      return;
    }
    this.card ??= this.makeCard(job);
    const { place, live } = this.context.relay;
    const away = !live && place !== null && !place.healthy && !END_STATES.has(job.state);
    this.card.update(snapshotOf(job, away ? place.message || 'the relay is away' : '', reference.log_only));
  }

  private makeCard(job: JobView): Card {
    this.clear();
    this.shown = null;
    const root = new Widget();
    this.addWidget(root);
    const { relay } = this.context;
    const card = createCard(root.node, {
      cancel: () => {
        relay.api.cancel(job.id).catch(error => this.context.complain(error, `${job.name} could not be cancelled`));
      },
      watchLog: open => this.watchLog(job.id, open),
      earlier: () => this.log?.earlier() ?? Promise.resolve(null),
      ...(this.context.canOpenLog() ? { openLog: () => this.context.openLog(this.job ?? job) } : {})
    });
    return card;
  }

  private watchLog(jobId: string, open: boolean): void {
    this.log?.dispose();
    let [gap, begun] = [false, false];
    const sink = {
      append: (text: string, skipped = 0) => {
        this.card?.log(text, gap ? Math.max(1, skipped) : skipped);
        [gap, begun] = [false, true];
      },
      // A card's log goes on behind a gap that nobody could count; the first page has nothing before it.
      clear: () => {
        gap = begun;
      }
    };
    this.log = open ? new LogFollower(this.context.relay, jobId, sink) : null;
  }

  /** A job that is not among those the page keeps: an old one, or one that has just come. */
  private async fetch(jobId: string): Promise<void> {
    if (this.asked === jobId) {
      return;
    }
    this.asked = jobId;
    try {
      this.job = await this.context.relay.api.job(jobId);
      this.look();
    } catch (error) {
      if (!(error instanceof RelayError && error.status === NOT_FOUND)) {
        this.asked = ''; // The relay may be back with the next change.
      }
      this.giveWay();
    }
  }

  /** Show what the kernel put beside our type: its widget, and where that is gone the saved line. */
  private giveWay(): void {
    if (this.isDisposed || !this.mime || this.shown === this.mime) {
      return;
    }
    this.removeCard();
    this.shown = this.mime;
    const { [JOB_MIME]: _, ...rest } = this.mime.data;
    void this.drawOther(this.mime, rest);
  }

  private async drawOther(mime: IRenderMime.IMimeModel, data: ReadonlyPartialJSONObject): Promise<void> {
    const registry = this.context.rendermimeFor(this.options.resolver);
    const type = registry.preferredMimeType(data, mime.trusted ? 'any' : 'ensure');
    if (type === undefined) {
      return;
    }
    const other = registry.createRenderer(type);
    this.clear();
    this.addWidget(other);
    await other.renderModel(mime);
    if (type === WIDGET_MIME && !other.isDisposed && other.node.textContent?.startsWith(NO_WIDGET)) {
      const { [WIDGET_MIME]: _, ...rest } = data;
      await this.drawOther(mime, rest);
    }
  }

  private clear(): void {
    for (const child of [...this.widgets]) {
      child.dispose();
    }
  }

  private removeCard(): void {
    this.log?.dispose();
    this.log = null;
    this.card?.dispose();
    this.card = null;
    this.clear();
  }

  private readonly seen: IntersectionObserver;
  private onScreen = false;
  private mime: IRenderMime.IMimeModel | null = null;
  private reference: JobReference | null = null;
  private job: JobView | undefined;
  private card: Card | null = null;
  private log: LogFollower | null = null;
  /** The model that was given way to; `null` while the card is drawn. */
  private shown: IRenderMime.IMimeModel | null = null;
  private asked = '';
}
