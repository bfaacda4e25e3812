// The state of the page: what is chosen and set. It also stands in the address, so that a link brings the same page
// back. From the state follow the edges that pass the filters.

import {
  adjacency,
  CORPORA,
  changePoint,
  corpusOf,
  data,
  frequencyAt,
  manifest,
  NEURON_COUNT,
  pointOf,
} from './data.js';

const DEFAULTS = {
  tab: 'overview',
  corpus: 'a',
  alpha: null,
  tested: true,
  signs: '+-',
  least: 0,
  frequency: 0,
  layer: '',
  gap: '',
  kind: '',
  reading: '',
  between: '',
  strength: 0,
  columns: '',
  routes: 20,
  links: 60,
  tops: 15,
  weight: 0,
  path: null,
  neuron: null,
  edge: null,
  community: null,
  budget: 1000,
  arrangement: 'community',
  pins: [],
  zoom: null,
};
const FILTERS = new Set(['corpus', 'alpha', 'tested', 'signs', 'least', 'frequency', 'layer', 'gap', 'kind']);
export const state = { ...DEFAULTS };
export const listeners = [];
export const trail = []; // the neurons chosen before this one

export const NOTHING_CHOSEN = { neuron: null, edge: null, community: null };
export const activeCorpus = () => corpusOf(state.corpus);
export const isChange = () => state.corpus === 'change';
export const alphaIndex = (corpus = activeCorpus()) =>
  Math.min(state.alpha === null ? corpus.selected : state.alpha, corpus.alphas.length - 1);

// Change the state, draw what depends on it (unless `silent`), and write it into the address.
export function update(changes, { silent = false } = {}) {
  if ('neuron' in changes && changes.neuron !== null && changes.neuron !== state.neuron) {
    if (state.neuron !== null) trail.push(state.neuron);
    Object.assign(changes, { edge: null, community: null, ...changes });
  }
  Object.assign(state, changes);
  if ('corpus' in changes && !('alpha' in changes) && CORPORA.length > 1) state.alpha = null;
  if (Object.keys(changes).some((name) => FILTERS.has(name))) forgetShown();
  if (!silent) for (const listen of listeners) listen(changes);
  writeHash();
}

// -- the address --------------------------------------------------------------------------------------

function writeHash() {
  const parts = [];
  for (const [name, value] of Object.entries(state)) {
    if (JSON.stringify(value) === JSON.stringify(DEFAULTS[name])) continue;
    const text = name === 'pins' || name === 'zoom' ? JSON.stringify(value) : value;
    parts.push(`${name}=${encodeURIComponent(text)}`);
  }
  const hash = parts.length ? `#${parts.join('&')}` : '#';
  if (hash !== (location.hash || '#')) history.replaceState(null, '', hash);
}

// Take the state from the address.
export function readHash() {
  Object.assign(state, DEFAULTS);
  for (const part of location.hash.slice(1).split('&')) {
    const [name, ...rest] = part.split('=');
    if (!(name in DEFAULTS)) continue;
    try {
      state[name] = parseField(name, decodeURIComponent(rest.join('=')));
    } catch {
      // a damaged link shows what it can
    }
  }
  forgetShown();
}

function checked(value, valid) {
  if (!valid) throw new RangeError(`${value} is out of range`);
  return value;
}

function integerBelow(text, stop) {
  const number = Number(text);
  return checked(number, Number.isInteger(number) && number >= 0 && number < stop);
}

function atMost(text, most) {
  const number = Number(text);
  return checked(number, number >= 0 && number <= most);
}

const oneOf = (text, choices) => checked(text, choices.includes(text));

const optionalInteger = (text) => (text === '' ? '' : String(integerBelow(text, 100000)));

const EXTRA_TABS = ['activity', 'across', 'pathways'].filter((name) => manifest[name]);
const GROUP_NAMES = (manifest.columns ?? []).map(({ name }) => name);

const PARSERS = {
  tab: (text) => oneOf(text, ['overview', 'graph', 'edges', 'neurons', ...EXTRA_TABS]),
  corpus: (text) => oneOf(text, [...CORPORA.map(({ letter }) => letter), ...(manifest.change ? ['change'] : [])]),
  alpha: (text) => integerBelow(text, 32),
  tested: (text) => text === 'true',
  signs: (text) => oneOf(text, ['+-', '+', '-', '']),
  least: (text) => atMost(text, 0.5),
  frequency: (text) => atMost(text, 1),
  layer: optionalInteger,
  gap: optionalInteger,
  kind: optionalInteger,
  reading: optionalInteger,
  between: (text) => checked(text, /^(-?\d+ -?\d+)?$/.test(text)),
  strength: (text) => atMost(text, 1),
  columns: (text) => oneOf(text, ['', ...GROUP_NAMES]),
  routes: (text) => integerBelow(text, 501),
  links: (text) => integerBelow(text, 401),
  tops: (text) => integerBelow(text, 201),
  weight: (text) => atMost(text, 1),
  path: (text) => integerBelow(text, manifest.pathways?.paths ?? 0),
  neuron: (text) => integerBelow(text, NEURON_COUNT),
  edge: parseEdge,
  community: (text) => integerBelow(text, 32768),
  budget: (text) => integerBelow(text, 20001),
  arrangement: (text) => oneOf(text, ['community', 'layer']),
  pins: parsePins,
  zoom: parseZoom,
};

const parseField = (name, text) => PARSERS[name](text);

export const edgeName = (i, j) => `${Math.min(i, j)}-${Math.max(i, j)}`;

function parseEdge(text) {
  const [i, j] = text.split('-').map((end) => integerBelow(end, NEURON_COUNT));
  checked(text, j !== undefined && i !== j);
  return edgeName(i, j);
}

function parsePins(text) {
  return JSON.parse(text).map(({ neuron, note, group }) => ({
    neuron: integerBelow(neuron, NEURON_COUNT),
    note: String(note ?? ''),
    group: String(group ?? ''),
  }));
}

function parseZoom(text) {
  const view = JSON.parse(text).map(Number);
  return checked(view, view.length === 3 && view.every(Number.isFinite));
}

// -- the edges that pass the filters ------------------------------------------------------------------

let shownCache = null; // for the present filters

function forgetShown() {
  shownCache = null;
}

// The edges shown: `places` in `point` from strong to weak, how many others each filter hides, and per neuron the
// links, the degree, the strength (sum of sizes) and the expected influence (sum of values). `order`: neurons by
// strength.
export function shown() {
  shownCache ??= applyFilters();
  return shownCache;
}

function applyFilters() {
  const point = isChange() ? changePoint() : pointOf(activeCorpus(), alphaIndex());
  const hiddenBy = filterOf(point);
  const hidden = { 'not passing the tests': 0, sign: 0, size: 0, 'half-samples': 0, layer: 0, kind: 0 };
  const passing = new Uint32Array(point.edge.length);
  let count = 0;
  for (let place = 0; place < point.edge.length; place++) {
    const filter = hiddenBy(place);
    if (filter === null) passing[count++] = place;
    else hidden[filter]++;
  }
  const places = passing.slice(0, count);
  const links = adjacency(point, places);
  return { point, places, hidden, total: point.edge.length, links, ...neuronSums(point, places, links) };
}

// A function of a place in `point`: the name of the filter that hides this edge, or null where the edge is shown.
function filterOf(point) {
  const corpus = activeCorpus();
  const change = isChange();
  const [layer, gap, kind] = [state.layer, state.gap, state.kind].map((text) => (text === '' ? null : Number(text)));
  const [plus, minus] = ['+', '-'].map((sign) => state.signs.includes(sign));
  return (place) => {
    const edge = point.edge[place];
    const rho = point.rho[place];
    const test = change ? -1 : corpus.test[edge];
    if (!change && state.tested && !corpus.kept[test]) return 'not passing the tests';
    if (rho > 0 ? !plus : !minus) return 'sign';
    if (Math.abs(rho) < state.least) return 'size';
    if (!change && state.frequency > 0 && !(frequencyAt(corpus, test) >= state.frequency - 1e-9)) return 'half-samples';
    const [first, second] = [data.layers[point.rows[place]], data.layers[point.cols[place]]];
    if (layer !== null && first !== layer && second !== layer) return 'layer';
    if (gap !== null && Math.abs(first - second) !== gap) return 'layer';
    if (change && kind !== null && data['change.classes'][edge] !== kind) return 'kind';
    return null;
  };
}

function neuronSums(point, places, links) {
  const neurons = Uint32Array.from({ length: NEURON_COUNT }, (_, i) => i);
  const degree = neurons.map((i) => links.start[i + 1] - links.start[i]);
  const strength = new Float32Array(NEURON_COUNT);
  const influence = new Float32Array(NEURON_COUNT);
  for (const place of places) {
    for (const end of [point.rows[place], point.cols[place]]) {
      strength[end] += Math.abs(point.rho[place]);
      influence[end] += point.rho[place];
    }
  }
  const order = neurons.slice().sort((i, j) => strength[j] - strength[i] || i - j);
  return { degree, strength, influence, order };
}

// The places in `point` of a neuron's edges among those shown, from strong to weak.
export function linksOf(neuron) {
  const { links } = shown();
  return links.links.subarray(links.start[neuron], links.start[neuron + 1]);
}

// The neighbours of a neuron among the edges shown, from strong to weak.
export function neighbours(neuron) {
  const { point } = shown();
  return Array.from(linksOf(neuron), (place) => ({
    neuron: point.rows[place] === neuron ? point.cols[place] : point.rows[place],
    rho: point.rho[place],
    edge: point.edge[place],
  }));
}
