/** The extension's plugins. */

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { logPlugin } from './log_plugin';
import { notebookPlugin } from './notebook/plugin';
import { sidebarPlugin } from './panel/plugin';
import { relayPlugin } from './relay_plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [relayPlugin, sidebarPlugin, logPlugin, notebookPlugin];

export default plugins;
