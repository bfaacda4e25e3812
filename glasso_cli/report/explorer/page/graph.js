// The graph under pointer and keys: drag, zoom, choose, and step from neighbour to neighbour. Nothing moves by
// itself.

import { byId, nameOf, plural, titleOf } from './draw.js';
import { paint, paintMoved, paintOver } from './paint.js';
import { activeCorpus, NOTHING_CHOSEN, neighbours, shown, state, trail, update } from './state.js';
import { arrange, currentView, fittedView, graph, neuronAt, zoomedView, zoomOf } from './view.js';

const KEY_STEP = 60; // pixels
const KEY_ZOOM = 1.3;
let restTimer = 0;
let stepping = null; // {from, place, at}: the neuron whose neighbours are visited, how many in, and the last one

export function setUpGraph() {
  graph.canvas = byId('graph');
  arrange();
  listenToPointers(graph.canvas);
  graph.canvas.addEventListener('keydown', handleKey);
  const wheel = (event) => {
    event.preventDefault();
    zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * 0.0015));
  };
  graph.canvas.addEventListener('wheel', wheel, { passive: false });
  new ResizeObserver(paint).observe(graph.canvas);
}

// One pointer drags, two zoom; a click opens the neuron under the pointer.
function listenToPointers(canvas) {
  const pointers = new Map(); // the last place of every pointer that is down
  let moved = 0;
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    moved = 0;
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    const now = [event.offsetX, event.offsetY];
    if (!before) {
      hoverAt(...now);
      return;
    }
    if (pointers.size === 2) {
      const [, other] = [...pointers].find(([id]) => id !== event.pointerId);
      const span = ([x, y]) => Math.hypot(x - other[0], y - other[1]) + 1;
      zoomAt(...other, span(now) / span(before));
    } else {
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      panBy(dx, dy);
    }
    pointers.set(event.pointerId, now);
  });
  const end = (event) => {
    const wasDown = pointers.delete(event.pointerId);
    if (!wasDown || event.type !== 'pointerup' || moved >= 5 || pointers.size > 0) return;
    const neuron = neuronAt(event.offsetX, event.offsetY);
    update(neuron === null ? { ...NOTHING_CHOSEN } : { neuron });
  };
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('pointerleave', () => {
    graph.hover = null;
    paintOver();
  });
}

function hoverAt(x, y) {
  const neuron = neuronAt(x, y);
  if (neuron === graph.hover) return;
  graph.hover = neuron;
  graph.canvas.title = neuron === null ? '' : tooltipOf(neuron);
  paintOver();
}

function tooltipOf(neuron) {
  const community = nameOf(activeCorpus().communities[neuron]);
  return `${titleOf(neuron)}, ${community}, ${plural(shown().degree[neuron], 'edge')}`;
}

// -- the view -----------------------------------------------------------------------------------------

function panBy(dx, dy) {
  const view = currentView();
  moveTo({ ...view, x: view.x + dx, y: view.y + dy });
}

function zoomAt(x, y, factor) {
  const view = currentView();
  const fitted = fittedView().sx;
  const zoom = Math.max(0.3, Math.min(200, (view.sx * factor) / fitted));
  const by = (zoom * fitted) / view.sx;
  moveTo({ sx: view.sx * by, sy: view.sy * by, x: x - (x - view.x) * by, y: y - (y - view.y) * by });
}

// Show the last picture there, and draw anew when the view has rested.
function moveTo(view) {
  graph.view = view;
  paintMoved();
  clearTimeout(restTimer);
  restTimer = setTimeout(() => {
    update({ zoom: zoomOf(currentView()) }, { silent: true });
    paint();
  }, 140);
}

export function showAll() {
  graph.view = null;
  update({ zoom: null }, { silent: true });
  paint();
}

// Show a neuron in the middle, and near.
export function centreOn(neuron) {
  update({ tab: 'graph' });
  const { width, height } = graph.canvas.getBoundingClientRect();
  const { sx, sy } = fittedView();
  const factor = Math.max(2.5, currentView().sx / sx);
  graph.view = zoomedView(
    width / 2 - graph.x[neuron] * sx * factor,
    height / 2 - graph.y[neuron] * sy * factor,
    factor,
  );
  update({ zoom: zoomOf(graph.view) });
}

// -- keys ---------------------------------------------------------------------------------------------

function handleKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { width, height } = graph.canvas.getBoundingClientRect();
  const zoom = (factor) => zoomAt(width / 2, height / 2, factor);
  const actions = {
    ArrowLeft: () => panBy(KEY_STEP, 0),
    ArrowRight: () => panBy(-KEY_STEP, 0),
    ArrowUp: () => panBy(0, KEY_STEP),
    ArrowDown: () => panBy(0, -KEY_STEP),
    '+': () => zoom(KEY_ZOOM),
    '=': () => zoom(KEY_ZOOM),
    '-': () => zoom(1 / KEY_ZOOM),
    0: showAll,
    n: () => stepNeighbour(1),
    N: () => stepNeighbour(-1),
    Backspace: goBack,
  };
  if (!(event.key in actions)) return;
  actions[event.key]();
  event.preventDefault();
}

// Open the next (or previous) neighbour of the neuron at which stepping began.
function stepNeighbour(by) {
  if (state.neuron === null) {
    stepping = null;
    update({ neuron: shown().order[0] });
    return;
  }
  if (stepping?.at !== state.neuron) stepping = { from: state.neuron, place: by > 0 ? -1 : 0 };
  const around = neighbours(stepping.from);
  if (!around.length) return;
  stepping.place = (stepping.place + by + around.length) % around.length;
  const { neuron } = around[stepping.place];
  stepping.at = neuron;
  update({ neuron });
}

function goBack() {
  if (!trail.length) return;
  const neuron = trail.pop();
  update({ neuron });
  trail.pop(); // the neuron that was left
}
