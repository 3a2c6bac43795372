/** The settings of `schema/notebook.json`, as they are now. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';

export class NotebookSettings {
  /** Without a registry, as where settings are switched off, all have their defaults. */
  constructor(registry: ISettingRegistry | null, plugin: string) {
    registry
      ?.load(plugin)
      .then(settings => (this.settings = settings))
      .catch(error => console.error('cumulus: the settings could not be read', error));
  }

  /** Whether "Run this cell on…" begins with running it. */
  get runs(): boolean {
    return this.settings?.composite['runAfterChoosing'] !== false;
  }

  /** Jobs that took this many seconds are worth a notification; 0: none is. */
  get notifyAfterS(): number {
    const found = this.settings?.composite['notifyAfterSeconds'];
    return typeof found === 'number' ? found : 60;
  }

  private settings: ISettingRegistry.ISettings | null = null;
}
