// Colours, numbers as text, and small pieces of the page. Texts of neurons and tokens are untrusted: they go in by
// textContent alone.

import { data, manifest } from './data.js';
import { edgeName, NOTHING_CHOSEN, update } from './state.js';

export const byId = (id) => document.getElementById(id);

// -- colours ------------------------------------------------------------------------------------------

export const COLOURS = manifest.colours;
const darkScheme = matchMedia('(prefers-color-scheme: dark)');

// The value of a property of the style, such as --paper.
export const styleValue = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Give the colours of the signs to the style.
export function setUpColours() {
  for (const sign of ['positive', 'negative']) document.documentElement.style.setProperty(`--${sign}`, COLOURS[sign]);
}

export const onSchemeChange = (act) => darkScheme.addEventListener('change', act);

// Communities of one colour have one number: those beyond the list have two greys in turn.
export const colourGroup = (community) => {
  const { communities, other } = COLOURS;
  return Math.min(community, communities.length + ((community - communities.length) % other.length));
};

// The colour of a community on the screen.
export function colourOf(community) {
  if (community < 0) return styleValue('--paper');
  return paletteColour(community, darkScheme.matches ? COLOURS.communities_on_dark : COLOURS.communities);
}

// The colour of a community on white paper.
export function paperColourOf(community) {
  return community < 0 ? COLOURS.no_community : paletteColour(community, COLOURS.communities);
}

function paletteColour(community, palette) {
  return community < palette.length ? palette[community] : COLOURS.other[community % COLOURS.other.length];
}

// -- numbers and names as text ------------------------------------------------------------------------

export const formatCount = (number) => Math.round(number).toLocaleString('en-US');

export function formatSigned(value, digits = 3) {
  if (Number.isNaN(value)) return '–';
  const sign = value > 0 ? '+' : value < 0 ? '−' : '';
  return `${sign}${Math.abs(value).toFixed(digits)}`;
}

export function formatQ(value) {
  if (value < 1e-300) return '< 1e−300';
  return value < 1e-3 ? value.toExponential(0).replace('e-', 'e−') : value.toFixed(3);
}

// A value with as many digits as its error allows: two of the error. Without one, three digits, or all of a count.
export function formatEstimate(value, error = NaN, signed = false) {
  if (Number.isNaN(value)) return '–';
  if (error > 1e-6 * Math.abs(value)) {
    const digits = Math.min(9, Math.max(0, 1 - Math.floor(Math.log10(error) + 1e-6)));
    const text = signed ? formatSigned(value, digits) : value.toFixed(digits).replace('-', '−');
    return `${text} ± ${error.toFixed(digits)}`;
  }
  if (Number.isInteger(value)) return formatCount(value);
  const text = Number(value.toPrecision(3)).toString().replaceAll('-', '−');
  return signed && value > 0 ? `+${text}` : text;
}

// “value ± error” in a cell of a table: the error goes to a line of its own where there is little room.
export function errorBelow(text, tag = 'span') {
  const [value, error] = text.split(' ± ');
  if (error === undefined) return createElement(tag, { class: 'number' }, text);
  const below = createElement('span', { class: 'error' }, `± ${error}`);
  return createElement(tag, { class: 'number' }, `${value} `, below);
}

export const formatError = (value) => (Number.isNaN(value) ? '–' : value.toFixed(3));
export const formatPercent = (share) => `${Math.round(100 * share)} %`;
export const plural = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
export const quoted = (words) => words.map((word) => `“${word}”`).join(' ');
export const nameOf = (community) => (community < 0 ? 'no community' : `C${community + 1}`);
export const nameWords = (corpus, community) => corpus.names[community]?.words ?? [];

// The label of a neuron with its name, for a label on a canvas.
export const titleOf = (neuron) =>
  data.names[neuron] ? `${data.labels[neuron]} ${data.names[neuron]}` : data.labels[neuron];

// -- elements -----------------------------------------------------------------------------------------

// An element with properties, attributes, event listeners (`onclick`) and children; null among the children is left
// out.
export function createElement(tag, properties = {}, ...children) {
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

export function createSvg(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const hint = (text) => createElement('p', { class: 'hint' }, text);

export function createButton(properties, ...children) {
  return createElement('button', { type: 'button', ...properties }, ...children);
}

export function neuronButton(neuron) {
  const properties = {
    class: 'link',
    title: `${data.ids[neuron]} ${data.names[neuron]}`.trim(),
    'data-neuron': neuron,
  };
  const name = data.names[neuron] ? createElement('span', { class: 'name' }, ` ${data.names[neuron]}`) : null;
  const button = createButton({ ...properties, onclick: () => update({ neuron }) }, data.labels[neuron]);
  if (name) button.append(name);
  return button;
}

export function communityButton(corpus, community) {
  if (community < 0) return document.createTextNode('no community');
  const dot = createElement('span', { class: 'dot', 'aria-hidden': 'true' });
  dot.style.setProperty('background', colourOf(community));
  const words = nameWords(corpus, community).join(', ');
  const open = () => update({ ...NOTHING_CHOSEN, community });
  return createButton({ class: 'link', onclick: open }, dot, `${nameOf(community)} ${words}`.trim());
}

export function whyButton(i, j) {
  const open = () => update({ ...NOTHING_CHOSEN, edge: edgeName(i, j) });
  const label = `Why the edge of ${titleOf(i)} and ${titleOf(j)} is there`;
  return createButton({ class: 'link', onclick: open, 'aria-label': label }, 'why?');
}

export function signText(value) {
  return createElement('span', { class: `number ${value > 0 ? 'plus' : 'minus'}` }, formatSigned(value));
}

// A list of names and values; rows that are not there are left out.
export function definitions(rows) {
  const items = rows
    .filter(Boolean)
    .flatMap(([name, value]) => [createElement('dt', {}, name), createElement('dd', {}, value)]);
  return createElement('dl', {}, ...items);
}

// A canvas in the pixels of the screen: its drawing context, its size in CSS pixels, and the screen's scale.
export function sharpContext(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  const pixels = [width, height].map((size) => Math.max(1, Math.round(size * scale)));
  if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) [canvas.width, canvas.height] = pixels;
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height, scale };
}
