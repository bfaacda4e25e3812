// What is shown, as one object that also stands in the address: a link brings the same page back.

const DEFAULTS = {
  tab: 'overview', topic: 'a', alpha: null, tested: true, signs: '+-', least: 0, frequency: 0, layer: '', gap: '', kind: '',
  neuron: null, edge: null, community: null, budget: 1000, arrangement: 'community', pins: [], zoom: null,
};
const state = { ...DEFAULTS };
const listeners = [];
const trail = [];

const activeTopic = () => TOPICS[state.topic === 'b' ? 1 : 0];
const isChange = () => state.topic === 'change';
const alphaIndex = (topic = activeTopic()) => Math.min(state.alpha === null ? topic.selected : state.alpha, topic.alphas.length - 1);

function set(changes, { silent = false } = {}) {
  if ('neuron' in changes && changes.neuron !== null && changes.neuron !== state.neuron) {
    if (state.neuron !== null) trail.push(state.neuron);
    Object.assign(changes, { edge: null, community: null, ...changes });
  }
  Object.assign(state, changes);
  if ('topic' in changes && !('alpha' in changes) && TOPICS.length > 1) state.alpha = null;
  if (Object.keys(changes).some((name) => FILTERS.has(name))) forget();
  if (!silent) for (const listen of listeners) listen(changes);
  writeHash();
}

const FILTERS = new Set(['topic', 'alpha', 'tested', 'signs', 'least', 'frequency', 'layer', 'gap', 'kind']);

function writeHash() {
  const parts = [];
  for (const [name, value] of Object.entries(state)) {
    if (JSON.stringify(value) === JSON.stringify(DEFAULTS[name])) continue;
    parts.push(`${name}=${encodeURIComponent(name === 'pins' || name === 'zoom' ? JSON.stringify(value) : value)}`);
  }
  const hash = parts.length ? `#${parts.join('&')}` : '#';
  if (hash !== (location.hash || '#')) history.replaceState(null, '', hash);
}

function readHash() {
  const found = { ...DEFAULTS };
  for (const part of location.hash.slice(1).split('&')) {
    const [name, ...rest] = part.split('=');
    if (!(name in DEFAULTS)) continue;
    try { found[name] = understood(name, decodeURIComponent(rest.join('='))); } catch { /* a damaged link shows what it can */ }
  }
  return found;
}

function understood(name, text) {
  const whole = (value, stop) => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 0 || number >= stop) throw new RangeError(name);
    return number;
  };
  const share = (value, most) => {
    const number = Number(value);
    if (!(number >= 0 && number <= most)) throw new RangeError(name);
    return number;
  };
  const among = (value, known) => { if (!known.includes(value)) throw new RangeError(name); return value; };
  switch (name) {
    case 'neuron': return whole(text, P);
    case 'community': return whole(text, 32768);
    case 'edge': { const [i, j] = text.split('-').map((end) => whole(end, P)); if (i === j || j === undefined) throw new RangeError(name); return `${Math.min(i, j)}-${Math.max(i, j)}`; }
    case 'alpha': return whole(text, 32);
    case 'budget': return whole(text, 20001);
    case 'least': return share(text, 0.5);
    case 'frequency': return share(text, 1);
    case 'tested': return text === 'true';
    case 'tab': return among(text, ['overview', 'graph', 'edges', 'neurons']);
    case 'topic': return among(text, ['a', ...(TOPICS.length > 1 ? ['b'] : []), ...(manifest.change ? ['change'] : [])]);
    case 'signs': return among(text, ['+-', '+', '-', '']);
    case 'arrangement': return among(text, ['community', 'layer']);
    case 'layer': case 'gap': case 'kind': return text === '' ? '' : String(whole(text, 100000));
    case 'pins': return JSON.parse(text).map(({ neuron, note, group }) => ({ neuron: whole(neuron, P), note: String(note ?? ''), group: String(group ?? '') }));
    case 'zoom': { const view = JSON.parse(text).map(Number); if (view.length !== 3 || !view.every(Number.isFinite)) throw new RangeError(name); return view; }
    default: return text;
  }
}

// -- which edges pass the filters -------------------------------------------------------------------

let known = null; // what was computed for the present filters

function forget() { known = null; }

// The edges shown, as places in `point` from strong to weak; why the others are hidden; the links of every neuron.
function shown() {
  if (known) return known;
  const topic = activeTopic();
  const change = isChange();
  const point = change ? changePoint() : pointOf(topic, alphaIndex());
  const places = new Uint32Array(point.edge.length);
  const hidden = { 'not passing the tests': 0, sign: 0, size: 0, 'half-samples': 0, layer: 0, kind: 0 };
  const layers = data.layers;
  const [layer, gap, kind] = [state.layer, state.gap, state.kind].map((text) => (text === '' ? null : Number(text)));
  const [plus, minus] = ['+', '-'].map((sign) => state.signs.includes(sign));
  let count = 0;
  for (let place = 0; place < point.edge.length; place++) {
    const edge = point.edge[place];
    const test = change ? -2 : topic.test[edge];
    if (!change && state.tested && (test < 0 || !topic.kept[test])) { hidden['not passing the tests']++; continue; }
    if (point.rho[place] > 0 ? !plus : !minus) { hidden.sign++; continue; }
    if (Math.abs(point.rho[place]) < state.least) { hidden.size++; continue; }
    if (!change && state.frequency > 0 && !(test >= 0 && topic.frequency[test] !== 255 && topic.frequency[test] / 200 >= state.frequency - 1e-9)) { hidden['half-samples']++; continue; }
    const [first, second] = [layers[point.rows[place]], layers[point.cols[place]]];
    if ((layer !== null && first !== layer && second !== layer) || (gap !== null && Math.abs(first - second) !== gap)) { hidden.layer++; continue; }
    if (change && kind !== null && data['change.classes'][edge] !== kind) { hidden.kind++; continue; }
    places[count++] = place;
  }
  known = { point, places: places.slice(0, count), hidden, total: point.edge.length };
  known.links = adjacency(point, known.places);
  known.degree = Uint32Array.from({ length: P }, (_, i) => known.links.start[i + 1] - known.links.start[i]);
  known.strength = new Float32Array(P);
  known.influence = new Float32Array(P);
  for (const place of known.places) {
    for (const end of [point.rows[place], point.cols[place]]) {
      known.strength[end] += Math.abs(point.rho[place]);
      known.influence[end] += point.rho[place];
    }
  }
  known.order = Uint32Array.from({ length: P }, (_, i) => i).sort((i, j) => known.strength[j] - known.strength[i] || i - j);
  return known;
}

// The neighbours of a neuron among the edges shown, from strong to weak.
function neighbours(neuron) {
  const { point, links } = shown();
  const found = [];
  for (let place = links.start[neuron]; place < links.start[neuron + 1]; place++) {
    const at = links.links[place];
    found.push({ neuron: point.rows[at] === neuron ? point.cols[at] : point.rows[at], rho: point.rho[at], edge: point.edge[at] });
  }
  return found;
}
