// Columns of neurons that other stages made: what each is in the graph, and how much the output depends on it.

import { data, manifest } from './data.js';
import { byId, createElement, definitions, errorBelow, formatEstimate, hint } from './draw.js';
import { state } from './state.js';

const COLUMN_GROUPS = manifest.columns ?? [];
const numberOf = (group, index, part, neuron) => data[`columns.${group.name}.${index}.${part}`]?.[neuron] ?? NaN;

function estimateText(group, index, neuron) {
  const [value, error] = ['value', 'error'].map((part) => numberOf(group, index, part, neuron));
  return formatEstimate(value, error, group.columns[index].signed);
}

// The columns of a group for the table of neurons.
export function groupColumns(name) {
  const group = COLUMN_GROUPS.find((each) => each.name === name);
  return group.columns.map(({ title, words, error, low_first: lowFirst }, index) => ({
    title: error ? `${title} ± error` : title,
    words,
    cell: (neuron) => errorBelow(estimateText(group, index, neuron)),
    sortBy: (neuron) => orLast((lowFirst ? -1 : 1) * numberOf(group, index, 'value', neuron)),
  }));
}

const orLast = (value) => (Number.isNaN(value) ? -Infinity : value);

export function setUpColumns() {
  if (!COLUMN_GROUPS.length) return;
  byId('columns-field').hidden = false;
  for (const { name, title } of COLUMN_GROUPS) byId('columns').append(createElement('option', { value: name }, title));
}

// Above and below the table of neurons: what the columns are.
export function drawColumnWords() {
  const group = COLUMN_GROUPS.find(({ name }) => name === state.columns);
  byId('columns-words').textContent = group ? group.words : '';
  byId('columns-help').hidden = !group;
  if (group) byId('columns-help').lastElementChild.replaceChildren(columnWords(group));
}

const columnWords = (group) => definitions(group.columns.map(({ title, words }) => [title, words]));

// In the card of a neuron: its numbers in every group.
export function groupLists(neuron) {
  return COLUMN_GROUPS.flatMap((group) => {
    const rows = group.columns.map(({ title, words }, index) => [
      createElement('span', { title: words }, title),
      createElement('span', { class: 'number' }, estimateText(group, index, neuron)),
    ]);
    const known = group.columns.some((_, index) => !Number.isNaN(numberOf(group, index, 'value', neuron)));
    const heading = createElement('h3', {}, group.title[0].toUpperCase() + group.title.slice(1));
    if (!known) return [heading, hint('This neuron was not scored.')];
    const help = createElement('summary', {}, 'What these numbers say');
    return [heading, definitions(rows), createElement('details', {}, help, hint(group.words), columnWords(group))];
  });
}
