// The overview: a matrix of communities against communities with the partial correlation between them, and a list in
// words.

import { data } from './data.js';
import {
  byId,
  colourOf,
  communityButton,
  createElement,
  formatSigned,
  nameOf,
  nameWords,
  neuronButton,
  plural,
  sharpContext,
  styleValue,
} from './draw.js';
import { activeCorpus, NOTHING_CHOSEN, shown, update } from './state.js';

const MOST_COMMUNITIES = 24;
const MOST_NEURONS = 3; // listed for each community
const MARGIN = 40; // pixels, for the names

// What is painted: the sums, `side` communities, `step` pixels a cell, and the words while no cell is pointed at.
const matrix = { sums: null, side: 0, step: 0, words: '' };

// Over the edges shown, of every two communities: the sum of partial correlations and the number of edges.
export function communitySums() {
  const { communities, size } = activeCorpus();
  const { point, places } = shown();
  const net = new Float32Array(size * size);
  const count = new Uint32Array(size * size);
  for (const place of places) {
    const [a, b] = [communities[point.rows[place]], communities[point.cols[place]]];
    if (a < 0 || b < 0) continue;
    for (const cell of new Set([a * size + b, b * size + a])) {
      net[cell] += point.rho[place];
      count[cell]++;
    }
  }
  return {
    size,
    net: (a, b) => net[a * size + b] ?? 0,
    count: (a, b) => count[a * size + b] ?? 0,
  };
}

export function paintMatrix() {
  const canvas = byId('matrix');
  if (canvas.closest('[hidden]')) return;
  const corpus = activeCorpus();
  const sums = communitySums();
  const side = Math.min(sums.size, MOST_COMMUNITIES);
  const members = new Uint32Array(sums.size);
  for (const community of corpus.communities) if (community >= 0) members[community]++;
  const value = (a, b) => sums.net(a, b) / Math.sqrt(members[a] * members[b]); // the strength per neuron
  canvas.style.setProperty('aspect-ratio', '1');
  const { context, width } = sharpContext(canvas);
  context.fillStyle = styleValue('--paper');
  context.fillRect(0, 0, width, width);
  Object.assign(matrix, { sums, side, step: (width - MARGIN - 4) / Math.max(1, side) });
  paintNames(context);
  paintCells(context, value);
  const few = plural(side, 'community').replace('communitys', 'communities');
  canvas.setAttribute('aria-label', `Matrix of ${few}; the list below says the same in words.`);
  const more = sums.size > side ? ` The ${side} largest of ${sums.size} are shown.` : '';
  const colours = 'blue positive, red and − negative';
  matrix.words = `Colour: partial correlation per neuron between two communities, ${colours}.${more}`;
  byId('matrix-words').textContent = matrix.words;
  listCommunities(corpus, members, value);
}

const cellStart = (community) => MARGIN + community * matrix.step;

function paintNames(context) {
  const { side, step } = matrix;
  context.font = '11px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let a = 0; a < side; a++) {
    const start = cellStart(a);
    context.fillStyle = colourOf(a);
    context.fillRect(MARGIN - 7, start, 5, step - 1);
    context.fillRect(start, MARGIN - 7, step - 1, 5);
    context.fillStyle = styleValue('--ink');
    context.fillText(nameOf(a), MARGIN / 2 - 4, start + step / 2);
    if (step > 20 || a % 2 === 0) context.fillText(nameOf(a), start + step / 2, MARGIN / 2);
  }
}

// Negative cells also have a minus, so that the sign is not in the colour alone.
function paintCells(context, value) {
  const { sums, side, step } = matrix;
  let largest = 1e-9;
  for (let a = 0; a < side; a++) for (let b = 0; b < side; b++) largest = Math.max(largest, Math.abs(value(a, b)));
  for (let a = 0; a < side; a++) {
    for (let b = 0; b < side; b++) {
      const share = Math.abs(value(a, b)) / largest;
      context.fillStyle = styleValue(value(a, b) >= 0 ? '--plus' : '--minus');
      context.globalAlpha = sums.count(a, b) ? 0.08 + 0.92 * Math.sqrt(share) : 0.02;
      context.fillRect(cellStart(b), cellStart(a), step - 1, step - 1);
      context.globalAlpha = 1;
      if (value(a, b) < 0 && step > 14) {
        context.fillStyle = styleValue(share > 0.3 ? '--paper' : '--ink');
        context.fillText('−', cellStart(b) + step / 2, cellStart(a) + step / 2);
      }
    }
  }
}

function listCommunities(corpus, members, value) {
  const { sums, side } = matrix;
  const communities = Array.from({ length: side }, (_, a) => a);
  const items = communities.map((a) => {
    const others = communities.filter((b) => b !== a && sums.count(a, b));
    others.sort((b, c) => Math.abs(value(a, c)) - Math.abs(value(a, b)) || b - c);
    const [best] = others;
    const sign = value(a, best) > 0 ? 'positive' : 'negative';
    const most = best === undefined ? '' : `, most with ${nameOf(best)} (${sign})`;
    const words = ` ${plural(members[a], 'neuron')}${most}`;
    return createElement('li', {}, communityButton(corpus, a), words, strongestOf(corpus, a));
  });
  const none = createElement('li', {}, 'No edge is there, so no community.');
  byId('communities').replaceChildren(...(items.length ? items : [none]));
}

// The strongest neurons of a community, those with a name first.
function strongestOf(corpus, community) {
  const members = [...shown().order].filter((neuron) => corpus.communities[neuron] === community);
  const named = members.filter((neuron) => data.names[neuron]);
  const chosen = [...new Set([...named, ...members])].slice(0, MOST_NEURONS);
  return createElement('div', { class: 'choices' }, ...chosen.flatMap((neuron) => [neuronButton(neuron), ' ']));
}

// -- pointer and keys ---------------------------------------------------------------------------------

function cellAt(x, y) {
  const [a, b] = [y, x].map((pixel) => Math.floor((pixel - MARGIN) / matrix.step));
  return a >= 0 && b >= 0 && a < matrix.side && b < matrix.side ? [a, b] : null;
}

function cellWords([a, b]) {
  const [first, second] = [a, b].map((community) =>
    `${nameOf(community)} ${nameWords(activeCorpus(), community).join(', ')}`.trim(),
  );
  const { count, net } = matrix.sums;
  return `${first} and ${second}: ${plural(count(a, b), 'edge')}, together ${formatSigned(net(a, b), 2)}`;
}

export function setUpMatrix() {
  const canvas = byId('matrix');
  let cell = null;
  const pointAt = (next) => {
    cell = next;
    byId('matrix-words').textContent = cell ? cellWords(cell) : matrix.words;
  };
  const open = () => {
    if (cell) update({ ...NOTHING_CHOSEN, community: cell[0] });
  };
  canvas.addEventListener('pointermove', (event) => pointAt(cellAt(event.offsetX, event.offsetY)));
  canvas.addEventListener('pointerleave', () => pointAt(null));
  canvas.addEventListener('click', open);
  canvas.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const inside = (value) => Math.max(0, Math.min(matrix.side - 1, value));
    if (move && matrix.side) pointAt(cell ? [inside(cell[0] + move[0]), inside(cell[1] + move[1])] : [0, 0]);
    else if (event.key === 'Enter' && cell) open();
    else return;
    event.preventDefault();
  });
}
