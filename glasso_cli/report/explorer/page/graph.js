// The graph on a canvas. Nothing moves by itself. While the view is dragged the last picture is moved; edges are drawn anew
// when it rests. What is under the pointer comes from a grid of neurons: no step passes over all edges.

const CELLS = 64;
const MOST_DASHED = 5000;
const graph = { view: null, canvas: null, base: null, picture: null, spare: {}, timer: 0, hover: null, frames: 0, edges: 0 };

function setUpGraph() {
  const canvas = graph.canvas = $('graph');
  graph.grid = Array.from({ length: CELLS * CELLS }, () => []);
  graph.places = new Float32Array(2 * P);
  arrange();
  canvas.addEventListener('wheel', (event) => { event.preventDefault(); zoomAt(event.offsetX, event.offsetY, Math.exp(-event.deltaY * 0.0015)); }, { passive: false });
  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener('pointerdown', (event) => { canvas.setPointerCapture(event.pointerId); pointers.set(event.pointerId, [event.offsetX, event.offsetY]); moved = 0; });
  canvas.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) { hoverAt(event.offsetX, event.offsetY); return; }
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const span = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) + 1;
      zoomAt(other[0], other[1], span([event.offsetX, event.offsetY]) / span(before));
    } else {
      moved += Math.abs(event.offsetX - before[0]) + Math.abs(event.offsetY - before[1]);
      panBy(event.offsetX - before[0], event.offsetY - before[1]);
    }
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  });
  const end = (event) => {
    if (pointers.delete(event.pointerId) && event.type === 'pointerup' && moved < 5 && pointers.size === 0) {
      const neuron = pick(event.offsetX, event.offsetY);
      set(neuron === null ? { neuron: null, edge: null, community: null } : { neuron });
    }
  };
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('pointerleave', () => { graph.hover = null; paintOver(); });
  canvas.addEventListener('keydown', graphKey);
  new ResizeObserver(() => { if (!canvas.closest('[hidden]')) paint(); }).observe(canvas);
}

function arrange() {
  const layered = state.arrangement === 'layer';
  const layers = [...new Set(data.layers)].sort((a, b) => a - b);
  const filled = new Map(layers.map((layer) => [layer, 0]));
  const sizes = new Map(layers.map((layer) => [layer, 0]));
  for (const layer of data.layers) sizes.set(layer, sizes.get(layer) + 1);
  const topic = TOPICS[0];
  const order = Array.from({ length: P }, (_, i) => i).sort((i, j) => (topic.communities[i] + 32768) % 32768 - (topic.communities[j] + 32768) % 32768 || i - j);
  for (const neuron of order) {
    const layer = data.layers[neuron];
    const place = filled.get(layer);
    filled.set(layer, place + 1);
    // a layer is a band of several rows, so that its neurons do not stand on each other
    const rows = Math.max(1, Math.ceil(Math.sqrt(sizes.get(layer) / 12 / layers.length)));
    const [x, y] = layered
      ? [(Math.floor(place / rows) + 0.5) / Math.ceil(sizes.get(layer) / rows), (layers.indexOf(layer) + 0.15 + 0.7 * ((place % rows) + 0.5) / rows) / layers.length]
      : [data.places[2 * neuron] / 65535, data.places[2 * neuron + 1] / 65535];
    graph.places[2 * neuron] = x;
    graph.places[2 * neuron + 1] = 1 - y;
  }
  for (const cell of graph.grid) cell.length = 0;
  for (let i = 0; i < P; i++) graph.grid[cellOf(graph.places[2 * i]) + CELLS * cellOf(graph.places[2 * i + 1])].push(i);
}

const cellOf = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value * CELLS)));

function fitted() {
  const { width, height } = graph.canvas.getBoundingClientRect();
  const scale = Math.max(50, Math.min(width, height) - 24);
  return state.arrangement === 'layer' ? { x: 12, y: 12, sx: width - 24, sy: height - 24 } : { x: (width - scale) / 2, y: (height - scale) / 2, sx: scale, sy: scale };
}

function currentView() {
  if (!graph.view) {
    const base = fitted();
    graph.view = state.zoom ? { sx: base.sx * state.zoom[2], sy: base.sy * state.zoom[2], x: state.zoom[0], y: state.zoom[1] } : base;
  }
  return graph.view;
}

const screen = (neuron, view = currentView()) => [view.x + graph.places[2 * neuron] * view.sx, view.y + graph.places[2 * neuron + 1] * view.sy];

function panBy(dx, dy) {
  const view = currentView();
  graph.view = { ...view, x: view.x + dx, y: view.y + dy };
  moving();
}

function zoomAt(x, y, factor) {
  const view = currentView();
  const by = Math.max(0.3, Math.min(200, (view.sx * factor) / fitted().sx)) * fitted().sx / view.sx;
  graph.view = { sx: view.sx * by, sy: view.sy * by, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
  moving();
}

function moving() {
  paintMoved();
  clearTimeout(graph.timer);
  graph.timer = setTimeout(() => {
    const view = currentView();
    set({ zoom: [Math.round(view.x), Math.round(view.y), Number((view.sx / fitted().sx).toFixed(4))] }, { silent: true });
    paint();
  }, 140);
}

function showAll() {
  graph.view = null;
  set({ zoom: null }, { silent: true });
  paint();
}

// The neuron within 12 pixels that is nearest to a place on the canvas; null if there is none.
function pick(x, y) {
  const view = currentView();
  const reach = 12;
  const [left, right] = [(x - reach - view.x) / view.sx, (x + reach - view.x) / view.sx].map(cellOf);
  const [top, bottom] = [(y - reach - view.y) / view.sy, (y + reach - view.y) / view.sy].map(cellOf);
  let best = null;
  let nearest = reach;
  for (let cy = top; cy <= bottom; cy++) {
    for (let cx = left; cx <= right; cx++) {
      for (const neuron of graph.grid[cx + CELLS * cy]) {
        const [nx, ny] = screen(neuron, view);
        const apart = Math.hypot(nx - x, ny - y);
        if (apart < nearest) { nearest = apart; best = neuron; }
      }
    }
  }
  return best;
}

function hoverAt(x, y) {
  const neuron = pick(x, y);
  if (neuron === graph.hover) return;
  graph.hover = neuron;
  graph.canvas.title = neuron === null ? '' : `${data.labels[neuron]}, ${nameOf(activeTopic().communities[neuron])}, ${plural(shown().degree[neuron], 'edge')}`;
  paintOver();
}

function graphKey(event) {
  const step = 60;
  const { width, height } = graph.canvas.getBoundingClientRect();
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) panBy(...moves[event.key]);
  else if (event.key === '+' || event.key === '=') zoomAt(width / 2, height / 2, 1.3);
  else if (event.key === '-') zoomAt(width / 2, height / 2, 1 / 1.3);
  else if (event.key === '0') showAll();
  else if (event.key === 'n' || event.key === 'N') stepNeighbour(event.key === 'N' ? -1 : 1);
  else if (event.key === 'Backspace') back();
  else return;
  event.preventDefault();
}

// From neighbour to neighbour of the neuron that stepping began at.
function stepNeighbour(by) {
  if (state.neuron === null) { set({ neuron: shown().order[0] }); graph.around = null; return; }
  if (!graph.around || graph.around.at !== state.neuron) graph.around = { of: state.neuron, place: by > 0 ? -1 : 0 };
  const around = neighbours(graph.around.of);
  if (!around.length) return;
  graph.around.place = (graph.around.place + by + around.length) % around.length;
  const { neuron } = around[graph.around.place];
  graph.around.at = neuron;
  set({ neuron });
}

function back() {
  if (!trail.length) return;
  const neuron = trail.pop();
  set({ neuron });
  trail.pop();
}

// -- painting -----------------------------------------------------------------------------------------

// Places of the edges drawn, weak ones first: those of chosen neurons, and the strongest of the others.
function edgesDrawn() {
  const { places, links } = shown();
  const wanted = new Set(state.pins.map(({ neuron }) => neuron));
  if (state.neuron !== null) wanted.add(state.neuron);
  if (state.edge) state.edge.split('-').forEach((end) => wanted.add(Number(end)));
  const near = new Set();
  for (const neuron of wanted) for (let i = links.start[neuron]; i < links.start[neuron + 1]; i++) near.add(links.links[i]);
  return { rest: places.subarray(0, Math.min(state.budget, places.length)), near: [...near].sort((a, b) => b - a), wanted };
}

// Three layers: the edges and neurons without any choice, drawn when the view or a filter changes; over it, dimmed, what is
// chosen; over that the rings. A click draws the second, a pointer that moves the third.
function paint() {
  if (!graph.canvas || graph.canvas.closest('[hidden]')) return;
  const { context, width, height } = sharp(graph.canvas);
  const view = currentView();
  const { rest, near, wanted } = edgesDrawn();
  const key = [view.x, view.y, view.sx, view.sy, graph.canvas.width, graph.canvas.height, state.budget, state.arrangement, token('--paper')].join();
  if (!graph.base || graph.base.key !== key || graph.base.shown !== shown()) {
    context.fillStyle = token('--paper');
    context.fillRect(0, 0, width, height);
    strokeEdges(context, view, rest, 0.75);
    drawNeurons(context, view, width, height, null);
    graph.base = { image: copied('base'), key, shown: shown() };
  }
  compose(context, view, width, height, near, wanted);
  graph.edges = rest.length + near.length;
  graph.picture = { image: copied('picture'), view };
  graph.frames++;
  paintOver(false);
  graph.canvas.setAttribute('aria-label', `Graph of ${plural(P, 'neuron')}: ${plural(rest.length, 'strongest edge')} of ${whole(shown().places.length)} drawn${state.neuron === null ? '' : `, and the ${whole(near.length)} of ${data.labels[state.neuron]}`}.`);
  writeCounts();
}

function compose(context, view, width, height, near, wanted) {
  const { point } = shown();
  context.fillStyle = token('--paper');
  context.fillRect(0, 0, width, height);
  context.globalAlpha = wanted.size ? 0.28 : 1;
  context.drawImage(graph.base.image, 0, 0, width, height);
  context.globalAlpha = 1;
  if (wanted.size) {
    const lit = new Set(wanted);
    for (const place of near) { lit.add(point.rows[place]); lit.add(point.cols[place]); }
    strokeEdges(context, view, near, 1);
    drawNeurons(context, view, width, height, lit);
  }
  drawLabels(context, view, width, height, near, wanted);
}

// The canvas as it is, in a spare one of that name.
function copied(name) {
  const copy = graph.spare[name] ?? (graph.spare[name] = document.createElement('canvas'));
  const { width, height } = graph.canvas;
  if (copy.width !== width || copy.height !== height) { copy.width = width; copy.height = height; }
  copy.getContext('2d').drawImage(graph.canvas, 0, 0);
  return copy;
}

function strokeEdges(context, view, places, opacity) {
  const { point } = shown();
  if (!places.length) return;
  const largest = Math.abs(point.rho[shown().places[0]]) || 1;
  const steps = 5;
  const paths = Array.from({ length: 2 * steps }, () => null);
  for (let i = places.length - 1; i >= 0; i--) {
    const place = places[i];
    const rho = point.rho[place];
    const slot = (rho > 0 ? 0 : steps) + Math.min(steps - 1, Math.floor((Math.abs(rho) / largest) * steps));
    const path = paths[slot] ?? (paths[slot] = new Path2D());
    const [x, y] = screen(point.rows[place], view);
    const [u, v] = screen(point.cols[place], view);
    path.moveTo(x, y);
    path.lineTo(u, v);
  }
  context.lineCap = 'butt';
  for (let step = 0; step < steps; step++) {
    for (const sign of [0, 1]) {
      const path = paths[sign * steps + step];
      if (!path) continue;
      context.globalAlpha = opacity * (0.45 + 0.55 * ((step + 1) / steps));
      context.strokeStyle = token(sign ? '--minus' : '--plus');
      context.lineWidth = 0.6 + 2.6 * ((step + 0.5) / steps);
      context.setLineDash(sign && places.length <= MOST_DASHED ? [5, 3] : []);
      context.stroke(path);
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function radiusOf(neuron, view) {
  const { strength } = shown();
  const zoom = Math.sqrt(view.sx / 700);
  return Math.max(1.1, Math.min(11, (1.1 + 1.6 * Math.sqrt(strength[neuron])) * zoom * Math.min(1, Math.sqrt(3000 / P) + 0.25)));
}

// All neurons, or those that are chosen.
function drawNeurons(context, view, width, height, chosen) {
  const { communities } = activeTopic();
  const paths = new Map();
  const add = (i) => {
    const [x, y] = screen(i, view);
    if (x < -12 || y < -12 || x > width + 12 || y > height + 12) return;
    const key = Math.min(communities[i], COMMUNITY.length + (communities[i] % 2));
    if (!paths.has(key)) paths.set(key, new Path2D());
    const r = radiusOf(i, view);
    const path = paths.get(key);
    if (r < 2) path.rect(x - r, y - r, 2 * r, 2 * r);
    else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); }
  };
  if (chosen) chosen.forEach(add);
  else for (let i = 0; i < P; i++) add(i);
  context.lineWidth = 0.7;
  context.strokeStyle = token('--line');
  for (const [key, path] of paths) {
    context.fillStyle = colourOf(key);
    context.fill(path);
    context.stroke(path);
  }
}

function drawLabels(context, view, width, height, near, wanted) {
  const { order, point } = shown();
  const first = [...wanted];
  for (const place of [...near].reverse()) first.push(point.rows[place], point.cols[place]);
  const names = [...new Set([...first, ...(wanted.size ? [] : order.subarray(0, 400))])];
  const taken = [];
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  for (const neuron of names) {
    const [x, y] = screen(neuron, view);
    if (x < 0 || y < 0 || x > width - 30 || y > height) continue;
    const left = x + radiusOf(neuron, view) + 3;
    const right = left + context.measureText(data.labels[neuron]).width * 1.1;
    if (!wanted.has(neuron) && taken.some((box) => left < box.right && right > box.left && Math.abs(y - box.y) < 14)) continue;
    taken.push({ left, right, y });
    label(context, data.labels[neuron], left, y, wanted.has(neuron));
    if (taken.length >= 60) break;
  }
}

function label(context, text, x, y, strong) {
  context.font = `${strong ? 'bold ' : ''}12px system-ui, sans-serif`;
  context.lineWidth = 3;
  context.strokeStyle = token('--paper');
  context.strokeText(text, x, y);
  context.fillStyle = token('--ink');
  context.fillText(text, x, y);
}

// The last picture where the view has gone: what a drag shows.
function paintMoved() {
  if (!graph.picture) return;
  const { context, width, height, scale } = sharp(graph.canvas);
  const [was, now] = [graph.picture.view, currentView()];
  const by = now.sx / was.sx;
  context.fillStyle = token('--paper');
  context.fillRect(0, 0, width, height);
  const image = graph.picture.image;
  context.drawImage(image, now.x - was.x * by, now.y - was.y * by, (image.width / scale) * by, (image.height / scale) * by);
  graph.frames++;
}

// The picture with a ring around the neuron under the pointer and around the chosen one.
function paintOver(fresh = true) {
  if (!graph.picture) return;
  if (fresh) paintMoved();
  const { context } = sharp(graph.canvas);
  const view = currentView();
  for (const [neuron, colour] of [[state.neuron, '--mark'], [graph.hover, '--focus'], ...state.pins.map((pin) => [pin.neuron, '--ink'])]) {
    if (neuron === null) continue;
    const [x, y] = screen(neuron, view);
    context.beginPath();
    context.arc(x, y, radiusOf(neuron, view) + 3.5, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = token(colour);
    context.stroke();
  }
  if (graph.hover !== null) {
    const [x, y] = screen(graph.hover, view);
    label(context, data.labels[graph.hover], x + 10, y - 12, true);
  }
}
