// Colours, names and small pieces of the page. Texts of neurons and tokens are untrusted: they go in by textContent alone.

const COMMUNITY = ['#E69F00', '#009E73', '#F0E442', '#CC79A7', '#000000']; // Okabe and Ito without what reads as a sign
const OTHER = ['#8C8C8C', '#BDBDBD'];

const $ = (id) => document.getElementById(id);
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const whole = (number) => Math.round(number).toLocaleString('en-US');
const signed = (value, digits = 3) => (Number.isNaN(value) ? '–' : `${value > 0 ? '+' : '−'}${Math.abs(value).toFixed(digits)}`);
const small = (value) => (value < 1e-300 ? '< 1e−300' : value < 1e-3 ? value.toExponential(0).replace('e-', 'e−') : value.toFixed(3));
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;

function colourOf(community) {
  if (community < 0) return token('--paper');
  if (community === 4 && matchMedia('(prefers-color-scheme: dark)').matches) return '#ffffff';
  return community < COMMUNITY.length ? COMMUNITY[community] : OTHER[community % 2];
}

const nameOf = (community) => (community < 0 ? 'no community' : `C${community + 1}`);

function wordsOf(topic, community) {
  const words = topic.tokens[community] ?? [];
  return words.slice(0, 3).map(([word]) => `“${word}”`).join(' ');
}

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes('-')) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const button = (text, act, properties = {}) => make('button', { type: 'button', class: 'link', onclick: act, ...properties }, text);
const neuronButton = (neuron) => button(data.labels[neuron], () => set({ neuron }), { title: data.ids[neuron], 'data-neuron': neuron });

function communityButton(topic, community) {
  if (community < 0) return document.createTextNode('no community');
  const words = wordsOf(topic, community);
  const dot = make('span', { class: 'dot', 'aria-hidden': 'true' });
  dot.style.setProperty('background', colourOf(community));
  return make('button', { type: 'button', class: 'link', onclick: () => set({ community, neuron: null, edge: null }) }, dot, `${nameOf(community)} ${words}`);
}

function signText(value) {
  return make('span', { class: `number ${value > 0 ? 'plus' : 'minus'}` }, signed(value));
}

function definitions(rows) {
  return make('dl', {}, ...rows.filter(Boolean).flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

// A context: its tokens in one line, the one it is about marked, shaded by their values.
function contextLine({ document: place, peak, tokens, values }, strongest) {
  const line = make('p', { class: 'context' });
  tokens.forEach((text, index) => {
    const piece = make(index === peak ? 'mark' : 'span', {}, text);
    const share = values[index] > 0 ? Math.min(1, values[index] / strongest) : 0;
    if (share > 0.02) piece.style.setProperty('background-color', `rgba(${token('--shade')}, ${(0.1 + Number(token('--most')) * share).toFixed(2)})`);
    line.append(piece);
  });
  line.append(make('span', { class: 'document' }, `  ${values[peak]} · document ${place}`));
  return line;
}

// A canvas as large as its box, in the pixels of the screen.
function sharp(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height, scale };
}
