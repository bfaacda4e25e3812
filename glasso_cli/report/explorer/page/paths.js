// Paths through the layers as a table, in the card of a neuron, and the card of a path.

import { contextsPlace } from './contexts.js';
import { CORPORA, data, manifest } from './data.js';
import {
  byId,
  createButton,
  createElement,
  errorBelow,
  formatCount,
  formatEstimate,
  formatSigned,
  hint,
  neuronButton,
} from './draw.js';
import {
  edgesOf,
  edgeText,
  effectOf,
  isSlope,
  nodeButton,
  nodesOf,
  pathName,
  pathwayAt,
  shownPathways,
} from './pathways.js';
import { NOTHING_CHOSEN, state, update } from './state.js';
import { pagedTable, tables } from './tables.js';

const MOST_PATHS_LISTED = 6; // in the card of a neuron

function pathButton(path) {
  const on = state.path === path;
  const onclick = () => update({ ...NOTHING_CHOSEN, path: state.path === path ? null : path });
  return createButton({ 'aria-pressed': String(on), 'data-path': path, onclick }, pathName(path));
}

const pathNeurons = (path) =>
  createElement(
    'span',
    {},
    ...nodesOf(path).flatMap((node, step) => (step ? [' → ', nodeButton(node)] : [nodeButton(node)])),
  );

const effectText = (path) => formatEstimate(effectOf(path), pathwayAt('effect_errors', path), true);
const throughText = (path) => formatEstimate(pathwayAt('through', path), pathwayAt('through_errors', path), true);
const isTried = (path) => !Number.isNaN(pathwayAt('through', path));

const PATH_COLUMNS = [
  { title: 'path', word: true, cell: pathButton, sortBy: (path) => -path },
  {
    title: 'neurons',
    word: true,
    cell: pathNeurons,
    sortBy: (path) =>
      nodesOf(path)
        .map((node) => pathwayAt('labels', node))
        .join(' '),
  },
  { title: 'effect ± error', cell: (path) => errorBelow(effectText(path)), sortBy: (path) => Math.abs(effectOf(path)) },
];
const THROUGH = {
  title: 'measured ± error',
  cell: (path) => errorBelow(throughText(path)),
  sortBy: (path) => (isTried(path) ? Math.abs(pathwayAt('through', path)) : -1),
};

export function setUpPaths() {
  if (!manifest.pathways?.paths) return;
  const columns = manifest.pathways.tried ? [...PATH_COLUMNS, THROUGH] : PATH_COLUMNS;
  tables.pathways = pagedTable(byId('pathways-table'), {
    caption: () => ['Paths shown, from strong to weak', manifest.pathways.unit].filter(Boolean).join('; effect: '),
    columns: () => columns,
    rows: () => shownPathways().paths,
  });
}

// -- cards --------------------------------------------------------------------------------------------

// The paths through a neuron.
export function pathsOf(neuron) {
  if (!manifest.pathways?.paths) return [];
  const paths = data.pathwayPaths.filter((path) => nodesOf(path).some((node) => pathwayAt('neurons', node) === neuron));
  const heading = createElement('h3', {}, `Strongest paths (${formatCount(paths.length)})`);
  if (!paths.length) return [heading, hint('none of those in this page')];
  const items = paths
    .slice(0, MOST_PATHS_LISTED)
    .map((path) => createElement('li', {}, pathButton(path), ' ', pathNeurons(path), ` ${effectText(path)}`));
  if (paths.length > MOST_PATHS_LISTED) {
    items.push(createElement('li', { class: 'hint' }, `and ${formatCount(paths.length - MOST_PATHS_LISTED)} weaker`));
  }
  return [heading, createElement('ul', { class: 'plain' }, ...items)];
}

// The card of a path: its edges, their product, what was measured, and the contexts of its neurons.
export function pathCard(path) {
  const nodes = nodesOf(path);
  const edges = edgesOf(path);
  const steps = nodes.map((node, step) =>
    createElement(
      'li',
      {},
      nodeButton(node),
      ' ',
      pathwayAt('names', node),
      step ? ` (${isSlope(edges[step - 1]) ? 'slope' : 'edge'} ${edgeText(edges[step - 1])})` : '',
    ),
  );
  const contexts = nodes
    .filter((node) => pathwayAt('neurons', node) >= 0)
    .flatMap((node) => {
      const neuron = pathwayAt('neurons', node);
      return [createElement('p', {}, neuronButton(neuron)), contextsPlace(CORPORA[0], neuron, 3)];
    });
  return [
    createElement('h2', {}, pathName(path)),
    createElement('ol', { class: 'plain' }, ...steps),
    createElement('p', {}, productWords(path)),
    ...(isTried(path) ? [createElement('p', {}, throughWords(path))] : []),
    createElement('p', {}, createButton({ onclick: () => update({ tab: 'pathways' }) }, 'Show in the picture')),
    ...(contexts.length ? [createElement('h3', {}, 'Contexts'), ...contexts] : []),
  ];
}

function productWords(path) {
  const { factors, unit } = manifest.pathways;
  return `Product of ${factors}: ${effectText(path)}${unit ? `, ${unit}` : ''}.`;
}

function throughWords(path) {
  const share = pathwayAt('through', path) / effectOf(path);
  const words =
    share > 0 ? `${formatSigned(share, 2).slice(1)} times the product` : 'of the other sign than the product';
  return `Measured through the middle: ${throughText(path)}, ${words}.`;
}
