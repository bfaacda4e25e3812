// Neurons that are more or less active in B than in A, as a table and as a part of a neuron's card.

import { activityQ, data, manifest, NEURON_COUNT } from './data.js';
import { byId, formatError, formatQ, formatSigned, neuronButton, signText } from './draw.js';
import { pagedTable, tables } from './tables.js';

const activityValue = (name) => (neuron) => data[`activity.${name}`][neuron];
const isCompared = (neuron) => !Number.isNaN(data['activity.shift'][neuron]);
const threeDigits = (value) => Number(value.toPrecision(3)).toString().replace('-', '−');

function activityColumn(title, name, text) {
  const value = activityValue(name);
  return { title, cell: (neuron) => text(value(neuron)), sortBy: value };
}

function activityQColumn(title, name) {
  return { title, cell: (neuron) => formatQ(activityQ(name, neuron)), sortBy: (neuron) => -activityQ(name, neuron) };
}

const ACTIVITY_COLUMNS = [
  { title: 'neuron', word: true, cell: neuronButton, sortBy: (neuron) => data.labels[neuron] },
  {
    title: 'B − A, in SD',
    cell: (neuron) => signText(data['activity.shift'][neuron]),
    sortBy: (neuron) => Math.abs(data['activity.shift'][neuron]),
  },
  activityColumn('± error', 'error', formatError),
  activityQColumn('q', 'shift'),
  activityColumn('mean in A', 'mean.a', threeDigits),
  activityColumn('mean in B', 'mean.b', threeDigits),
  activityColumn('variance, B / A', 'ratio', (value) => value.toFixed(2)),
  activityQColumn('q of the variance', 'ratio'),
];

// What a card says of the activation of a neuron: title and text of each line.
export function activityLines(neuron) {
  if (!manifest.activity || !isCompared(neuron)) return [];
  const [shift, error] = [data['activity.shift'][neuron], data['activity.error'][neuron]];
  const sizes = `${formatSigned(shift)} ± ${formatError(error)} SD`;
  const ratio = data['activity.ratio'][neuron].toFixed(2);
  return [
    ['mean, B − A', `${sizes} (q ${formatQ(activityQ('shift', neuron))})`],
    ['variance, B / A', `${ratio} (q ${formatQ(activityQ('ratio', neuron))})`],
  ];
}

export function setUpActivity() {
  if (!manifest.activity) return;
  const { fdr, min_shift: shift, min_ratio: ratio, halves } = manifest.activity;
  byId('activity-words').textContent =
    `q: tested against differences of at most ${shift} standard deviations, or a ratio of ${ratio}. ` +
    `Those up to ${fdr} are believed. By the same rule, where nothing differs: ${halves}.`;
  const byQ = Array.from({ length: NEURON_COUNT }, (_, neuron) => neuron)
    .filter(isCompared)
    .sort((a, b) => activityQ('shift', a) - activityQ('shift', b));
  tables.activity = pagedTable(byId('activity-table'), {
    caption: () => 'Neurons by the difference of their means',
    columns: () => ACTIVITY_COLUMNS,
    rows: () => byQ,
  });
}
