/** The dialog with the one line that makes a worker of a host. */

import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import { checkIcon, copyIcon, ReactWidget } from '@jupyterlab/ui-components';
import { useEffect, useState } from 'react';

import { RelayError, type RelayApi } from '../api';
import type { EnrolmentLine } from '../wire';

/** Ends when the dialog is closed. */
export async function addWorker(api: RelayApi): Promise<void> {
  const body = ReactWidget.create(<OneLine api={api} />);
  body.addClass('cumulus-lab-add-worker');
  await showDialog({
    title: 'Add a worker',
    body,
    buttons: [Dialog.okButton({ label: 'Close' })]
  });
}

function OneLine({ api }: { api: RelayApi }): JSX.Element {
  const [line, setLine] = useState<EnrolmentLine | null>(null);
  const [error, setError] = useState<{ message: string; next: string } | null>(null);
  useEffect(() => {
    api.newWorkerLine().then(setLine, (reason: unknown) => {
      const next = reason instanceof RelayError ? reason.next : '';
      setError({ message: reason instanceof Error ? reason.message : String(reason), next });
    });
  }, [api]);
  if (error) {
    return (
      <div role="alert">
        <p className="cumulus-lab-worker-error">{error.message}</p>
        {error.next && <p>{error.next}</p>}
      </div>
    );
  }
  if (!line) {
    return <p role="status">Asking the relay for a line…</p>;
  }
  return (
    <>
      <p>Run this line on the host that is to become a worker, as root or with sudo:</p>
      <div className="cumulus-lab-line">
        <code tabIndex={0} aria-label="The line to run">
          {line.command}
        </code>
        <CopyButton text={line.command} />
      </div>
      <p className="cumulus-lab-next">
        {line.note} Good until {timeOfDay(line.expires_ms)}.
      </p>
      <p className="cumulus-lab-next">The worker appears in the sidebar by itself.</p>
    </>
  );
}

function timeOfDay(ms: number): string {
  return new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

function CopyButton({ text }: { text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const Icon = copied ? checkIcon : copyIcon;
  const copy = () => {
    Clipboard.copyToSystem(text);
    setCopied(true);
  };
  return (
    <button type="button" className="cumulus-lab-button" onClick={copy}>
      <Icon.react tag="span" />
      <span role="status">{copied ? 'Copied' : 'Copy'}</span>
    </button>
  );
}
