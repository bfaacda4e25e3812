// The data of the page: the manifest, and the arrays in its blocks. Small blocks are read at the start, contexts when
// a neuron is looked at. A corpus is `a` or `b`; `change` holds the pairs that differ between the two.

export const manifest = JSON.parse(document.getElementById('manifest').textContent);
export const NEURON_COUNT = manifest.p;
export const CORPORA = manifest.corpora.map((corpus, index) => ({ ...corpus, letter: 'ab'[index] }));
export const data = {};

const ARRAYS = {
  u1: Uint8Array,
  i1: Int8Array,
  u2: Uint16Array,
  i2: Int16Array,
  u4: Uint32Array,
  i4: Int32Array,
  f4: Float32Array,
};
const STEPS = manifest.steps; // how many whole numbers a block has for one unit of a value
const UNKNOWN = manifest.unknown; // the whole numbers that stand for a missing value
const blocks = new Map();

export const corpusOf = (letter) => CORPORA[letter === 'b' ? 1 : 0];

// -- blocks -------------------------------------------------------------------------------------------

// The array or JSON value of a block, or null where the page has no such block. It is unpacked once.
export async function readBlock(name) {
  if (!blocks.has(name)) blocks.set(name, unpackBlock(name));
  return blocks.get(name);
}

async function unpackBlock(name) {
  const element = document.querySelector(`script[data-block="${name}"]`);
  if (!element) return null;
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const raw = await new Response(stream).arrayBuffer();
  const entry = manifest.blocks[name];
  return entry.type === 'json' ? JSON.parse(new TextDecoder().decode(raw)) : new ARRAYS[entry.type](raw);
}

export async function readAll() {
  const names = Object.keys(manifest.blocks).filter((name) => !name.includes('.contexts.'));
  const arrays = await Promise.all(names.map(readBlock));
  names.forEach((name, index) => {
    data[name] = arrays[index];
  });
  for (const corpus of CORPORA) prepareCorpus(corpus);
  data.rankOf = new Uint32Array(NEURON_COUNT);
  data.order.forEach((neuron, rank) => {
    data.rankOf[neuron] = rank;
  });
}

const CORPUS_ARRAYS = [
  ...['rows', 'cols', 'present', 'rho', 'marginal', 'communities', 'vocabulary', 'peaks'],
  ...['kept', 'debiased', 'error', 'q', 'frequency'],
];

function prepareCorpus(corpus) {
  for (const name of CORPUS_ARRAYS) corpus[name] = data[`${corpus.letter}.${name}`];
  corpus.points = new Map();
  corpus.counts = new Uint32Array(corpus.alphas.length); // edges at each alpha
  for (const mask of corpus.present) {
    for (let k = 0; k < corpus.counts.length; k++) corpus.counts[k] += (mask >>> k) & 1;
  }
  corpus.offsets = new Uint32Array(corpus.counts.length + 1);
  corpus.counts.forEach((count, k) => {
    corpus.offsets[k + 1] = corpus.offsets[k] + count;
  });
  corpus.test = new Int32Array(corpus.rows.length).fill(-1); // where the tests of an edge stand, -1 without tests
  data[`${corpus.letter}.tested`].forEach((edge, index) => {
    corpus.test[edge] = index;
  });
  corpus.size = corpus.communities.reduce((most, community) => Math.max(most, community), -1) + 1;
}

// -- edges --------------------------------------------------------------------------------------------

// The edges of a corpus at alpha k, from strong to weak: `rows`, `cols`, `rho`, and `edge`, the index in the corpus.
export function pointOf(corpus, k) {
  if (corpus.points.has(k)) return corpus.points.get(k);
  const edges = new Uint32Array(corpus.counts[k]);
  for (let edge = 0, index = 0; edge < corpus.rows.length; edge++) {
    if ((corpus.present[edge] >>> k) & 1) edges[index++] = edge;
  }
  const point = sortedPoint(edges, corpus.rho.subarray(corpus.offsets[k], corpus.offsets[k + 1]), corpus);
  corpus.points.set(k, point);
  return point;
}

// The pairs that differ, as edges whose value is the change.
export function changePoint() {
  if (!data.changePoint) {
    const [rows, cols] = [data['change.rows'], data['change.cols']];
    const [first, second] = [data['change.rho.a'], data['change.rho.b']];
    const largest = STEPS.correlation;
    const change = Int32Array.from(rows, (_, pair) =>
      Math.max(-largest, Math.min(largest, second[pair] - first[pair])),
    );
    const pairs = Uint32Array.from(rows, (_, pair) => pair);
    data.changePoint = sortedPoint(pairs, change, { rows, cols });
  }
  return data.changePoint;
}

// A counting sort by size.
function sortedPoint(edges, rho, ends) {
  const largest = STEPS.correlation;
  const slot = (value) => largest - Math.min(largest, Math.abs(value));
  const next = new Uint32Array(largest + 2); // where the next edge of each size goes
  for (const value of rho) next[slot(value) + 1]++;
  for (let i = 1; i < next.length; i++) next[i] += next[i - 1];
  const point = {
    rows: new Uint32Array(edges.length),
    cols: new Uint32Array(edges.length),
    edge: new Uint32Array(edges.length),
    rho: new Float32Array(edges.length),
  };
  for (let i = 0; i < edges.length; i++) {
    const place = next[slot(rho[i])]++;
    point.edge[place] = edges[i];
    point.rho[place] = rho[i] / largest;
    point.rows[place] = ends.rows[edges[i]];
    point.cols[place] = ends.cols[edges[i]];
  }
  return point;
}

// The chosen edges of every neuron: those of neuron i are `links[start[i]]` to `links[start[i + 1] - 1]`, which are
// places in `point`, from strong to weak.
export function adjacency(point, chosen) {
  const start = new Uint32Array(NEURON_COUNT + 1);
  for (const place of chosen) {
    start[point.rows[place] + 1]++;
    start[point.cols[place] + 1]++;
  }
  for (let i = 0; i < NEURON_COUNT; i++) start[i + 1] += start[i];
  const next = start.slice(0, NEURON_COUNT);
  const links = new Uint32Array(2 * chosen.length);
  for (const place of chosen) {
    links[next[point.rows[place]]++] = place;
    links[next[point.cols[place]]++] = place;
  }
  return { start, links };
}

const pairKey = (i, j) => Math.min(i, j) * NEURON_COUNT + Math.max(i, j);

function pairIndex(rows, cols) {
  const index = new Map();
  rows.forEach((row, pair) => {
    index.set(pairKey(row, cols[pair]), pair);
  });
  return index;
}

// The index of the edge of two neurons in a corpus; null where they have none at any alpha.
export function edgeOf(corpus, i, j) {
  corpus.edgeIndex ??= pairIndex(corpus.rows, corpus.cols);
  return corpus.edgeIndex.get(pairKey(i, j)) ?? null;
}

// The index of two neurons among the pairs that differ; null where they are not among them.
export function changedPairOf(i, j) {
  data.changeIndex ??= pairIndex(data['change.rows'], data['change.cols']);
  return data.changeIndex.get(pairKey(i, j)) ?? null;
}

// The index of two neurons, in either order, among the pairs across layers; null where they are not among them.
export function acrossPairOf(i, j) {
  if (!manifest.across) return null;
  data.acrossIndex ??= pairIndex(data['across.sources'], data['across.targets']);
  return data.acrossIndex.get(pairKey(i, j)) ?? null;
}

// -- values -------------------------------------------------------------------------------------------

export const unscaled = (value) =>
  value === undefined || value === UNKNOWN.correlation ? NaN : value / STEPS.correlation;

const qFrom = (value) => 10 ** (-value / STEPS.log_q);

// q of a pair that differs.
export const changeQ = (pair) => qFrom(data['change.q'][pair]);

// q of a pair across layers, by the number of the method.
export const acrossQ = (method, pair) => qFrom(data[`across.${method}.q`][pair]);

// q of the difference of means or variances of a neuron between two corpora.
export const activityQ = (name, neuron) => qFrom(data[`activity.${name}_q`][neuron]);

// The share of half-samples that have a tested edge; NaN where it is unknown.
export function frequencyAt(corpus, test) {
  const value = corpus.frequency[test];
  return value === undefined || value === UNKNOWN.frequency ? NaN : value / STEPS.frequency;
}

// Whether a corpus has the half-samples of any edge.
export const hasFrequencies = (corpus) => corpus.frequency.some((value) => value !== UNKNOWN.frequency);

// The place of a neuron in the layout, x and y between 0 and 1 with y upwards.
export const layoutOf = (neuron) =>
  [data.places[2 * neuron], data.places[2 * neuron + 1]].map((value) => value / STEPS.position);

// The test results of an edge; null where the edge was not tested.
export function testOf(corpus, edge) {
  const test = corpus.test[edge];
  if (test < 0) return null;
  return {
    kept: corpus.kept[test] === 1,
    debiased: unscaled(corpus.debiased[test]),
    error: unscaled(corpus.error[test]),
    q: qFrom(corpus.q[test]),
    frequency: frequencyAt(corpus, test),
  };
}

// The largest alpha at which an edge is present.
export function entryOf(corpus, edge) {
  const mask = corpus.present[edge];
  return corpus.alphas[31 - Math.clz32(mask & -mask)];
}

// The contexts of a neuron in a corpus, or null where the page has none. Those that are samples of images or sequences
// have a `place`, and a `crop` where there was room for one.
export async function contextsOf(corpus, neuron) {
  const rank = data.rankOf[neuron];
  const name = `${corpus.letter}.contexts.${Math.floor(rank / manifest.chunk)}`;
  const part = await readBlock(name);
  if (!part) return null;
  const samples = corpus.crops === null ? null : await samplesOf(name, rank % manifest.chunk);
  return part[rank % manifest.chunk].map(([document, peak, tokens, values, pole], index) => ({
    document,
    peak,
    values,
    pole,
    tokens: tokens.map((token) => corpus.vocabulary[token]),
    ...samples?.[index],
  }));
}

async function samplesOf(name, place) {
  const [samples, pixels] = await Promise.all([readBlock(`${name}.samples`), readBlock(`${name}.crops`)]);
  const [, height, width, channels] = manifest.blocks[`${name}.crops`].shape;
  const size = height * width * channels;
  return samples[place].map(([where, [number, rows, columns], box]) => ({
    place: where,
    crop:
      number === undefined
        ? null
        : { pixels: pixels.subarray(number * size, (number + 1) * size), width, channels, rows, columns, box },
  }));
}

// The distinct tokens at the peaks of a neuron's contexts, in the order of the contexts.
export function peakTokens(corpus, neuron) {
  const width = corpus.peaks.length / NEURON_COUNT;
  const peaks = corpus.peaks.subarray(neuron * width, (neuron + 1) * width);
  return [...new Set([...peaks].filter((word) => word >= 0).map((word) => corpus.vocabulary[word].trim()))];
}
