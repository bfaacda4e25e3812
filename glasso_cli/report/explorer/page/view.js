// Where neurons are on the canvas of the graph: their arrangement, and the part of it in view. The neuron under the
// pointer comes from a grid of cells, so that no step passes over all neurons.

import { CORPORA, data, layoutOf, NEURON_COUNT } from './data.js';
import { shown, state } from './state.js';

const CELLS = 64; // of the grid, along each side
const REACH = 12; // pixels around the pointer

// `view`: where the arrangement's corner is on the canvas (x, y) and its size there (sx, sy), in pixels; null is all
// of it. `x` and `y` of every neuron are between 0 and 1, with y downwards. What is painted is in paint.js.
export const graph = {
  canvas: null,
  view: null,
  x: new Float32Array(NEURON_COUNT),
  y: new Float32Array(NEURON_COUNT),
  grid: Array.from({ length: CELLS * CELLS }, () => []),
  hover: null,
};

const cellOf = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));

// Place all neurons by community or by layer.
export function arrange() {
  if (state.arrangement === 'layer') arrangeByLayer();
  else arrangeByCommunity();
  for (const cell of graph.grid) cell.length = 0;
  for (let i = 0; i < NEURON_COUNT; i++) graph.grid[cellOf(graph.x[i]) + CELLS * cellOf(graph.y[i])].push(i);
}

function arrangeByCommunity() {
  for (let i = 0; i < NEURON_COUNT; i++) {
    const [x, y] = layoutOf(i);
    graph.x[i] = x;
    graph.y[i] = 1 - y;
  }
}

// A layer is a band of several rows, so that its neurons do not stand on each other. The first layer is at the
// bottom.
function arrangeByLayer() {
  const { communities } = CORPORA[0];
  const group = (neuron) => (communities[neuron] < 0 ? NEURON_COUNT : communities[neuron]); // no community comes last
  const order = Array.from({ length: NEURON_COUNT }, (_, i) => i).sort((i, j) => group(i) - group(j) || i - j);
  const layers = [...new Set(data.layers)].sort((a, b) => a - b);
  layers.forEach((layer, band) => {
    const members = order.filter((neuron) => data.layers[neuron] === layer);
    const rows = Math.max(1, Math.ceil(Math.sqrt(members.length / 12 / layers.length)));
    const columns = Math.ceil(members.length / rows);
    members.forEach((neuron, index) => {
      const inBand = 0.15 + (0.7 * ((index % rows) + 0.5)) / rows;
      graph.x[neuron] = (Math.floor(index / rows) + 0.5) / columns;
      graph.y[neuron] = 1 - (band + inBand) / layers.length;
    });
  });
}

// The view that shows all neurons.
export function fittedView() {
  const { width, height } = graph.canvas.getBoundingClientRect();
  if (state.arrangement === 'layer') return { x: 12, y: 12, sx: width - 24, sy: height - 24 };
  const scale = Math.max(50, Math.min(width, height) - 24);
  return { x: (width - scale) / 2, y: (height - scale) / 2, sx: scale, sy: scale };
}

export function currentView() {
  graph.view ??= state.zoom ? zoomedView(...state.zoom) : fittedView();
  return graph.view;
}

export function zoomedView(x, y, factor) {
  const { sx, sy } = fittedView();
  return { x, y, sx: sx * factor, sy: sy * factor };
}

// The view as it is kept in the state: x, y, and the size over that of the fitted view.
export function zoomOf(view) {
  return [Math.round(view.x), Math.round(view.y), Number((view.sx / fittedView().sx).toFixed(4))];
}

// The place of a neuron on the canvas, in pixels.
export function canvasPoint(neuron, view = currentView()) {
  return [view.x + graph.x[neuron] * view.sx, view.y + graph.y[neuron] * view.sy];
}

// The radius of a neuron on the canvas, in pixels: larger for a stronger neuron.
export function radiusOf(neuron, view) {
  const zoom = Math.sqrt(view.sx / 700);
  const crowding = Math.min(1, Math.sqrt(3000 / NEURON_COUNT) + 0.25);
  const radius = (1.1 + 1.6 * Math.sqrt(shown().strength[neuron])) * zoom * crowding;
  return Math.max(1.1, Math.min(11, radius));
}

// The neuron within reach that is nearest to a place on the canvas; null if there is none.
export function neuronAt(x, y) {
  const view = currentView();
  const [left, right] = [x - REACH, x + REACH].map((edge) => cellOf((edge - view.x) / view.sx));
  const [top, bottom] = [y - REACH, y + REACH].map((edge) => cellOf((edge - view.y) / view.sy));
  let best = null;
  let nearest = REACH;
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      for (const neuron of graph.grid[column + CELLS * row]) {
        const [neuronX, neuronY] = canvasPoint(neuron, view);
        const distance = Math.hypot(neuronX - x, neuronY - y);
        if (distance < nearest) {
          nearest = distance;
          best = neuron;
        }
      }
    }
  }
  return best;
}
