/** The extension's icons. Their colours are the theme's, by JupyterLab's classes. */

import { LabIcon } from '@jupyterlab/ui-components';

/** What is drawn, in a square of 16. */
export const SHAPES = {
  log: 'M2.5 3h11v1.4h-11zm0 3.2h8v1.4h-8zm0 3.2h11v1.4h-11zm0 3.2h6v1.4h-6z',
  toCell:
    'M7 2.5h6.5v11H7V10h1.4v2.1h3.7V3.9H8.4V6H7zM1.5 7.3h5L4.9 5.7l1-1L9.2 8l-3.3 3.3-1-1 1.6-1.6h-5z',
  attach:
    'M2 3h12v4.5h-1.4V4.4H3.4v3.1H2zm5.3 5.5h1.4v2.3H11v1.4H8.7v2.3H7.3v-2.3H5v-1.4h2.3z',
  cancel: 'M4 4h8v8H4z'
} as const;
export type Shape = keyof typeof SHAPES;

const CLOUD =
  'M6.4 19.5a4.4 4.4 0 0 1-1.5-8.54 4.1 4.1 0 0 1 4.2-4.4A5.4 5.4 0 0 1 18.9 9.4a5.1 5.1 0 0 1-1.3 10.1z';

export const cloudIcon = drawn('cloud', CLOUD, 24);
export const logIcon = drawn('log', SHAPES.log);
export const toCellIcon = drawn('to-cell', SHAPES.toCell);
export const attachIcon = drawn('attach', SHAPES.attach);
export const cancelIcon = drawn('cancel', SHAPES.cancel);

function drawn(name: string, path: string, size = 16): LabIcon {
  return new LabIcon({
    name: `cumulus-lab:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 ${size} ${size}">
      <path class="jp-icon3 jp-icon-selectable" fill="#616161" fill-rule="evenodd" d="${path}"/>
    </svg>`
  });
}

/** The same for rows of long lists, where JupyterLab's icons would cost as much as the rest of the row. */
export function Picture({ shape }: { shape: Shape }): JSX.Element {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path className="jp-icon3" fill="#616161" fillRule="evenodd" d={SHAPES[shape]} />
    </svg>
  );
}
