/** The model as a service: every part of the extension that shows jobs or workers asks for it. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { RelayApi } from './api';
import { IRelayModel } from './model';
import { RelayWatch } from './watch';

export const relayPlugin: JupyterFrontEndPlugin<IRelayModel> = {
  id: 'cumulus-lab:relay',
  description: 'Keeps jobs, workers and the relay up to date by one event stream.',
  autoStart: true,
  provides: IRelayModel,
  activate: (app: JupyterFrontEnd): IRelayModel => {
    return new RelayWatch(new RelayApi(app.serviceManager.serverSettings));
  }
};
