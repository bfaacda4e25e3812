// The card of an edge: what the fit, the tests and the comparison say of two neurons, and the contexts of both.

import { acrossCard } from './across.js';
import { contextsPlace } from './contexts.js';
import {
  acrossPairOf,
  CORPORA,
  changedPairOf,
  changeQ,
  data,
  edgeOf,
  entryOf,
  manifest,
  peakTokens,
  pointOf,
  testOf,
  unscaled,
} from './data.js';
import {
  createElement,
  definitions,
  formatError,
  formatPercent,
  formatQ,
  formatSigned,
  hint,
  neuronButton,
  quoted,
  signText,
  titleOf,
} from './draw.js';
import { alphaIndex } from './state.js';

export function edgeCard(i, j) {
  const pair = acrossPairOf(i, j);
  if (pair !== null) {
    return [...acrossCard(pair), createElement('h3', {}, 'In the fitted graph'), ...edgeIn(CORPORA[0], i, j)];
  }
  const content = [createElement('h2', {}, 'Edge'), createElement('p', {}, neuronButton(i), ' — ', neuronButton(j))];
  const several = CORPORA.length > 1;
  for (const corpus of CORPORA) {
    if (several) content.push(createElement('h3', {}, `In ${corpus.name}`));
    content.push(...edgeIn(corpus, i, j));
  }
  if (manifest.change) content.push(...changeOf(i, j));
  for (const corpus of CORPORA) {
    content.push(createElement('h3', {}, several ? `Contexts in ${corpus.name}` : 'Contexts'));
    content.push(hint(sharedPeaks(corpus, i, j)));
    for (const neuron of [i, j]) {
      content.push(createElement('p', {}, createElement('strong', {}, titleOf(neuron))));
      content.push(contextsPlace(corpus, neuron, 4));
    }
  }
  return content;
}

function edgeIn(corpus, i, j) {
  const edge = edgeOf(corpus, i, j);
  if (edge === null) return [createElement('p', {}, 'No edge at any α of the path.')];
  const marginal = unscaled(corpus.marginal[edge]);
  const test = testOf(corpus, edge);
  const k = alphaIndex(corpus);
  const point = pointOf(corpus, k);
  const place = point.edge.indexOf(edge);
  const partial = place < 0 ? 'no edge there' : signText(point.rho[place]);
  const rows = [
    ['plain correlation', signText(marginal)],
    [`partial correlation at α = ${corpus.alphas[k].toPrecision(3)}`, partial],
    ...(test ? testRows(test) : []),
    ['enters the path at α', entryOf(corpus, edge).toPrecision(3)],
  ];
  return [definitions(rows), createElement('p', {}, explanation(marginal, test))];
}

function testRows(test) {
  const debiased = `${formatSigned(test.debiased)} ± ${formatError(test.error)}`;
  return [
    ['without the penalty’s bias', createElement('span', { class: 'number' }, debiased)],
    ['q, over all pairs', Number.isNaN(test.q) ? '–' : formatQ(test.q)],
    Number.isNaN(test.frequency) ? null : ['in half-samples, with its sign', formatPercent(test.frequency)],
  ];
}

function explanation(marginal, test) {
  if (!test) {
    return 'At the selected α this is no edge, so it was not tested: it is shown because a smaller penalty lets it in.';
  }
  const kept = test.kept
    ? 'It passes the tests and is drawn.'
    : 'It does not pass the tests and is not drawn unless you ask for it.';
  if (Math.sign(marginal) !== Math.sign(test.debiased)) {
    const alone = marginal > 0 ? 'together' : 'against each other';
    return `Alone the two go ${alone}; once all other neurons are known it is the other way round. ${kept}`;
  }
  const share = Math.abs(test.debiased / marginal);
  const others =
    share >= 0.9
      ? 'hardly any of their correlation comes by way of the other neurons'
      : `the other neurons account for about ${formatPercent(1 - share)} of their correlation`;
  const [left, all] = [formatSigned(test.debiased, 2), formatSigned(marginal, 2)];
  return `Given all other neurons ${left} of ${all} is left: ${others}. ${kept}`;
}

function changeOf(i, j) {
  const pair = changedPairOf(i, j);
  if (pair === null) {
    return [
      createElement('h3', {}, 'Between the corpora'),
      createElement('p', {}, 'This pair does not differ beyond its error.'),
    ];
  }
  const value = ({ letter }) => {
    const [rho, error] = ['rho', 'error'].map((name) => unscaled(data[`change.${name}.${letter}`][pair]));
    return `${formatSigned(rho)} ± ${error.toFixed(3)}`;
  };
  const kind = manifest.change.kinds[data['change.classes'][pair]];
  const rows = CORPORA.map((corpus) => [corpus.name, value(corpus)]);
  return [
    createElement('h3', {}, `Between the corpora: ${kind}`),
    definitions([...rows, ['q of the difference', formatQ(changeQ(pair))]]),
  ];
}

function sharedPeaks(corpus, i, j) {
  const [first, second] = [i, j].map((neuron) => new Set(peakTokens(corpus, neuron).map((word) => word.toLowerCase())));
  const both = [...first].filter((word) => word && second.has(word));
  const areWords = corpus.crops === null;
  if (!both.length) return `No ${areWords ? 'token' : 'document'} is among the strongest of both.`;
  const shown = both.slice(0, 6);
  return `Both are strongest at: ${areWords ? quoted(shown) : shown.join(', ')}`;
}
