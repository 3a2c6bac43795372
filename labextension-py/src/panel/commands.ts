/** The commands that sections of the panel, its rows and the palette share. */

export const COMMANDS = {
  showPanel: 'cumulus:show-panel',
  openLog: 'cumulus:open-log',
  cancel: 'cumulus:cancel',
  addWorker: 'cumulus:add-worker',
  refresh: 'cumulus:refresh',
  /** The notebooks' part of the extension has these two. */
  goToCell: 'cumulus:go-to-cell',
  attach: 'cumulus:attach'
} as const;
