/** The form of "Run this cell on…": where, for how long, and whether at once. One group of radio buttons. */

import type { Dialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import type { IRelayModel } from '../model';
import { counted } from '../words';
import { CPU_ONLY, SHARES, availability, gpuAmount, mostGpus } from './free_now';

/** An amount that the menu does not have, `--gpu {share}` say. */
export const AS_WRITTEN = 'written';

/** What was picked. */
export interface Choice {
  /** Tenths of a GPU; `null`: here, in the notebook's kernel. */
  readonly tenths: number | null | typeof AS_WRITTEN;
  /** As the magic takes it; `null` where the default is wanted. */
  readonly durationS: string | null;
  readonly run: boolean;
}

const DURATIONS = ['600', '1800', '3600', '14400', '43200', '86400'];
/** Where nobody has set another one; as in `cumulus_jupyter/protocol/resources.py`. */
const USUAL_DURATION = '3600';
const HERE = 'here';
let forms = 0;

export class RunOnForm extends Widget implements Dialog.IBodyWidget<Choice> {
  /** `gpu` is what the cell asks for so far, as it was written. */
  constructor(
    private readonly relay: IRelayModel,
    begin: Choice,
    private readonly gpu: string
  ) {
    super();
    this.addClass('cumulus-RunOn');
    this.group = `cumulus-run-on-${(forms += 1)}`;
    this.say = element('p', 'cumulus-RunOn-say');
    this.say.setAttribute('role', 'status');
    this.asWritten = begin.tenths === AS_WRITTEN;
    this.wanted = begin.tenths === null ? HERE : String(begin.tenths);
    this.places = element('div', 'cumulus-RunOn-places');
    this.places.setAttribute('role', 'radiogroup');
    this.places.setAttribute('aria-label', 'Where to run the cell');
    this.duration = durations(begin.durationS ?? '');
    this.now = document.createElement('input');
    this.now.type = 'checkbox';
    this.now.checked = begin.run;
    this.node.append(
      this.places,
      this.say,
      labelled('For at most', this.duration),
      labelled('Run it now', this.now, 'cumulus-RunOn-now')
    );
    this.places.addEventListener('change', () => {
      this.wanted = this.value;
      this.tell();
    });
    this.tell();
  }

  /** How long a job may run where nothing is chosen, in seconds. */
  set usualDuration(seconds: string) {
    this.duration.options[0].text = `the default, ${spanWords(seconds)}`;
  }

  getValue(): Choice {
    const value = this.value;
    return {
      tenths: value === HERE ? null : value === AS_WRITTEN ? AS_WRITTEN : Number(value),
      durationS: this.duration.value || null,
      run: this.now.checked
    };
  }

  protected onAfterAttach(): void {
    this.relay.changed.connect(this.tell);
    this.node.querySelector<HTMLInputElement>('input[type=radio]:checked')?.focus();
  }

  protected onBeforeDetach(): void {
    this.relay.changed.disconnect(this.tell);
  }

  private get value(): string {
    return this.node.querySelector<HTMLInputElement>('input[type=radio]:checked')?.value ?? String(CPU_ONLY);
  }

  /** Offer what the workers have, and keep what was picked; where nobody has that, the CPU. */
  private offer(gpus: number): void {
    const focused = this.places.contains(document.activeElement);
    this.gpus = gpus;
    this.places.replaceChildren(
      this.row('This notebook', [[HERE, 'Here, in its kernel']]),
      this.row('CPU', [[String(CPU_ONLY), 'No GPU']]),
      this.row('Part of a GPU', gpus > 0 ? SHARES.map(tenths => [String(tenths), gpuAmount(tenths)]) : []),
      this.row('Whole GPUs', Array.from({ length: gpus }, (_, index) => [String(10 * (index + 1)), String(index + 1)])),
      ...(this.asWritten ? [this.row('As it is', [[AS_WRITTEN, this.gpu]])] : [])
    );
    const radios = [...this.places.querySelectorAll<HTMLInputElement>('input')];
    const picked = radios.find(radio => radio.value === this.wanted) ?? radios[1];
    picked.checked = true;
    if (focused) {
      picked.focus();
    }
  }

  private row(title: string, choices: readonly (readonly string[])[]): HTMLElement {
    const row = element('div', 'cumulus-RunOn-row');
    row.append(element('span', 'cumulus-RunOn-title', title));
    const chips = element('div', 'cumulus-RunOn-chips');
    for (const [value, label] of choices) {
      const radio = document.createElement('input');
      radio.type = 'radio';
      radio.name = this.group;
      radio.value = value;
      radio.setAttribute('aria-label', ariaLabel(value, label));
      const chip = element('label', 'cumulus-RunOn-chip');
      chip.append(radio, element('span', '', label));
      chips.append(chip);
    }
    if (choices.length === 0) {
      chips.append(element('span', 'cumulus-RunOn-none', 'no worker has one'));
    }
    row.append(chips);
    return row;
  }

  /** Say what the picked place means now, and mark the places where a job would wait. */
  private readonly tell = (): void => {
    const gpus = mostGpus(this.relay.workers);
    if (gpus !== this.gpus) {
      this.offer(gpus);
    }
    for (const radio of this.node.querySelectorAll<HTMLInputElement>('input[type=radio]')) {
      const waits = isPlace(radio.value) && !availability(this.relay.workers, Number(radio.value)).free;
      radio.parentElement?.classList.toggle('cumulus-mod-waits', waits);
    }
    const { value } = this;
    this.duration.disabled = value === HERE;
    if (value === HERE) {
      this.say.textContent = 'As any other cell, without a %%cumulus line.';
      return;
    }
    if (value === AS_WRITTEN) {
      this.say.textContent = `--gpu ${this.gpu}, as the cell says now.`;
      return;
    }
    const what = Number(value) === CPU_ONLY ? 'CPU' : `${gpuAmount(Number(value))} GPU`;
    this.say.textContent = `${what} — ${availability(this.relay.workers, Number(value)).words}`;
  };

  /** What was picked; it may not be there while the workers are not known. */
  private wanted: string;
  private gpus = -1;
  private readonly asWritten: boolean;
  private readonly group: string;
  private readonly places: HTMLElement;
  private readonly say: HTMLElement;
  private readonly duration: HTMLSelectElement;
  private readonly now: HTMLInputElement;
}

/** Whether the menu knows how much that is. */
function isPlace(value: string): boolean {
  return value !== HERE && value !== AS_WRITTEN;
}

function ariaLabel(value: string, label: string): string {
  if (value === HERE) {
    return 'Here, in the kernel of the notebook';
  }
  if (value === AS_WRITTEN) {
    return `${label} GPU, as the cell says`;
  }
  return value === String(CPU_ONLY) ? 'CPU, no GPU' : `${label} GPU`;
}

function durations(chosen: string): HTMLSelectElement {
  const select = document.createElement('select');
  select.append(new Option(`the default, ${spanWords(USUAL_DURATION)} unless set otherwise`, ''));
  const own = chosen && !DURATIONS.includes(chosen) ? [chosen] : [];
  for (const value of [...own, ...DURATIONS]) {
    select.append(new Option(spanWords(value), value, false, value === chosen));
  }
  return select;
}

/** Seconds as people say them: "10 minutes", "1 hour"; whatever else was written, as it was. */
function spanWords(seconds: string): string {
  const number = Number(seconds);
  const [size, unit] = number % 3600 === 0 ? [3600, 'hour'] : number % 60 === 0 ? [60, 'minute'] : [1, 'second'];
  return number > 0 ? counted(number / size, unit) : seconds;
}

function labelled(text: string, control: HTMLElement, kind = ''): HTMLElement {
  const label = element('label', `cumulus-RunOn-field ${kind}`.trim());
  label.append(element('span', '', text), control);
  return label;
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
