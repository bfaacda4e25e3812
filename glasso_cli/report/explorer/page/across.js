// Edges across layers: association, influence and effects of pairs of neurons, as a table, in the card of a neuron, and
// in the card of a pair with the contexts of both neurons side by side.

import { contextsPlace } from './contexts.js';
import { acrossQ, CORPORA, data, manifest } from './data.js';
import {
  byId,
  createElement,
  errorBelow,
  formatCount,
  formatError,
  formatQ,
  formatSigned,
  hint,
  neuronButton,
  plural,
  signText,
  whyButton,
} from './draw.js';
import { state } from './state.js';
import { pagedTable, tables } from './tables.js';

const MOST_LISTED = 10; // pairs in the card of a neuron
const [NOT_LOOKED, FOUND] = [0, 2]; // what the state of a column says

const METHODS = (manifest.across?.columns ?? []).map((column, number) => ({ ...column, number }));
const acrossAt = ({ number }, name, pair) => data[`across.${number}.${name}`][pair];
const hasNumber = (column, pair) => !Number.isNaN(acrossAt(column, 'value', pair));
const sourceOf = (pair) => data['across.sources'][pair];
const targetOf = (pair) => data['across.targets'][pair];
const readingOf = (pair) => manifest.across.readings[data['across.reading'][pair]];
const betweenOf = (pair) => `${data.layers[sourceOf(pair)]} ${data.layers[targetOf(pair)]}`;

// The largest number that was found for a pair; where none was, the largest there is.
function sizeOf(pair) {
  const sizes = METHODS.filter((column) => hasNumber(column, pair));
  const found = sizes.filter((column) => acrossAt(column, 'state', pair) === FOUND);
  return Math.max(0, ...(found.length ? found : sizes).map((column) => Math.abs(acrossAt(column, 'value', pair))));
}

// -- the table ----------------------------------------------------------------------------------------

function readingText(pair) {
  const { name, colour } = readingOf(pair);
  const dot = createElement('span', { class: 'dot', 'aria-hidden': 'true' });
  dot.style.setProperty('background', colour);
  return createElement('span', {}, dot, name || 'not read');
}

function methodColumn(column) {
  return {
    title: `${column.name} ± error`,
    cell: (pair) => valueText(column, pair),
    sortBy: (pair) => (hasNumber(column, pair) ? Math.abs(acrossAt(column, 'value', pair)) : -1),
  };
}

// The value with its error, in bold where it was found; a sign that there is none, and why.
function valueText(column, pair) {
  if (!hasNumber(column, pair)) return acrossAt(column, 'state', pair) === NOT_LOOKED ? '' : '–';
  const text = `${formatSigned(acrossAt(column, 'value', pair))} ± ${formatError(acrossAt(column, 'error', pair))}`;
  const tag = acrossAt(column, 'state', pair) === FOUND ? 'strong' : 'span';
  return errorBelow(text, tag);
}

const acrossEnd = (title, neuron) => ({
  title,
  word: true,
  cell: (pair) => neuronButton(neuron(pair)),
  sortBy: (pair) => data.labels[neuron(pair)],
});

const ACROSS_COLUMNS = [
  acrossEnd('source', sourceOf),
  acrossEnd('target', targetOf),
  { title: 'reading', word: true, cell: readingText, sortBy: (pair) => -data['across.reading'][pair] },
  ...METHODS.map(methodColumn),
  { title: 'why', word: true, cell: (pair) => whyButton(sourceOf(pair), targetOf(pair)), sortBy: () => 0 },
];

function pairsShown() {
  const { reading, between, strength } = state;
  return data.acrossPairs.filter(
    (pair) =>
      (reading === '' || data['across.reading'][pair] === Number(reading)) &&
      (between === '' || betweenOf(pair) === between) &&
      data.acrossSizes[pair] >= strength,
  );
}

export function setUpAcross() {
  if (!manifest.across) return;
  data.acrossPairs = Array.from(data['across.sources'], (_, pair) => pair);
  data.acrossSizes = Float32Array.from(data.acrossPairs, sizeOf);
  byId('across-words').textContent = acrossWords();
  const count = new Uint32Array(manifest.across.readings.length);
  for (const reading of data['across.reading']) count[reading]++;
  manifest.across.readings.forEach(({ short }, reading) => {
    if (count[reading]) addOption('reading', reading, `${short} (${formatCount(count[reading])})`);
  });
  for (const between of new Set(data.acrossPairs.map(betweenOf))) {
    addOption('between', between, between.replace(' ', ' → '));
  }
  tables.across = pagedTable(byId('across-table'), {
    caption: () => 'Pairs of neurons in different layers, those with a finding first, from strong to weak; bold: found',
    columns: () => ACROSS_COLUMNS,
    rows: pairsShown,
  });
}

const addOption = (id, value, text) => byId(id).append(createElement('option', { value }, text));

function acrossWords() {
  const { not_fitted: notFitted, left_out: leftOut } = manifest.across;
  const missing = [
    leftOut ? `The ${plural(leftOut, 'weakest pair')} had no room in this page.` : '',
    notFitted ? `${plural(notFitted, 'pair')} with a neuron that was not fitted can only be found in the table.` : '',
  ].filter(Boolean);
  const where = missing.length ? 'All are in edges_across_layers.csv.' : '';
  const words = [...new Set(METHODS.map((column) => column.words))];
  return [...words, 'Empty: not looked for. –: not found, and no number kept.', ...missing, where].join(' ').trim();
}

// -- cards --------------------------------------------------------------------------------------------

// The strongest pairs of a neuron with those of other layers.
export function acrossList(neuron) {
  if (!manifest.across) return [];
  const pairs = data.acrossPairs.filter((pair) => sourceOf(pair) === neuron || targetOf(pair) === neuron);
  const heading = createElement('h3', {}, `Across layers (${formatCount(pairs.length)})`);
  if (!pairs.length) return [heading, hint('none')];
  const items = pairs.slice(0, MOST_LISTED).map((pair) => {
    const out = sourceOf(pair) === neuron;
    const other = out ? targetOf(pair) : sourceOf(pair);
    const words = [out ? 'to ' : 'from ', neuronButton(other), ' ', readingText(pair), ' ', whyButton(neuron, other)];
    return createElement('li', {}, ...words);
  });
  if (pairs.length > MOST_LISTED) {
    items.push(createElement('li', { class: 'hint' }, `and ${formatCount(pairs.length - MOST_LISTED)} weaker`));
  }
  return [heading, createElement('ul', { class: 'plain' }, ...items)];
}

// The card of a pair: the columns with their errors, what the reading means, and the contexts side by side.
export function acrossCard(pair) {
  const ends = [sourceOf(pair), targetOf(pair)];
  const { name, words } = readingOf(pair);
  const sides = ends.map((neuron, side) => {
    const title = createElement('h4', {}, side ? 'Target ' : 'Source ', neuronButton(neuron));
    return createElement('div', {}, title, contextsPlace(CORPORA[0], neuron, 4));
  });
  return [
    createElement('h2', {}, name ? `Across layers: ${name}` : 'Across layers'),
    createElement('p', {}, neuronButton(ends[0]), ' → ', neuronButton(ends[1])),
    columnsTable(pair),
    createElement('p', {}, [words, ...effectWords(pair)].join(' ')),
    ...signWords(pair),
    createElement('h3', {}, 'Contexts'),
    createElement('div', { class: 'sides' }, ...sides),
  ];
}

const foundWords = (column, pair) => {
  const nothing = column.name.startsWith('effect') ? 'not measured' : 'not looked for';
  return [nothing, 'no', 'yes'][acrossAt(column, 'state', pair)];
};
const hasRms = ({ number }) => Boolean(data[`across.${number}.rms`]);
const STATEMENTS = [
  ['estimate', (column, pair) => signText(acrossAt(column, 'value', pair))],
  ['± standard error', (column, pair) => formatError(acrossAt(column, 'error', pair))],
  ['q', (column, pair) => formatQ(acrossQ(column.number, pair))],
  ['root mean square', (column, pair) => (hasRms(column) ? formatError(acrossAt(column, 'rms', pair)) : '–')],
  ['± standard error', (column, pair) => (hasRms(column) ? formatError(acrossAt(column, 'rms_error', pair)) : '–')],
];

function columnsTable(pair) {
  const head = (title) => createElement('th', { scope: 'col' }, title);
  const row = (title, cell) =>
    createElement(
      'tr',
      {},
      createElement('th', { scope: 'row' }, title),
      ...METHODS.map((column) => createElement('td', { class: 'number' }, cell(column))),
    );
  const found = row('found', (column) => foundWords(column, pair));
  const numbers = STATEMENTS.map(([title, text]) =>
    row(title, (column) => (hasNumber(column, pair) ? text(column, pair) : '–')),
  );
  const caption = createElement('caption', {}, 'What is known of the pair');
  const top = createElement('tr', {}, createElement('td', {}), ...METHODS.map((column) => head(column.name)));
  const body = createElement('tbody', {}, ...numbers, found);
  const table = createElement('table', { class: 'statements' }, caption, createElement('thead', {}, top), body);
  return createElement('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Statements' }, table);
}

// A sentence about the effect of the first change that was measured.
function effectWords(pair) {
  const measured = METHODS.find(
    (column) => column.name.startsWith('effect') && acrossAt(column, 'state', pair) !== NOT_LOOKED,
  );
  return measured ? [readingOf(pair).effect[Number(acrossAt(measured, 'state', pair) === FOUND)]] : [];
}

// A sentence where association and influence were both found and have opposite signs.
function signWords(pair) {
  const [first, second] = ['association', 'influence'].map((name) => METHODS.find((column) => column.name === name));
  if (!first || !second || [first, second].some((column) => acrossAt(column, 'state', pair) !== FOUND)) return [];
  if (Math.sign(acrossAt(first, 'value', pair)) === Math.sign(acrossAt(second, 'value', pair))) return [];
  const text = 'Their signs differ, so influence alone cannot explain the association: something else outweighs it.';
  return [createElement('p', {}, text)];
}
