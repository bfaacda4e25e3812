// The arrays of the file. Small ones are read at the start; contexts are read when a neuron is looked at.

const manifest = JSON.parse(document.getElementById('manifest').textContent);
const P = manifest.p;
const TOPICS = manifest.topics.map((topic, index) => ({ ...topic, letter: 'ab'[index], index }));
const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array };
const Q_STEPS = 200; // of -log10(q)
const SHORT = 32767; // steps of a value between -1 and 1
const blocks = new Map();

async function block(name) {
  if (!blocks.has(name)) blocks.set(name, unpacked(name));
  return blocks.get(name);
}

async function unpacked(name) {
  const element = document.querySelector(`script[data-block="${name}"]`);
  if (!element) return null;
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const raw = await new Response(stream).arrayBuffer();
  const entry = manifest.blocks[name];
  return entry.type === 'json' ? JSON.parse(new TextDecoder().decode(raw)) : new ARRAYS[entry.type](raw);
}

const data = {};

async function readAll() {
  const small = Object.keys(manifest.blocks).filter((name) => !name.includes('.contexts.'));
  const read = await Promise.all(small.map(block));
  small.forEach((name, index) => { data[name] = read[index]; });
  for (const topic of TOPICS) prepare(topic);
  data.rankOf = new Uint32Array(P);
  data.order.forEach((neuron, rank) => { data.rankOf[neuron] = rank; });
}

function prepare(topic) {
  const of = (name) => data[`${topic.letter}.${name}`];
  Object.assign(topic, {
    rows: of('rows'), cols: of('cols'), present: of('present'), rho: of('rho'), marginal: of('marginal'),
    communities: of('communities'), vocabulary: of('vocabulary'), peaks: of('peaks'), points: new Map(),
  });
  const edges = topic.rows.length;
  topic.counts = new Uint32Array(topic.alphas.length);
  for (let e = 0; e < edges; e++) for (let k = 0; k < topic.counts.length; k++) topic.counts[k] += (topic.present[e] >>> k) & 1;
  topic.offsets = new Uint32Array(topic.counts.length + 1);
  topic.counts.forEach((count, k) => { topic.offsets[k + 1] = topic.offsets[k] + count; });
  topic.test = new Int32Array(edges).fill(-1); // where an edge stands in what the tests say
  of('tested').forEach((edge, place) => { topic.test[edge] = place; });
  Object.assign(topic, { kept: of('kept'), debiased: of('debiased'), error: of('error'), q: of('q'), frequency: of('frequency') });
  topic.size = topic.communities.reduce((most, community) => Math.max(most, community), -1) + 1;
}

// The edges of a topic at one alpha, from strong to weak: `edge` and `rho`, and by neuron: `start`, `links`.
function pointOf(topic, k) {
  if (topic.points.has(k)) return topic.points.get(k);
  const count = topic.counts[k];
  const edge = new Uint32Array(count);
  for (let e = 0, place = 0; e < topic.rows.length; e++) if ((topic.present[e] >>> k) & 1) edge[place++] = e;
  const point = sorted(edge, topic.rho.subarray(topic.offsets[k], topic.offsets[k + 1]), topic);
  topic.points.set(k, point);
  return point;
}

function sorted(edge, rho, ends) {
  const heads = new Uint32Array(32770); // a counting sort by size
  for (const value of rho) heads[SHORT + 1 - Math.min(SHORT, Math.abs(value)) + 1]++;
  for (let i = 1; i < heads.length; i++) heads[i] += heads[i - 1];
  const point = { rows: new Uint32Array(edge.length), cols: new Uint32Array(edge.length), edge: new Uint32Array(edge.length), rho: new Float32Array(edge.length) };
  for (let i = 0; i < edge.length; i++) {
    const place = heads[SHORT + 1 - Math.min(SHORT, Math.abs(rho[i]))]++;
    point.edge[place] = edge[i];
    point.rho[place] = rho[i] / SHORT;
    point.rows[place] = ends.rows[edge[i]];
    point.cols[place] = ends.cols[edge[i]];
  }
  return point;
}

// The pairs that differ, as edges whose value is the change.
function changePoint() {
  if (!data.changePoint) {
    const [rows, cols] = [data['change.rows'], data['change.cols']];
    const change = Int32Array.from(rows, (_, i) => Math.max(-SHORT, Math.min(SHORT, data['change.rho.b'][i] - data['change.rho.a'][i])));
    data.changePoint = sorted(Uint32Array.from(rows, (_, i) => i), change, { rows, cols });
  }
  return data.changePoint;
}

// Start of every neuron's links in `links`, which hold places in `chosen`, from strong to weak.
function adjacency(point, chosen) {
  const start = new Uint32Array(P + 1);
  for (const place of chosen) { start[point.rows[place] + 1]++; start[point.cols[place] + 1]++; }
  for (let i = 0; i < P; i++) start[i + 1] += start[i];
  const next = start.slice(0, P);
  const links = new Uint32Array(2 * chosen.length);
  for (const place of chosen) { links[next[point.rows[place]]++] = place; links[next[point.cols[place]]++] = place; }
  return { start, links };
}

const unscaled = (value) => (value === undefined || value === -32768 ? NaN : value / SHORT);

const qOf = (pair) => 10 ** (-data['change.q'][pair] / Q_STEPS); // of a pair that differs

// What the tests of a topic say of an edge; null where it was not tested.
function testOf(topic, edge) {
  const place = topic.test[edge];
  if (place < 0) return null;
  const share = topic.frequency[place];
  return {
    kept: topic.kept[place] === 1, debiased: unscaled(topic.debiased[place]), error: unscaled(topic.error[place]),
    q: 10 ** (-topic.q[place] / Q_STEPS), frequency: share === 255 ? NaN : share / 200,
  };
}

function entryOf(topic, edge) {
  const mask = topic.present[edge];
  return topic.alphas[31 - Math.clz32(mask & -mask)];
}

// The contexts of a neuron in a topic, or null where the file has none.
async function contextsOf(topic, neuron) {
  const rank = data.rankOf[neuron];
  const part = await block(`${topic.letter}.contexts.${Math.floor(rank / manifest.chunk)}`);
  if (!part) return null;
  return part[rank % manifest.chunk].map(([document, peak, tokens, values]) => ({
    document, peak, values, tokens: tokens.map((token) => topic.vocabulary[token]),
  }));
}
