// What is known of one neuron, one edge or one community.

const MOST_NEIGHBOURS = 12;
let cardNumber = 0; // contexts come later: what was asked for before is dropped

async function showCard() {
  const number = ++cardNumber;
  const card = $('card');
  let content;
  if (state.edge) content = edgeCard(...state.edge.split('-').map(Number));
  else if (state.neuron !== null) content = neuronCard(state.neuron);
  else if (state.community !== null && state.community < activeTopic().size) content = communityCard(state.community);
  else content = strongestNeurons();
  card.replaceChildren(...content);
  card.scrollTop = 0;
  for (const place of card.querySelectorAll('[data-contexts]')) {
    const [letter, neuron, most] = place.dataset.contexts.split(':');
    const lines = await contextLines(TOPICS[letter === 'b' ? 1 : 0], Number(neuron), Number(most));
    if (number !== cardNumber) return;
    place.replaceChildren(...lines);
  }
}

async function contextLines(topic, neuron, most = 8) {
  const contexts = await contextsOf(topic, neuron);
  if (!contexts) return [make('p', { class: 'hint' }, 'The file has no contexts of this neuron.')];
  if (!contexts.length) return [make('p', { class: 'hint' }, 'No context was kept.')];
  const strongest = Math.max(1e-9, ...contexts.flatMap(({ values }) => values));
  return contexts.slice(0, most).map((context) => contextLine(context, strongest));
}

const contextsPlace = (topic, neuron, most = 8) => make('div', { 'data-contexts': `${topic.letter}:${neuron}:${most}` }, make('p', { class: 'hint' }, '…'));

// -- nothing chosen: the strongest neurons ---------------------------------------------------------

const MOST_STRONGEST = 15;

function strongestNeurons() {
  const { order, degree, strength } = shown();
  const topic = activeTopic();
  const some = Array.from(order.subarray(0, MOST_STRONGEST)).filter((neuron) => degree[neuron] > 0);
  const letters = isChange() ? TOPICS : [topic];
  const items = some.map((neuron) => make('li', {}, neuronButton(neuron), ` ${plural(degree[neuron], 'edge')}, strength ${strength[neuron].toFixed(2)}, `, communityButton(topic, topic.communities[neuron]), ...letters.map((each) => contextsPlace(each, neuron, 1))));
  return [
    make('h2', {}, isChange() ? 'Neurons that change most' : 'Strongest neurons'),
    make('p', { class: 'hint' }, 'Each with the context that activates it most. Choose one, a community or an edge, to see why it is there.'),
    some.length ? make('ol', { class: 'plain', id: 'strongest' }, ...items) : make('p', {}, isChange() && !changePoint().edge.length ? 'No pair differs beyond its error.' : 'No edge passes what is set on the left.'),
  ];
}

// -- a neuron -------------------------------------------------------------------------------------

function neuronCard(neuron) {
  const { degree, strength, influence } = shown();
  const topic = activeTopic();
  const pin = state.pins.find((item) => item.neuron === neuron);
  const content = [
    make('h2', {}, data.labels[neuron]),
    make('p', { class: 'hint' }, data.ids[neuron]),
    definitions([
      ['community', communityButton(topic, topic.communities[neuron])],
      ['edges shown', whole(degree[neuron])],
      ['strength', strength[neuron].toFixed(3)],
      ['expected influence', signed(influence[neuron])],
    ]),
    make('p', {}, make('button', { type: 'button', id: 'pin', 'aria-pressed': String(Boolean(pin)), onclick: () => togglePin(neuron) }, pin ? 'Unpin' : 'Pin'),
      ' ', make('button', { type: 'button', onclick: () => { set({ tab: 'graph' }); centre(neuron); } }, 'Show in the graph')),
  ];
  if (pin) content.push(pinFields(pin));
  content.push(...neighbourLists(neuron));
  for (const each of TOPICS) content.push(make('h3', {}, TOPICS.length > 1 ? `Strongest contexts in ${each.name}` : 'Strongest contexts'), contextsPlace(each, neuron));
  return content;
}

function neighbourLists(neuron) {
  const around = neighbours(neuron);
  const parts = [];
  for (const [sign, title] of [[1, isChange() ? 'More positive in B' : 'Positive edges'], [-1, isChange() ? 'More negative in B' : 'Negative edges']]) {
    const some = around.filter(({ rho }) => rho * sign > 0);
    const list = make('ul', { class: 'plain' }, ...some.slice(0, MOST_NEIGHBOURS).map((item) => make('li', {}, signText(item.rho), ' ', neuronButton(item.neuron), ' ', whyButton(neuron, item.neuron))));
    if (some.length > MOST_NEIGHBOURS) list.append(make('li', { class: 'hint' }, `and ${whole(some.length - MOST_NEIGHBOURS)} weaker`));
    parts.push(make('h3', {}, `${title} (${whole(some.length)})`), some.length ? list : make('p', { class: 'hint' }, 'none'));
  }
  return parts;
}

const edgeName = (i, j) => `${Math.min(i, j)}-${Math.max(i, j)}`;
const whyButton = (i, j) => button('why?', () => set({ edge: edgeName(i, j), neuron: null, community: null }), { 'aria-label': `Why the edge of ${data.labels[i]} and ${data.labels[j]} is there` });

function centre(neuron) {
  const { width, height } = graph.canvas.getBoundingClientRect();
  const base = fitted();
  const by = Math.max(2.5, currentView().sx / base.sx);
  graph.view = { sx: base.sx * by, sy: base.sy * by, x: width / 2 - graph.places[2 * neuron] * base.sx * by, y: height / 2 - graph.places[2 * neuron + 1] * base.sy * by };
  set({ zoom: [Math.round(graph.view.x), Math.round(graph.view.y), Number(by.toFixed(4))] });
}

// -- pins -------------------------------------------------------------------------------------------

function togglePin(neuron) {
  const pins = state.pins.some((item) => item.neuron === neuron) ? state.pins.filter((item) => item.neuron !== neuron) : [...state.pins, { neuron, note: '', group: '' }];
  set({ pins });
  $('pin')?.focus();
}

function pinFields(pin) {
  const field = (name, title, tag) => make('label', {}, title, make(tag, { value: pin[name], maxLength: 400, oninput: (event) => {
    set({ pins: state.pins.map((item) => (item.neuron === pin.neuron ? { ...item, [name]: event.target.value } : item)) }, { silent: true });
    listPins();
  } }));
  return make('div', {}, field('group', 'Group', 'input'), field('note', 'Note', 'textarea'));
}

function listPins() {
  $('pins').hidden = !state.pins.length;
  const groups = new Map();
  for (const pin of state.pins) groups.set(pin.group, [...(groups.get(pin.group) ?? []), pin]);
  const items = [];
  for (const [group, pins] of [...groups].sort()) {
    if (group) items.push(make('li', {}, make('strong', {}, group), ` ${withinGroup(pins.map(({ neuron }) => neuron))}`));
    for (const { neuron, note } of pins) items.push(make('li', {}, neuronButton(neuron), note ? ` ${note}` : ''));
  }
  $('pinned').replaceChildren(...items);
}

function withinGroup(neurons) {
  const { point, links } = shown();
  const inside = new Set(neurons);
  let [count, sum] = [0, 0];
  for (const neuron of neurons) for (let i = links.start[neuron]; i < links.start[neuron + 1]; i++) {
    const place = links.links[i];
    if (point.rows[place] === neuron && inside.has(point.cols[place])) { count++; sum += point.rho[place]; }
  }
  return `${plural(neurons.length, 'neuron')}, ${plural(count, 'edge')} inside${count ? `, together ${signed(sum, 2)}` : ''}`;
}

// -- an edge ----------------------------------------------------------------------------------------

function findEdge(topic, i, j) {
  if (!topic.placeOf) {
    topic.placeOf = new Map();
    for (let e = 0; e < topic.rows.length; e++) topic.placeOf.set(topic.rows[e] * P + topic.cols[e], e);
  }
  return topic.placeOf.get(Math.min(i, j) * P + Math.max(i, j)) ?? null;
}

function edgeCard(i, j) {
  const content = [make('h2', {}, 'Edge'), make('p', {}, neuronButton(i), ' — ', neuronButton(j))];
  for (const topic of TOPICS) {
    if (TOPICS.length > 1) content.push(make('h3', {}, `In ${topic.name}`));
    content.push(...edgeIn(topic, i, j));
  }
  if (manifest.change) content.push(...changeOf(i, j));
  for (const topic of TOPICS) {
    content.push(make('h3', {}, `Contexts${TOPICS.length > 1 ? ` in ${topic.name}` : ''}`), make('p', { class: 'hint' }, shared(topic, i, j)));
    for (const neuron of [i, j]) content.push(make('p', {}, make('strong', {}, data.labels[neuron])), contextsPlace(topic, neuron, 4));
  }
  return content;
}

function edgeIn(topic, i, j) {
  const edge = findEdge(topic, i, j);
  if (edge === null) return [make('p', {}, 'No edge at any α of the path.')];
  const test = testOf(topic, edge);
  const marginal = unscaled(topic.marginal[edge]);
  const k = alphaIndex(topic);
  const here = pointOf(topic, k);
  const place = here.edge.indexOf(edge);
  const rows = [
    ['plain correlation', signText(marginal)],
    [`partial correlation at α = ${topic.alphas[k].toPrecision(3)}`, place < 0 ? 'no edge there' : signText(here.rho[place])],
    test && ['without the penalty’s bias', make('span', { class: 'number' }, `${signed(test.debiased)} ± ${Number.isNaN(test.error) ? '–' : test.error.toFixed(3)}`)],
    test && ['q, over all pairs', Number.isNaN(test.q) ? '–' : small(test.q)],
    test && !Number.isNaN(test.frequency) && ['in half-samples, with its sign', `${Math.round(100 * test.frequency)} %`],
    ['enters the path at α', entryOf(topic, edge).toPrecision(3)],
  ];
  return [definitions(rows), make('p', {}, why(marginal, test, topic))];
}

function why(marginal, test, topic) {
  if (!test) return 'At the selected α this is no edge, so it was not tested: it is shown because a smaller penalty lets it in.';
  const kept = test.kept ? 'It passes the tests and is drawn.' : 'It does not pass the tests and is not drawn unless you ask for it.';
  if (Math.sign(marginal) !== Math.sign(test.debiased)) return `Alone the two go ${marginal > 0 ? 'together' : 'against each other'}; once all other neurons are known it is the other way round. ${kept}`;
  const share = Math.abs(test.debiased / marginal);
  const rest = share >= 0.9 ? 'hardly any of their correlation comes by way of the other neurons' : `the other neurons account for about ${Math.round(100 * (1 - share))} % of their correlation`;
  return `Given all other neurons ${signed(test.debiased, 2)} of ${signed(marginal, 2)} is left: ${rest}. ${kept}`;
}

function changeOf(i, j) {
  const [first, second] = [Math.min(i, j), Math.max(i, j)];
  const [rows, cols] = [data['change.rows'], data['change.cols']];
  const at = rows.findIndex((row, d) => row === first && cols[d] === second);
  if (at < 0) return [make('h3', {}, 'Between the topics'), make('p', {}, 'This pair does not differ beyond its error.')];
  const value = (letter) => `${signed(unscaled(data[`change.rho.${letter}`][at]))} ± ${unscaled(data[`change.error.${letter}`][at]).toFixed(3)}`;
  return [make('h3', {}, `Between the topics: ${manifest.change.kinds[data['change.classes'][at]]}`), definitions([
    [TOPICS[0].name, value('a')], [TOPICS[1].name, value('b')], ['q of the difference', small(qOf(at))],
  ])];
}

function shared(topic, i, j) {
  const peaks = (neuron) => {
    const width = topic.peaks.length / P;
    return new Set([...topic.peaks.subarray(neuron * width, (neuron + 1) * width)].filter((word) => word >= 0).map((word) => topic.vocabulary[word].trim().toLowerCase()));
  };
  const [first, second] = [peaks(i), peaks(j)];
  const both = [...first].filter((word) => second.has(word) && word);
  return both.length ? `Both are strongest at: ${both.slice(0, 6).map((word) => `“${word}”`).join(' ')}` : 'No token is among the strongest of both.';
}

// -- a community ------------------------------------------------------------------------------------

function communityCard(community) {
  const topic = activeTopic();
  const { order, strength } = shown();
  const members = [...order].filter((neuron) => topic.communities[neuron] === community);
  const { net, count, size } = communityMatrix();
  const others = Array.from({ length: size }, (_, other) => other).filter((other) => other !== community && count[community * size + other])
    .sort((a, b) => Math.abs(net[community * size + b]) - Math.abs(net[community * size + a])).slice(0, 6);
  const words = topic.tokens[community] ?? [];
  return [
    make('h2', {}, nameOf(community)),
    make('p', {}, words.length ? `A guess at its name: ${words.map(([word]) => `“${word}”`).join(' ')}` : 'No token sets its neurons apart.'),
    words.length ? make('p', { class: 'hint' }, `Tokens at the peaks of its neurons’ contexts more often than of all others’ (z of the log ratio: ${words.map(([, z]) => z.toFixed(1)).join(', ')}).`) : null,
    definitions([['neurons', whole(members.length)], ['edges inside', whole(count[community * size + community] || 0)], ['together', signed(net[community * size + community] || 0, 2)]]),
    make('h3', {}, 'Strongest members'),
    make('ul', { class: 'plain' }, ...members.slice(0, 15).map((neuron) => make('li', {}, neuronButton(neuron), ` strength ${strength[neuron].toFixed(2)} ${peakWords(topic, neuron)}`))),
    make('h3', {}, 'Links to other communities'),
    others.length ? make('ul', { class: 'plain' }, ...others.map((other) => make('li', {}, signText(net[community * size + other]), ' ', communityButton(topic, other), ` ${plural(count[community * size + other], 'edge')}`))) : make('p', { class: 'hint' }, 'none'),
  ].filter(Boolean);
}

function peakWords(topic, neuron, most = 3) {
  const width = topic.peaks.length / P;
  const words = [...new Set([...topic.peaks.subarray(neuron * width, (neuron + 1) * width)].filter((word) => word >= 0).map((word) => topic.vocabulary[word].trim()))];
  return words.slice(0, most).map((word) => `“${word}”`).join(' ');
}
