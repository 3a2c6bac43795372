/** The extension's plugins. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { relayPlugin } from './relay_plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [relayPlugin];

export default plugins;
