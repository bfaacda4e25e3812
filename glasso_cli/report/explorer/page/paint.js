// The painting of the graph. While the view is dragged the last picture is moved; edges are drawn anew when it rests.
// There are three layers. The base has the edges and neurons without any choice, and is drawn when the view or a
// filter changes. Over the dimmed base are the edges of chosen neurons, drawn at a click. Over these are rings, drawn
// when the pointer moves.

import { data, NEURON_COUNT } from './data.js';
import { colourGroup, colourOf, formatCount, plural, sharpContext, styleValue, titleOf } from './draw.js';
import { activeCorpus, linksOf, shown, state } from './state.js';
import { canvasPoint, currentView, graph, radiusOf } from './view.js';

const MOST_DASHED = 5000; // edges: dashes are slow
const MOST_LABELS = 60;
const WIDTHS = 5; // of lines
const FONT = '12px system-ui, sans-serif';

// `base`: the first layer and what it was painted for. `picture`: the first two layers and their view.
const painted = { base: null, picture: null, spare: {}, frames: 0, edges: 0 };

export const paintCounts = () => ({ drawn: painted.edges, frames: painted.frames });

// The places of the edges drawn, from weak to strong in `near` (edges of `chosen` neurons), from strong to weak in
// `rest`.
export function edgesDrawn() {
  const { places } = shown();
  const chosen = new Set(state.pins.map(({ neuron }) => neuron));
  if (state.neuron !== null) chosen.add(state.neuron);
  if (state.edge) for (const end of state.edge.split('-')) chosen.add(Number(end));
  const near = new Set([...chosen].flatMap((neuron) => [...linksOf(neuron)]));
  const rest = places.subarray(0, Math.min(state.budget, places.length));
  return { rest, near: [...near].sort((a, b) => b - a), chosen };
}

export function paint() {
  if (!graph.canvas || graph.canvas.closest('[hidden]')) return;
  const surface = { ...sharpContext(graph.canvas), view: currentView() };
  const { rest, near, chosen } = edgesDrawn();
  paintBase(surface, rest);
  paintChosen(surface, near, chosen);
  painted.edges = rest.length + near.length;
  painted.picture = { image: copyCanvas('picture'), view: surface.view };
  painted.frames++;
  paintRings();
  describe(rest, near);
}

function describe(rest, near) {
  const strongest = `${plural(rest.length, 'strongest edge')} of ${formatCount(shown().places.length)} drawn`;
  const also = state.neuron === null ? '' : `, and the ${formatCount(near.length)} of ${data.labels[state.neuron]}`;
  graph.canvas.setAttribute('aria-label', `Graph of ${plural(NEURON_COUNT, 'neuron')}: ${strongest}${also}.`);
}

function paintBase(surface, rest) {
  const { view } = surface;
  const size = [graph.canvas.width, graph.canvas.height];
  const settings = [state.budget, state.arrangement, styleValue('--paper')];
  const key = [view.x, view.y, view.sx, view.sy, ...size, ...settings].join();
  if (painted.base?.key === key && painted.base.shown === shown()) return;
  clear(surface);
  strokeEdges(surface, rest, 0.75);
  drawNeurons(
    surface,
    Array.from({ length: NEURON_COUNT }, (_, i) => i),
  );
  painted.base = { image: copyCanvas('base'), key, shown: shown() };
}

function paintChosen(surface, near, chosen) {
  const { context, width, height } = surface;
  const { point } = shown();
  clear(surface);
  context.globalAlpha = chosen.size ? 0.28 : 1;
  context.drawImage(painted.base.image, 0, 0, width, height);
  context.globalAlpha = 1;
  if (chosen.size) {
    strokeEdges(surface, near, 1);
    drawNeurons(surface, new Set([...chosen, ...near.flatMap((place) => [point.rows[place], point.cols[place]])]));
  }
  drawLabels(surface, near, chosen);
}

function clear({ context, width, height }) {
  context.fillStyle = styleValue('--paper');
  context.fillRect(0, 0, width, height);
}

// A copy of the canvas as it is, in the spare canvas of that name.
function copyCanvas(name) {
  painted.spare[name] ??= document.createElement('canvas');
  const copy = painted.spare[name];
  const { width, height } = graph.canvas;
  if (copy.width !== width || copy.height !== height) [copy.width, copy.height] = [width, height];
  copy.getContext('2d').drawImage(graph.canvas, 0, 0);
  return copy;
}

// Edges as lines, one path for each sign and width; strong edges are wider, and negative ones dashed.
function strokeEdges({ context, view }, places, opacity) {
  if (!places.length) return;
  const { point } = shown();
  const largest = Math.abs(point.rho[shown().places[0]]) || 1;
  const paths = { plus: new Map(), minus: new Map() };
  for (let i = places.length - 1; i >= 0; i--) {
    const place = places[i];
    const rho = point.rho[place];
    const step = Math.min(WIDTHS - 1, Math.floor((Math.abs(rho) / largest) * WIDTHS));
    const path = pathIn(rho > 0 ? paths.plus : paths.minus, step);
    path.moveTo(...canvasPoint(point.rows[place], view));
    path.lineTo(...canvasPoint(point.cols[place], view));
  }
  context.lineCap = 'butt';
  for (let step = 0; step < WIDTHS; step++) {
    for (const sign of ['plus', 'minus']) {
      const path = paths[sign].get(step);
      if (!path) continue;
      context.globalAlpha = opacity * (0.45 + 0.55 * ((step + 1) / WIDTHS));
      context.strokeStyle = styleValue(`--${sign}`);
      context.lineWidth = 0.6 + 2.6 * ((step + 0.5) / WIDTHS);
      context.setLineDash(sign === 'minus' && places.length <= MOST_DASHED ? [5, 3] : []);
      context.stroke(path);
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function pathIn(paths, key) {
  if (!paths.has(key)) paths.set(key, new Path2D());
  return paths.get(key);
}

// Neurons as discs, one path for each colour; the smallest are squares, which are faster.
function drawNeurons({ context, view, width, height }, neurons) {
  const { communities } = activeCorpus();
  const paths = new Map();
  for (const neuron of neurons) {
    const [x, y] = canvasPoint(neuron, view);
    if (x < -12 || y < -12 || x > width + 12 || y > height + 12) continue;
    const path = pathIn(paths, colourGroup(communities[neuron]));
    const radius = radiusOf(neuron, view);
    if (radius < 2) {
      path.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    } else {
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 2 * Math.PI);
    }
  }
  context.lineWidth = 0.7;
  context.strokeStyle = styleValue('--line');
  for (const [community, path] of paths) {
    context.fillStyle = colourOf(community);
    context.fill(path);
    context.stroke(path);
  }
}

// The labels of chosen neurons and their neighbours, or of the strongest neurons, where they do not overlap.
function drawLabels({ context, view, width, height }, near, chosen) {
  const { order, point } = shown();
  const ends = near
    .slice()
    .reverse()
    .flatMap((place) => [point.rows[place], point.cols[place]]);
  const strongest = chosen.size ? [] : order.subarray(0, 400);
  const boxes = [];
  context.font = FONT;
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  for (const neuron of new Set([...chosen, ...ends, ...strongest])) {
    const [x, y] = canvasPoint(neuron, view);
    if (x < 0 || y < 0 || x > width - 30 || y > height) continue;
    const left = x + radiusOf(neuron, view) + 3;
    const right = left + context.measureText(titleOf(neuron)).width * 1.1;
    const overlaps = (box) => left < box.right && right > box.left && Math.abs(y - box.y) < 14;
    if (!chosen.has(neuron) && boxes.some(overlaps)) continue;
    boxes.push({ left, right, y });
    drawLabel(context, titleOf(neuron), left, y, chosen.has(neuron));
    if (boxes.length >= MOST_LABELS) break;
  }
}

function drawLabel(context, text, x, y, bold) {
  context.font = bold ? `bold ${FONT}` : FONT;
  context.lineWidth = 3;
  context.strokeStyle = styleValue('--paper');
  context.strokeText(text, x, y);
  context.fillStyle = styleValue('--ink');
  context.fillText(text, x, y);
}

// The last picture, moved to where the view is now: what a drag shows.
export function paintMoved() {
  if (!painted.picture) return;
  const surface = sharpContext(graph.canvas);
  const { image, view } = painted.picture;
  const now = currentView();
  const factor = now.sx / view.sx;
  const [width, height] = [image.width, image.height].map((size) => (size / surface.scale) * factor);
  clear(surface);
  surface.context.drawImage(image, now.x - view.x * factor, now.y - view.y * factor, width, height);
  painted.frames++;
}

// The last picture with other rings.
export function paintOver() {
  paintMoved();
  paintRings();
}

// Rings around the chosen neuron, the neuron under the pointer and the pinned ones.
function paintRings() {
  if (!painted.picture) return;
  const { context } = sharpContext(graph.canvas);
  const view = currentView();
  const rings = [
    [state.neuron, '--mark'],
    [graph.hover, '--focus'],
    ...state.pins.map(({ neuron }) => [neuron, '--ink']),
  ];
  for (const [neuron, colour] of rings) {
    if (neuron === null) continue;
    const [x, y] = canvasPoint(neuron, view);
    context.beginPath();
    context.arc(x, y, radiusOf(neuron, view) + 3.5, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = styleValue(colour);
    context.stroke();
  }
  if (graph.hover !== null) {
    const [x, y] = canvasPoint(graph.hover, view);
    drawLabel(context, titleOf(graph.hover), x + 10, y - 12, true);
  }
}

// The canvas as a PNG.
export function canvasPng() {
  paint();
  return new Promise((resolve) => {
    graph.canvas.toBlob(resolve, 'image/png');
  });
}
