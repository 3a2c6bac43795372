/** Which open notebook, and which cell of it, a job came from. */

import type { Cell, CodeCell } from '@jupyterlab/cells';
import { PageConfig } from '@jupyterlab/coreutils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents, ServiceManager } from '@jupyterlab/services';

import type { Origin } from '../wire';

/** Whether a job came from this notebook: by its kernel, and where that is another one now, by its path. */
export function isFrom(panel: NotebookPanel, origin: Origin): boolean {
  const kernel = panel.sessionContext.session?.kernel?.id;
  return (!!kernel && kernel === origin.kernel) || isPath(panel.context.localPath, origin.notebook);
}

/**
 * Whether a path as the server names it is the one that a kernel was told, which may be absolute.
 *
 * The end alone does not tell: copies of a notebook have its name, and its cells' ids.
 */
export function isPath(local: string, told: string): boolean {
  if (told === '' || local === '' || told === local) {
    return told !== '' && told === local;
  }
  const mayBe = told.replace(/\\/g, '/').endsWith(`/${local}`);
  return mayBe && candidates(told, PageConfig.getOption('serverRoot')).includes(local);
}

export function findPanel(tracker: INotebookTracker, origin: Origin): NotebookPanel | undefined {
  return tracker.find(panel => isFrom(panel, origin) && (!origin.cell || cellIn(panel, origin.cell) !== null));
}

/** The cell with this id, and where it stands; `null` where it is gone. */
export function cellIn(panel: NotebookPanel, id: string): { cell: Cell; index: number } | null {
  const index = panel.content.widgets.findIndex(cell => cell.model.id === id);
  return index < 0 ? null : { cell: panel.content.widgets[index], index };
}

export function isCodeCell(cell: Cell): cell is CodeCell {
  return cell.model.type === 'code';
}

/**
 * The path of a job's notebook as this server names it; `null` where there is no such file.
 *
 * The session of its kernel knows best: the notebook may have been moved since.
 */
export async function notebookPath(services: ServiceManager.IManager, origin: Origin): Promise<string | null> {
  for (const session of services.sessions.running()) {
    if (origin.kernel && session.kernel?.id === origin.kernel && session.type === 'notebook') {
      return session.path;
    }
  }
  for (const path of candidates(origin.notebook, PageConfig.getOption('serverRoot'))) {
    if (await exists(services.contents, path)) {
      return path;
    }
  }
  return null;
}

/** What a path may be below the server's root, likely ones first. The root may begin with `~`; Notebook 7 tells none. */
export function candidates(told: string, root: string): string[] {
  const path = told.replace(/\\/g, '/');
  if (path === '') {
    return [];
  }
  if (!path.startsWith('/') && !/^[A-Za-z]:\//.test(path)) {
    return [path];
  }
  const base = root.replace(/\\/g, '/').replace(/\/$/, '');
  if (root !== '' && !base.startsWith('~')) {
    return path.startsWith(`${base}/`) ? [path.slice(base.length + 1)] : [];
  }
  const below = `${base.slice(1)}/`;
  const parts = path.split('/').filter(Boolean);
  const tails = parts.map((_, index) => parts.slice(index).join('/'));
  // The home's own name is not known here: what follows the rest of the root comes first.
  const at = below.length > 1 ? path.indexOf(below) : -1;
  return at >= 0 ? [path.slice(at + below.length)] : tails;
}

async function exists(contents: Contents.IManager, path: string): Promise<boolean> {
  try {
    return (await contents.get(path, { content: false })).type === 'notebook';
  } catch {
    return false;
  }
}
