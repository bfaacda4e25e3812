// The controls at the left, the tabs and the keys: what they change, and how they show the state.

import { CORPORA, data, hasFrequencies, manifest } from './data.js';
import { byId, createButton, createElement, createSvg, formatCount, formatPercent, plural } from './draw.js';
import { EXPORTS, saveExport } from './export.js';
import { showAll } from './graph.js';
import { showResults } from './search.js';
import { activeCorpus, alphaIndex, isChange, NOTHING_CHOSEN, shown, state, update } from './state.js';

const TABS = {
  overview: 'Overview',
  graph: 'Graph',
  edges: 'Edges',
  neurons: 'Neurons',
  ...(manifest.activity ? { activity: 'Activity' } : {}),
  ...(manifest.across ? { across: 'Across layers' } : {}),
  ...(manifest.pathways ? { pathways: 'Pathways' } : {}),
};
const SLIDERS = ['least', 'frequency', 'budget', 'strength', 'routes', 'links', 'tops', 'weight'];
const SELECTS = ['gap', 'layer', 'kind', 'arrangement', 'reading', 'between', 'columns'];

export function setUpControls() {
  byId('title').textContent = manifest.title;
  byId('sentence').textContent = manifest.sentence;
  document.title = manifest.title;
  setUpTabs();
  setUpCorpora();
  setUpFilters();
  for (const kind of Object.keys(EXPORTS)) {
    const properties = { id: `export-${kind}`, onclick: () => saveExport(kind) };
    byId('exports').append(createButton(properties, kind.toUpperCase()));
  }
  byId('fit').addEventListener('click', showAll);
  if (CORPORA[0].crops !== null) {
    byId('search-label').textContent = 'Find a neuron, a community, or the neurons that are strong in a document';
    byId('search').placeholder = `${data.labels[0]}, C4, document 5`;
  }
  byId('search').addEventListener('input', showResults);
  byId('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    byId('results').querySelector('button')?.click();
  });
  document.addEventListener('keydown', handlePageKey);
}

function setUpTabs() {
  for (const [name, title] of Object.entries(TABS)) {
    const properties = { role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}` };
    byId('tabs').append(createButton({ ...properties, onclick: () => update({ tab: name }) }, title));
  }
  byId('tabs').addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const names = Object.keys(TABS);
    const tab = names[(names.indexOf(state.tab) + by + names.length) % names.length];
    update({ tab });
    byId(`tab-${tab}`).focus();
    event.preventDefault();
  });
}

function setUpCorpora() {
  const choices = CORPORA.map(({ letter, name }) => [letter, `${letter.toUpperCase()}: ${name}`]);
  if (manifest.change) choices.push(['change', 'what differs, B − A']);
  byId('corpus-field').hidden = choices.length < 2;
  for (const [value, title] of choices) {
    const onchange = () => update({ corpus: value });
    const input = createElement('input', { type: 'radio', name: 'corpus', value, onchange });
    byId('corpora').append(createElement('label', {}, input, ` ${title}`));
  }
}

function setUpFilters() {
  byId('alpha').addEventListener('input', (event) => update({ alpha: Number(event.target.value) }));
  byId('only-tested').addEventListener('change', (event) => update({ tested: event.target.checked }));
  const signs = () => `${byId('positive').checked ? '+' : ''}${byId('negative').checked ? '-' : ''}`;
  for (const id of ['positive', 'negative']) byId(id).addEventListener('change', () => update({ signs: signs() }));
  for (const name of SLIDERS) {
    byId(name).addEventListener('input', (event) => update({ [name]: Number(event.target.value) }));
  }
  for (const name of SELECTS) byId(name).addEventListener('change', (event) => update({ [name]: event.target.value }));
  const addOption = (id, value, text) => byId(id).append(createElement('option', { value }, text));
  const ascending = (values) => [...new Set(values)].sort((a, b) => a - b);
  const layers = ascending(data.layers);
  byId('layer-field').hidden = layers.length < 2;
  byId('gap-field').hidden = layers.length < 2;
  for (const layer of layers) addOption('layer', layer, String(layer));
  for (const gap of ascending(layers.flatMap((a) => layers.map((b) => Math.abs(a - b))))) {
    addOption('gap', gap, gap === 0 ? 'none: the same layer' : String(gap));
  }
  for (const [index, kind] of (manifest.change?.kinds ?? []).entries()) addOption('kind', index, kind);
}

function handlePageKey(event) {
  const writing = event.target.matches('input[type=search], textarea, input:not([type])');
  if (event.key === '/' && !writing) {
    byId('search').focus();
    event.preventDefault();
  }
  const chosen = (state.neuron ?? state.edge ?? state.community ?? state.path) !== null;
  if (event.key === 'Escape' && chosen) update({ ...NOTHING_CHOSEN, path: null });
}

// -- showing the state --------------------------------------------------------------------------------

export function drawControls() {
  for (const name of Object.keys(TABS)) {
    const on = state.tab === name;
    byId(`panel-${name}`).hidden = !on;
    byId(`tab-${name}`).setAttribute('aria-selected', String(on));
    byId(`tab-${name}`).tabIndex = on ? 0 : -1;
  }
  for (const input of document.querySelectorAll('input[name=corpus]')) input.checked = input.value === state.corpus;
  drawAlpha(activeCorpus(), alphaIndex());
  byId('only-tested').checked = state.tested;
  byId('only-tested').parentElement.hidden = isChange();
  byId('positive').checked = state.signs.includes('+');
  byId('negative').checked = state.signs.includes('-');
  for (const name of [...SLIDERS, ...SELECTS]) byId(name).value = state[name];
  byId('least-value').textContent = state.least.toFixed(2);
  byId('strength-value').textContent = state.strength.toFixed(2);
  byId('weight-value').textContent = state.weight.toFixed(2);
  for (const name of ['routes', 'links', 'tops']) byId(`${name}-value`).textContent = formatCount(state[name]);
  byId('frequency-value').textContent = formatPercent(state.frequency);
  byId('frequency-field').hidden = isChange() || !hasFrequencies(activeCorpus());
  byId('budget-value').textContent = formatCount(state.budget);
  byId('kind-field').hidden = !isChange();
  for (const id of ['legend', 'counts']) byId(id).hidden = state.tab === 'pathways'; // they are of the fitted graph
}

function drawAlpha(corpus, k) {
  const alpha = corpus.alphas[k].toPrecision(3);
  const edges = plural(corpus.counts[k], 'edge');
  const selected = corpus.alphas[corpus.selected].toPrecision(3);
  const which = k === corpus.selected ? ': the selected one' : `; selected: ${selected}, where the tests were made`;
  byId('alpha-field').hidden = isChange() || corpus.alphas.length < 2;
  byId('alpha').max = corpus.alphas.length - 1;
  byId('alpha').value = k;
  byId('alpha').setAttribute('aria-valuetext', `alpha ${alpha}, ${edges}`);
  byId('alpha-value').textContent = alpha;
  byId('alpha-words').textContent = `${edges} in the graph of this α${which}.`;
  drawCurve(corpus, k);
}

// Bars: edges at every alpha, from the sparsest graph. Line: the values that the selection rule compared.
function drawCurve(corpus, k) {
  const most = Math.max(1, ...corpus.counts);
  const step = 240 / corpus.alphas.length;
  const marks = Array.from(corpus.counts, (count, index) => {
    const height = 2 + 40 * (count / most);
    const box = { x: index * step + 1, y: 44 - height, width: Math.max(1, step - 2), height };
    return createSvg('rect', { class: index === k ? 'count on' : 'count', ...box });
  });
  const criterion = corpus.words.criterion ?? [];
  const values = criterion.filter((value) => value !== null);
  if (values.length > 1) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const height = (value) => 42 - (38 * (value - low)) / (high - low || 1);
    const points = criterion.map((value, index) => (value === null ? '' : `${(index + 0.5) * step},${height(value)}`));
    marks.push(createSvg('polyline', { class: 'rule', points: points.filter(Boolean).join(' ') }));
  }
  byId('curve').replaceChildren(...marks);
}

// Below the view: how many edges are shown, why the others are hidden, and what the page does not have.
export function drawCounts() {
  const { places, hidden, total } = shown();
  const reasons = Object.entries(hidden)
    .filter(([, count]) => count)
    .map(([name, count]) => `${formatCount(count)} by ${name}`);
  const all = plural(total, isChange() ? 'pair' : 'edge');
  const hiding = reasons.length ? `; hidden: ${reasons.join(', ')}` : '';
  byId('counts').textContent = [
    `${formatCount(places.length)} of ${all} pass what is set on the left${hiding}.`,
    ...(state.tab === 'graph' ? [drawnWords(places.length)] : []),
    ...(manifest.without_contexts ? [withoutWords(manifest.without_contexts)] : []),
  ].join(' ');
}

function drawnWords(count) {
  const chosen = state.neuron !== null || state.pins.length > 0;
  const also = chosen ? ', and all of chosen neurons' : '';
  return `The canvas draws ${formatCount(Math.min(state.budget, count))} of them, the strongest${also}.`;
}

function withoutWords(count) {
  return `Contexts of the ${formatCount(count)} weakest neurons had no room in this file.`;
}
