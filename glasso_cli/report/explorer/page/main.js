// The controls, what they change, and the start.

const TABS = { overview: 'Overview', graph: 'Graph', edges: 'Edges', neurons: 'Neurons' };

function setUpControls() {
  $('title').textContent = manifest.title;
  $('sentence').textContent = manifest.sentence;
  document.title = manifest.title;
  for (const [name, title] of Object.entries(TABS)) {
    $('tabs').append(make('button', { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, onclick: () => set({ tab: name }) }, title));
  }
  $('tabs').addEventListener('keydown', (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const names = Object.keys(TABS);
    const tab = names[(names.indexOf(state.tab) + by + names.length) % names.length];
    set({ tab });
    $(`tab-${tab}`).focus();
    event.preventDefault();
  });
  const topics = [...TOPICS.map(({ letter, name }) => [letter, TOPICS.length > 1 ? `${letter.toUpperCase()}: ${name}` : name])];
  if (manifest.change) topics.push(['change', 'what differs, B − A']);
  $('topic-field').hidden = topics.length < 2;
  for (const [value, title] of topics) $('topics').append(make('label', {}, make('input', { type: 'radio', name: 'topic', value, onchange: () => set({ topic: value }) }), ` ${title}`));
  $('alpha').addEventListener('input', () => set({ alpha: Number($('alpha').value) }));
  $('only-tested').addEventListener('change', (event) => set({ tested: event.target.checked }));
  for (const id of ['positive', 'negative']) $(id).addEventListener('change', () => set({ signs: `${$('positive').checked ? '+' : ''}${$('negative').checked ? '-' : ''}` }));
  for (const name of ['least', 'frequency', 'budget']) $(name).addEventListener('input', (event) => set({ [name]: Number(event.target.value) }));
  for (const name of ['gap', 'layer', 'kind', 'arrangement']) $(name).addEventListener('change', (event) => set({ [name]: event.target.value }));
  const layers = [...new Set(data.layers)].sort((a, b) => a - b);
  $('layer-field').hidden = $('gap-field').hidden = layers.length < 2;
  for (const layer of layers) $('layer').append(make('option', { value: layer }, String(layer)));
  const gaps = new Set(layers.flatMap((a) => layers.map((b) => Math.abs(a - b))));
  for (const gap of [...gaps].sort((a, b) => a - b)) $('gap').append(make('option', { value: gap }, gap === 0 ? 'none: the same layer' : String(gap)));
  (manifest.change?.kinds ?? []).forEach((kind, index) => $('kind').append(make('option', { value: index }, kind)));
  for (const kind of Object.keys(EXPORTS)) $('exports').append(make('button', { type: 'button', onclick: () => save(kind), id: `export-${kind}` }, kind.toUpperCase()));
  $('fit').addEventListener('click', showAll);
  $('controls').addEventListener('submit', (event) => { event.preventDefault(); $('results').querySelector('button')?.click(); });
  $('search').addEventListener('input', search);
  document.addEventListener('keydown', (event) => {
    const writing = event.target.matches('input[type=search], textarea, input:not([type])');
    if (event.key === '/' && !writing) { $('search').focus(); event.preventDefault(); }
    if (event.key === 'Escape' && (state.neuron ?? state.edge ?? state.community) !== null) set({ neuron: null, edge: null, community: null });
  });
  window.addEventListener('hashchange', () => { Object.assign(state, readHash()); forget(); graph.view = null; arrange(); drawAll(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
}

// -- search -------------------------------------------------------------------------------------------

const MOST_FOUND = 12;

function found(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const results = [];
  const topic = activeTopic();
  for (let community = 0; community < topic.size; community++) {
    if (nameOf(community).toLowerCase() === wanted || (topic.tokens[community] ?? []).some(([word]) => word === wanted)) results.push({ community });
  }
  for (let i = 0; i < P && results.length < MOST_FOUND; i++) if (data.labels[i].toLowerCase() === wanted || data.ids[i].toLowerCase() === wanted) results.push({ neuron: i, why: '' });
  return [...results, ...byWord(wanted), ...byName(wanted)].slice(0, MOST_FOUND);
}

// Neurons that have the word, or a token that begins with it, at the peak of a context: those with most such contexts first.
function byWord(wanted) {
  const scores = new Map();
  for (const topic of TOPICS) {
    const matches = new Map();
    topic.vocabulary.forEach((word, index) => {
      const plain = word.replace(/^[\u2581\u0120\s]+/, '').trim().toLowerCase();
      if (plain === wanted) matches.set(index, 1);
      else if (wanted.length > 2 && plain.startsWith(wanted)) matches.set(index, 0.5);
    });
    if (!matches.size) continue;
    const width = topic.peaks.length / P;
    for (let place = 0; place < topic.peaks.length; place++) {
      const score = matches.get(topic.peaks[place]);
      if (score) scores.set(Math.floor(place / width), (scores.get(Math.floor(place / width)) ?? 0) + score);
    }
  }
  const { strength } = shown();
  return [...scores].sort(([i, a], [j, b]) => b - a || strength[j] - strength[i] || i - j).map(([neuron, score]) => ({ neuron, why: `active at “${wanted}” (${plural(Math.ceil(score), 'context')})` }));
}

function byName(wanted) {
  const results = [];
  for (let i = 0; i < P && results.length < MOST_FOUND; i++) if (data.labels[i].toLowerCase() !== wanted && `${data.labels[i]} ${data.ids[i]}`.toLowerCase().includes(wanted)) results.push({ neuron: i, why: '' });
  return results;
}

function search() {
  const text = $('search').value;
  const results = found(text);
  $('results').replaceChildren(...results.map(({ neuron, community, why }) => make('li', {}, community === undefined ? neuronButton(neuron) : communityButton(activeTopic(), community), why ? ` ${why}` : '')));
  if (text.trim() && !results.length) $('results').append(make('li', { class: 'hint' }, 'Nothing has this name, and no neuron has this word at the peak of its contexts.'));
}

// -- drawing what changed -----------------------------------------------------------------------------

function drawAll() {
  drawControls();
  for (const name of Object.keys(TABS)) {
    const on = state.tab === name;
    $(`panel-${name}`).hidden = !on;
    $(`tab-${name}`).setAttribute('aria-selected', String(on));
    $(`tab-${name}`).tabIndex = on ? 0 : -1;
  }
  if (state.tab === 'overview') paintMatrix();
  if (state.tab === 'graph') paint();
  if (state.tab === 'edges') tables.edges.draw();
  if (state.tab === 'neurons') tables.neurons.draw();
  listPins();
  showCard();
  writeCounts();
}

function drawControls() {
  const topic = activeTopic();
  const k = alphaIndex();
  for (const input of document.querySelectorAll('input[name=topic]')) input.checked = input.value === state.topic;
  $('alpha-field').hidden = isChange() || topic.alphas.length < 2;
  $('alpha').max = topic.alphas.length - 1;
  $('alpha').value = k;
  $('alpha').setAttribute('aria-valuetext', `alpha ${topic.alphas[k].toPrecision(3)}, ${plural(topic.counts[k], 'edge')}`);
  $('alpha-value').textContent = topic.alphas[k].toPrecision(3);
  $('alpha-words').textContent = `${plural(topic.counts[k], 'edge')} in the graph of this α${k === topic.selected ? ': the selected one' : `; selected: ${topic.alphas[topic.selected].toPrecision(3)}, where the tests were made`}.`;
  drawCurve(topic, k);
  $('only-tested').checked = state.tested;
  $('only-tested').parentElement.hidden = isChange();
  $('positive').checked = state.signs.includes('+');
  $('negative').checked = state.signs.includes('-');
  for (const name of ['least', 'frequency', 'budget']) $(name).value = state[name];
  $('least-value').textContent = state.least.toFixed(2);
  $('frequency-value').textContent = `${Math.round(100 * state.frequency)} %`;
  $('frequency-field').hidden = isChange() || !topic.frequency.some((share) => share !== 255);
  $('budget-value').textContent = whole(state.budget);
  for (const name of ['gap', 'layer', 'kind', 'arrangement']) $(name).value = state[name];
  $('kind-field').hidden = !isChange();
}

// Bars: edges at every alpha, from the sparsest. Line: what the selection rule compared.
function drawCurve(topic, k) {
  const svg = $('curve');
  const named = (tag, attributes) => { const element = document.createElementNS('http://www.w3.org/2000/svg', tag); for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value); return element; };
  const count = topic.alphas.length;
  const most = Math.max(1, ...topic.counts);
  const width = 240 / count;
  const marks = topic.alphas.map((_, index) => {
    const height = 2 + 40 * (topic.counts[index] / most);
    return named('rect', { class: `bar${index === k ? ' on' : ''}`, x: index * width + 1, y: 44 - height, width: Math.max(1, width - 2), height });
  });
  const criterion = topic.words.criterion ?? [];
  const values = criterion.filter((value) => value !== null);
  if (values.length > 1) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const points = criterion.map((value, index) => (value === null ? null : `${(index + 0.5) * width},${42 - 38 * ((value - low) / (high - low || 1))}`)).filter(Boolean);
    marks.push(named('polyline', { class: 'rule', points: points.join(' ') }));
  }
  svg.replaceChildren(...marks);
}

function writeCounts() {
  const { places, hidden, total } = shown();
  const why = Object.entries(hidden).filter(([, count]) => count).map(([name, count]) => `${whole(count)} by ${name}`);
  const drawn = state.tab === 'graph' ? ` The canvas draws ${whole(Math.min(state.budget, places.length))} of them, the strongest${state.neuron === null && !state.pins.length ? '' : ', and all of chosen neurons'}.` : '';
  const without = manifest.without_contexts ? ` Contexts of the ${whole(manifest.without_contexts)} weakest neurons had no room in this file.` : '';
  $('counts').textContent = `${whole(places.length)} of ${isChange() ? plural(total, 'pair') : plural(total, 'edge')} pass what is set on the left${why.length ? `; hidden: ${why.join(', ')}` : ''}.${drawn}${without}`;
}

// -- start -----------------------------------------------------------------------------------------

async function start() {
  await readAll();
  Object.assign(state, readHash());
  setUpControls();
  setUpTables();
  setUpMatrix();
  setUpGraph();
  listeners.push((changes) => {
    if ('arrangement' in changes) { arrange(); graph.view = null; state.zoom = null; }
    const light = Object.keys(changes).every((name) => ['neuron', 'edge', 'community', 'pins', 'zoom'].includes(name));
    if (!light) { drawAll(); return; }
    if (state.tab === 'graph') paint();
    listPins();
    showCard();
    const chosen = ['neuron', 'edge', 'community'].some((name) => (changes[name] ?? null) !== null);
    if (chosen && innerWidth <= 720) $('card').scrollIntoView(); // it stands below there
  });
  drawAll();
}

// For tests and for the console: what is inside, and what is shown.
window.glasso = {
  ready: start(), manifest, state: () => JSON.parse(JSON.stringify(state)), set, array: (name) => data[name], block,
  counts: () => ({ shown: shown().places.length, total: shown().total, hidden: { ...shown().hidden }, drawn: graph.edges, frames: graph.frames }),
  point: (letter, k) => pointOf(TOPICS[letter === 'b' ? 1 : 0], k), screenOf: (neuron) => screen(neuron), pick, found, text: (kind) => EXPORTS[kind][0](),
};
