/** The icon of "Run this cell on…": a cell's triangle on its way into a cloud. */

import { LabIcon } from '@jupyterlab/ui-components';

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M18.6 10.1A6.6 6.6 0 0 0 6 8.2a5.2 5.2 0 0 0 .6 10.3H8v-2H6.6a3.2 3.2 0 0 1-.1-6.4l1-.1.3-.9a4.6 4.6 0 0
 1 8.9 1.4l.1 1.4 1.4.1a2.3 2.3 0 0 1 0 4.5H17v2h1.2a4.3 4.3 0 0 0 .4-8.4z"/>
    <path d="M10 12.5v8l6-4z"/>
  </g>
</svg>`;

export const runOnIcon = new LabIcon({ name: 'cumulus:run-on', svgstr: SVG });
