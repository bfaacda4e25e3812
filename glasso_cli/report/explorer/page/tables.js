// The edges and the neurons shown as tables: everything in the graph can be read and reached here.

import { drawColumnWords, groupColumns, setUpColumns } from './columns.js';
import { CORPORA, changeQ, data, entryOf, manifest, peakTokens, testOf, unscaled } from './data.js';
import {
  byId,
  communityButton,
  createButton,
  createElement,
  formatCount,
  formatError,
  formatPercent,
  formatQ,
  formatSigned,
  neuronButton,
  quoted,
  signText,
  whyButton,
} from './draw.js';
import { activeCorpus, isChange, shown, state } from './state.js';

const PAGE = 50; // rows
export const tables = {};
let drawnColumns = ''; // which columns the table of neurons last had

// A table with pages that is sorted by the column whose title is pressed. `columns()` are {title, cell(row),
// sortBy(row)} with `word: true` where the cell is text and not a number; `rows()` come in their own order.
export function pagedTable(element, { caption, columns, rows }) {
  const table = { page: 0, column: null, descending: true };
  table.draw = () => {
    const all = sortedRows(rows(), columns()[table.column], table.descending);
    const pages = Math.max(1, Math.ceil(all.length / PAGE));
    table.page = Math.min(table.page, pages - 1);
    const part = Array.from(all.slice(table.page * PAGE, (table.page + 1) * PAGE));
    const content = createElement(
      'table',
      {},
      createElement('caption', {}, `${caption()}, ${formatCount(all.length)} in all`),
      createElement('thead', {}, headRow(table, columns())),
      createElement('tbody', {}, ...part.map((row) => bodyRow(row, columns()))),
    );
    element.replaceChildren(
      createElement('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption() }, content),
      pageButtons(table, pages),
    );
  };
  return table;
}

function sortedRows(rows, column, descending) {
  if (!column) return rows;
  const order = (a, b) => Number(a > b) - Number(a < b);
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => sign * order(column.sortBy(a), column.sortBy(b)));
}

function headRow(table, columns) {
  const cells = columns.map(({ title, word, words }, index) => {
    const active = table.column === index;
    const sort = () => {
      table.descending = active ? !table.descending : true;
      table.column = index;
      table.draw();
    };
    const direction = table.descending ? 'descending' : 'ascending';
    const arrow = table.descending ? ' ↓' : ' ↑';
    const properties = { scope: 'col', class: word ? 'word' : '', 'aria-sort': active ? direction : 'none' };
    const button = createButton({ onclick: sort, title: words ?? '' }, `${title}${active ? arrow : ''}`);
    return createElement('th', properties, button);
  });
  return createElement('tr', {}, ...cells);
}

function bodyRow(row, columns) {
  const cells = columns.map(({ cell, word }) => createElement('td', { class: word ? 'word' : 'number' }, cell(row)));
  return createElement('tr', {}, ...cells);
}

function pageButtons(table, pages) {
  const turn = (by, title) => {
    const next = table.page + by;
    const onclick = () => {
      table.page = next;
      table.draw();
    };
    return createButton({ disabled: next < 0 || next >= pages, onclick }, title);
  };
  const words = ` page ${table.page + 1} of ${formatCount(pages)} `;
  return createElement('p', {}, turn(-1, 'Before'), words, turn(1, 'Next'));
}

// -- columns of edges: a row is a place among the edges shown -----------------------------------------

const rhoAt = (place) => shown().point.rho[place];
const edgeAt = (place) => shown().point.edge[place];
const testAt = (place) => testOf(activeCorpus(), edgeAt(place));

function endColumn(side, title) {
  const neuron = (place) => shown().point[side][place];
  return {
    title,
    word: true,
    cell: (place) => neuronButton(neuron(place)),
    sortBy: (place) => data.labels[neuron(place)],
  };
}

function signColumn(title, value) {
  return { title, cell: (place) => signText(value(place)), sortBy: (place) => Math.abs(value(place)) };
}

// Of the test of an edge: its value, and the text where there is a value.
function testColumn(title, value, text) {
  return {
    title,
    cell: (place) => {
      const test = testAt(place);
      return test && !Number.isNaN(value(test)) ? text(test) : '–';
    },
    sortBy: (place) => {
      const test = testAt(place);
      return test ? value(test) : -1;
    },
  };
}

const ENDS = [endColumn('rows', 'neuron'), endColumn('cols', 'neuron')];
const WHY = {
  title: 'why',
  word: true,
  cell: (place) => whyButton(shown().point.rows[place], shown().point.cols[place]),
  sortBy: () => 0,
};
const enters = (place) => entryOf(activeCorpus(), edgeAt(place));
const GRAPH_COLUMNS = [
  ...ENDS,
  signColumn('partial correlation', rhoAt),
  testColumn(
    'unbiased ± error',
    (test) => Math.abs(test.debiased),
    (test) => `${formatSigned(test.debiased)} ± ${formatError(test.error)}`,
  ),
  testColumn(
    'q',
    (test) => -test.q,
    (test) => formatQ(test.q),
  ),
  testColumn(
    'half-samples',
    (test) => test.frequency,
    (test) => formatPercent(test.frequency),
  ),
  signColumn('correlation', (place) => unscaled(activeCorpus().marginal[edgeAt(place)])),
  { title: 'enters at α', cell: (place) => enters(place).toPrecision(3), sortBy: enters },
  WHY,
];

const kindAt = (place) => data['change.classes'][edgeAt(place)];
const CHANGE_COLUMNS = [
  ...ENDS,
  signColumn('B − A', rhoAt),
  signColumn('in A', (place) => unscaled(data['change.rho.a'][edgeAt(place)])),
  signColumn('in B', (place) => unscaled(data['change.rho.b'][edgeAt(place)])),
  { title: 'q', cell: (place) => formatQ(changeQ(edgeAt(place))), sortBy: (place) => -changeQ(edgeAt(place)) },
  { title: 'what changes', word: true, cell: (place) => manifest.change.kinds[kindAt(place)], sortBy: kindAt },
  WHY,
];

// -- columns of neurons -------------------------------------------------------------------------------

const communityOf = (neuron) => activeCorpus().communities[neuron];
const strongestAt = (neuron, most) => {
  const strongest = peakTokens(activeCorpus(), neuron).slice(0, most);
  return activeCorpus().crops === null ? quoted(strongest) : strongest.join(', ');
};

function sumColumn(title, name, text) {
  const value = (neuron) => shown()[name][neuron];
  return { title, cell: (neuron) => text(value(neuron)), sortBy: value };
}

const NAME_COLUMN = {
  title: 'score of the name',
  cell: (neuron) => (data.names[neuron] ? data.name_scores[neuron].toFixed(2) : '–'),
  sortBy: (neuron) => (data.names[neuron] ? data.name_scores[neuron] : -1),
};
const NEURON_COLUMN = {
  title: 'neuron',
  word: true,
  cell: neuronButton,
  sortBy: (neuron) => data.labels[neuron],
};
const NEURON_COLUMNS = [
  NEURON_COLUMN,
  {
    title: 'community',
    word: true,
    cell: (neuron) => communityButton(activeCorpus(), communityOf(neuron)),
    sortBy: (neuron) => -communityOf(neuron),
  },
  ...(CORPORA[0].crops === null ? [NAME_COLUMN] : []), // places in images and sequences give no names
  sumColumn('edges', 'degree', formatCount),
  sumColumn('strength', 'strength', (value) => value.toFixed(3)),
  sumColumn('expected influence', 'influence', (value) => formatSigned(value)),
  {
    title: 'strongest at',
    word: true,
    cell: (neuron) => strongestAt(neuron, 3),
    sortBy: (neuron) => strongestAt(neuron, 1),
  },
];

export function setUpTables() {
  const changeCaption = 'Pairs that differ, from the largest change';
  tables.edges = pagedTable(byId('edge-table'), {
    caption: () => (isChange() ? changeCaption : 'Edges shown, from strong to weak'),
    columns: () => (isChange() ? CHANGE_COLUMNS : GRAPH_COLUMNS),
    rows: () => shown().places,
  });
  tables.neurons = pagedTable(byId('neuron-table'), {
    caption: () => 'Neurons, from strong to weak',
    columns: () => (state.columns ? [NEURON_COLUMN, ...groupColumns(state.columns)] : NEURON_COLUMNS),
    rows: () => shown().order,
  });
  setUpColumns();
}

// The table of neurons, with what its columns say.
export function drawNeuronTable() {
  if (state.columns !== drawnColumns) Object.assign(tables.neurons, { page: 0, column: null });
  drawnColumns = state.columns;
  drawColumnWords();
  tables.neurons.draw();
}
