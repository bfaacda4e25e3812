// Paths through the layers as a picture with a row for each layer: the most important neurons, the strongest paths, and
// the strongest other edges.

import { data, manifest } from './data.js';
import {
  byId,
  colourOf,
  createButton,
  createElement,
  createSvg,
  formatCount,
  formatEstimate,
  hint,
  plural,
  styleValue,
} from './draw.js';
import { activeCorpus, NOTHING_CHOSEN, state, update } from './state.js';
import { tables } from './tables.js';

// pixels around the neurons of the picture
const [PICTURE_LEFT, PICTURE_RIGHT, PICTURE_TOP, PICTURE_BOTTOM] = [72, 14, 26, 26];
const LABEL_ROOM = 54; // pixels between neurons from which all labels are drawn
const ROW_SWEEPS = 12; // of the order inside the rows
const picture = { nodes: [], marks: new Map(), lines: [], focus: null };

export const pathwayAt = (name, index) => data[`pathways.${name}`][index];
export const effectOf = (path) => pathwayAt('effects', path);
const layerName = (layer) => (layer < 0 ? 'no layer' : `layer ${layer}`);
// The scalar in which paths may end stands among the neurons, in a row of its own.
const isScalar = (node) => node === manifest.pathways.scalar;
export const isSlope = (edge) => isScalar(pathwayAt('targets', edge));
const rowName = (node) => (isScalar(node) ? 'scalar' : layerName(pathwayAt('layers', node)));
export const pathName = (path) => `Path ${path + 1}`;

// The neurons of a path, as indices into those of this view.
export function nodesOf(path) {
  const width = data['pathways.paths'].length / manifest.pathways.paths;
  return [...data['pathways.paths'].subarray(path * width, (path + 1) * width)].filter((node) => node >= 0);
}

function nodeTitle(node) {
  const name = pathwayAt('names', node);
  return name ? `${pathwayAt('labels', node)} ${name}` : pathwayAt('labels', node);
}

// A button that opens a neuron; text where the page has no card of it.
export function nodeButton(node) {
  const neuron = pathwayAt('neurons', node);
  if (neuron < 0) return createElement('span', { title: pathwayAt('ids', node) }, pathwayAt('labels', node));
  const properties = { class: 'link', title: `${pathwayAt('ids', node)} ${pathwayAt('names', node)}`.trim() };
  return createButton({ ...properties, onclick: () => update({ neuron }) }, pathwayAt('labels', node));
}

const edgeKey = (source, target) => source * manifest.pathways.neurons + target;
export const edgesOf = (path) => {
  const nodes = nodesOf(path);
  return nodes.slice(1).map((node, step) => data.pathwayEdges.get(edgeKey(nodes[step], node)));
};

// -- what is shown ------------------------------------------------------------------------------------

// The paths, edges and neurons that the controls above the picture let in.
export function shownPathways() {
  const strong = (value) => Math.abs(value) >= state.weight;
  const paths = data.pathwayPaths.filter((path) => strong(strengthOf(path))).slice(0, state.routes);
  const edges = new Set([...paths, ...(state.path === null ? [] : [state.path])].flatMap(edgesOf));
  edges.delete(undefined);
  let others = 0;
  for (let edge = 0; edge < data['pathways.weights'].length && others < state.links; edge++) {
    if (edges.has(edge) || isSlope(edge) || !strong(pathwayAt('weights', edge))) continue;
    edges.add(edge);
    others++;
  }
  const nodes = new Set(data.pathwayRanked.slice(0, state.tops));
  for (const edge of edges) {
    nodes.add(pathwayAt('sources', edge));
    nodes.add(pathwayAt('targets', edge));
  }
  return { paths, edges: [...edges], nodes: [...nodes] };
}

// The product of a path in the unit of edges between neurons: without the slope of the scalar, which has another unit.
function strengthOf(path) {
  const last = edgesOf(path).at(-1);
  return isSlope(last) ? effectOf(path) / pathwayAt('weights', last) : effectOf(path);
}

// The places of the neurons: a row for each layer, the first at the bottom, in an order that gives short edges.
function layOut(nodes, edges, width) {
  const layers = [...new Set(nodes.map((node) => pathwayAt('layers', node)))].sort((a, b) => a - b);
  const rows = layers.map((layer) => nodes.filter((node) => pathwayAt('layers', node) === layer));
  const around = new Map(nodes.map((node) => [node, []]));
  for (const edge of edges) {
    const [source, target] = [pathwayAt('sources', edge), pathwayAt('targets', edge)];
    around.get(source).push(target);
    around.get(target).push(source);
  }
  const place = new Map();
  const spread = (row) => {
    row.forEach((node, index) => {
      place.set(node, (index + 0.5) / row.length);
    });
  };
  rows.forEach(spread);
  for (let sweep = 0; sweep < ROW_SWEEPS; sweep++) {
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const wanted = new Map(row.map((node) => [node, meanOf(around.get(node), place, place.get(node))]));
      row.sort((a, b) => wanted.get(a) - wanted.get(b));
      spread(row);
    }
  }
  const pitch = Math.max(56, Math.min(120, 640 / Math.max(1, rows.length - 1)));
  const height = PICTURE_TOP + PICTURE_BOTTOM + pitch * Math.max(0, rows.length - 1);
  const points = new Map();
  rows.forEach((row, index) => {
    const y = height - PICTURE_BOTTOM - index * pitch;
    for (const node of row)
      points.set(node, [PICTURE_LEFT + place.get(node) * (width - PICTURE_LEFT - PICTURE_RIGHT), y]);
  });
  return { rows, points, height, pitch };
}

function meanOf(nodes, place, otherwise) {
  return nodes.length ? nodes.reduce((sum, node) => sum + place.get(node), 0) / nodes.length : otherwise;
}

// -- the picture --------------------------------------------------------------------------------------

export function setUpPathways() {
  if (!manifest.pathways) return;
  data.pathwayEdges = new Map();
  data['pathways.sources'].forEach((source, edge) => {
    data.pathwayEdges.set(edgeKey(source, pathwayAt('targets', edge)), edge);
  });
  data.pathwayPaths = Array.from({ length: manifest.pathways.paths }, (_, path) => path);
  data.pathwayRanked = Array.from(data['pathways.ranks'], (_, node) => node)
    .filter((node) => pathwayAt('ranks', node) > 0)
    .sort((a, b) => pathwayAt('ranks', a) - pathwayAt('ranks', b));
  byId('pathways-words').textContent = manifest.pathways.sentences.join(' ');
  byId('pathways-help').textContent = helpWords();
  hideControls();
  new ResizeObserver(() => {
    if (state.tab === 'pathways' && byId('pathways').clientWidth !== picture.width) drawPicture();
  }).observe(byId('pathways'));
}

// Controls of what was not made.
function hideControls() {
  const { paths, edges, scored } = manifest.pathways;
  const missing = [...(paths ? [] : ['routes']), ...(edges ? [] : ['links', 'weight']), ...(scored ? [] : ['tops'])];
  for (const id of missing) byId(id).parentElement.hidden = true;
}

function helpWords() {
  const { paths, edges, scored, scalar } = manifest.pathways;
  return [
    'A row is a layer, the first at the bottom. The colour of a neuron is its community.',
    scalar < 0 ? '' : 'The square at the top is the scalar. The width of edges to it has a scale of its own.',
    scalar < 0 ? '' : 'The strength of a path is that of its edges between neurons.',
    scored ? 'Larger: more important. A second ring: among the most important neurons.' : '',
    edges ? 'Blue, solid: positive; red, dashed: negative. Wider: stronger.' : '',
    paths ? 'A click on an edge shows the strongest path along it.' : '',
    'Arrow keys move between neurons, Enter opens one, Escape closes it.',
  ]
    .filter(Boolean)
    .join(' ');
}

export function drawPathways() {
  drawPicture();
  tables.pathways?.draw();
  markPathways();
}

function drawPicture() {
  const { paths, edges, nodes } = shownPathways();
  const width = Math.max(280, byId('pathways').clientWidth);
  const layout = layOut(nodes, edges, width);
  Object.assign(picture, { width: byId('pathways').clientWidth, nodes: layout.rows, marks: new Map(), lines: [] });
  const sizes = (kind) => edges.filter(kind).map((edge) => Math.abs(pathwayAt('weights', edge)));
  const largestSlope = Math.max(1e-12, ...sizes(isSlope));
  const largest = Math.max(1e-12, ...sizes((edge) => !isSlope(edge)));
  const strongest = Math.max(1e-12, ...nodes.map((node) => importanceOf(node)));
  const weakFirst = [...edges].sort((a, b) => Math.abs(pathwayAt('weights', a)) - Math.abs(pathwayAt('weights', b)));
  const lines = weakFirst.map((edge) => edgeLine(edge, layout, isSlope(edge) ? largestSlope : largest));
  const room = layout.rows.map((row) => (width - PICTURE_LEFT - PICTURE_RIGHT) / row.length); // pixels of each neuron
  const marks = layout.rows.flatMap((row, index) =>
    row.map((node) => nodeMark(node, layout.points.get(node), strongest, room[index])),
  );
  const names = layout.rows.map((row, index) => {
    const y = layout.height - PICTURE_BOTTOM - index * layout.pitch;
    const text = createSvg('text', { class: 'layer', x: 0, y: y + 4 });
    text.textContent = rowName(row[0]);
    return text;
  });
  const slopes = nodes.some(isScalar) ? 1 : 0;
  const neurons = `${plural(nodes.length - slopes, 'neuron')} in ${plural(layout.rows.length - slopes, 'layer')}`;
  const ends = slopes ? ` and ${pathwayAt('labels', manifest.pathways.scalar)}` : '';
  const label = `${neurons}${ends}, ${plural(edges.length, 'edge')}`;
  const size = { width, height: layout.height, viewBox: `0 0 ${width} ${layout.height}` };
  const svg = createSvg('svg', { ...size, role: 'group', 'aria-label': label, onkeydown: handlePathwayKey }, ...names);
  svg.append(...lines, ...marks);
  byId('pathways').replaceChildren(...(nodes.length ? [svg] : [hint('Nothing is as strong as that.')]));
  byId('pathways-shown').textContent = `${label}, ${plural(paths.length, 'path')} shown.`;
  if (!picture.marks.has(picture.focus)) picture.focus = firstFocus(layout.rows);
  markPathways();
}

// A neuron of the highest row.
const firstFocus = (rows) => (rows.findLast((row) => !isScalar(row[0])) ?? rows.at(-1))?.[0] ?? null;

const importanceOf = (node) => Math.abs(pathwayAt('importance', node)) || 0;

function edgeLine(edge, { points }, largest) {
  const [[x, y], [toX, toY]] = [points.get(pathwayAt('sources', edge)), points.get(pathwayAt('targets', edge))];
  const middle = (y + toY) / 2;
  const weight = pathwayAt('weights', edge);
  const line = createSvg('path', {
    class: `edge ${weight > 0 ? 'plus' : 'minus'}`,
    d: `M${x} ${y}C${x} ${middle} ${toX} ${middle} ${toX} ${toY}`,
    'stroke-width': (0.8 + (3.2 * Math.abs(weight)) / largest).toFixed(2),
    onclick: () => openPathAlong(edge),
  });
  const title = createSvg('title', {});
  const ends = ['sources', 'targets'].map((side) => nodeTitle(pathwayAt(side, edge)));
  title.textContent = `${ends.join(' → ')}: ${edgeText(edge)}`;
  line.append(title);
  picture.lines.push({ edge, line });
  return line;
}

export const edgeText = (edge) => formatEstimate(pathwayAt('weights', edge), pathwayAt('errors', edge), true);

function openPathAlong(edge) {
  const path = data.pathwayPaths.find((each) => edgesOf(each).includes(edge));
  if (path !== undefined) update({ ...NOTHING_CHOSEN, path });
}

function nodeMark(node, [x, y], strongest, room) {
  const neuron = pathwayAt('neurons', node);
  const rank = pathwayAt('ranks', node);
  const scalar = isScalar(node);
  const radius = Math.max(0.5, Math.min(1, room / 20)) * (4 + 4 * Math.sqrt(importanceOf(node) / strongest));
  const body = scalar
    ? createSvg('rect', { class: 'body', x: -6, y: -6, width: 12, height: 12 })
    : createSvg('circle', { class: 'body', r: radius.toFixed(2) });
  const unfitted = styleValue(scalar ? '--ink' : '--paper');
  body.style.setProperty('fill', neuron < 0 ? unfitted : colourOf(activeCorpus().communities[neuron]));
  const above = pathwayAt('layers', node) === pathwayAt('layers', picture.nodes.at(-1)[0]);
  const text = createSvg('text', { y: above ? -radius - 7 : radius + 15 });
  text.textContent = pathwayAt('labels', node);
  const words = [
    nodeTitle(node),
    rowName(node),
    ...(rank ? [`importance ${formatEstimate(pathwayAt('importance', node))}, rank ${formatCount(rank)}`] : []),
    ...(neuron < 0 && !scalar ? ['not in the fitted graph'] : []),
  ].join(', ');
  const title = createSvg('title', {});
  title.textContent = words;
  const ring = rank > 0 && rank <= state.tops;
  const mark = createSvg(
    'g',
    {
      class: room >= LABEL_ROOM || scalar ? 'node labelled' : 'node',
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      role: 'button',
      tabindex: -1,
      'aria-label': words,
      'data-node': node,
      onclick: () => openNode(node),
      onfocus: () => moveFocus(node, { silent: true }),
    },
    title,
    createSvg('circle', { class: 'reach', r: 12 }),
    body,
    ...(ring ? [createSvg('circle', { class: 'ring', r: radius + 3 })] : []),
    text,
  );
  picture.marks.set(node, mark);
  return mark;
}

function openNode(node) {
  const neuron = pathwayAt('neurons', node);
  if (neuron >= 0) update({ neuron });
}

// -- keys ---------------------------------------------------------------------------------------------

// One neuron of the picture is a stop of the Tab key; arrows move to the next one in the row, or to the nearest above.
function moveFocus(node, { silent = false } = {}) {
  picture.marks.get(picture.focus)?.setAttribute('tabindex', -1);
  picture.focus = node;
  picture.marks.get(node)?.setAttribute('tabindex', 0);
  if (!silent) picture.marks.get(node)?.focus();
}

function handlePathwayKey(event) {
  const row = picture.nodes.findIndex((nodes) => nodes.includes(picture.focus));
  if (row < 0) return;
  const nodes = picture.nodes[row];
  const place = nodes.indexOf(picture.focus);
  const share = (place + 0.5) / nodes.length;
  const along = (other) => other?.[Math.min(other.length - 1, Math.floor(share * other.length))];
  const next = {
    ArrowRight: nodes[place + 1],
    ArrowLeft: nodes[place - 1],
    ArrowUp: along(picture.nodes[row + 1]),
    ArrowDown: along(picture.nodes[row - 1]),
  };
  if (event.key === 'Enter' || event.key === ' ') openNode(picture.focus);
  else if (!(event.key in next)) return;
  else if (next[event.key] !== undefined) moveFocus(next[event.key]);
  event.preventDefault();
}

// -- what is chosen -----------------------------------------------------------------------------------

// Mark the chosen path and neuron in the picture and in the table.
export function markPathways() {
  const nodes = new Set(state.path === null ? [] : nodesOf(state.path));
  const edges = new Set(state.path === null ? [] : edgesOf(state.path));
  const missing = [...nodes].some((node) => !picture.marks.has(node));
  if (missing) {
    drawPicture(); // with the path, which was not among those shown
    return;
  }
  byId('pathways').classList.toggle('some', nodes.size > 0);
  for (const { edge, line } of picture.lines) line.classList.toggle('on', edges.has(edge));
  for (const [node, mark] of picture.marks) {
    const neuron = pathwayAt('neurons', node);
    mark.classList.toggle('on', nodes.has(node));
    mark.classList.toggle('chosen', neuron >= 0 && neuron === state.neuron);
    mark.setAttribute('tabindex', node === picture.focus ? 0 : -1);
  }
  for (const button of document.querySelectorAll('[data-path]')) {
    button.setAttribute('aria-pressed', String(Number(button.dataset.path) === state.path));
  }
}
