// The start of the page, and what is drawn when the state changes.

import { setUpAcross } from './across.js';
import { setUpActivity } from './activity.js';
import { showCard } from './cards.js';
import { drawControls, drawCounts, setUpControls } from './controls.js';
import { corpusOf, data, manifest, pointOf, readAll, readBlock } from './data.js';
import { byId, onSchemeChange, setUpColours } from './draw.js';
import { EXPORTS } from './export.js';
import { setUpGraph } from './graph.js';
import { paintMatrix, setUpMatrix } from './matrix.js';
import { paint, paintCounts } from './paint.js';
import { setUpPaths } from './paths.js';
import { drawPathways, markPathways, setUpPathways } from './pathways.js';
import { listPins } from './pins.js';
import { searchResults } from './search.js';
import { listeners, readHash, shown, state, update } from './state.js';
import { drawNeuronTable, setUpTables, tables } from './tables.js';
import { arrange, canvasPoint, graph, neuronAt } from './view.js';

const CHOICES = ['neuron', 'edge', 'community', 'path'];
const LIGHT = new Set([...CHOICES, 'pins', 'zoom']); // these change the card and the painting of the graph alone
const VIEWS = {
  overview: paintMatrix,
  graph: paint,
  edges: () => tables.edges.draw(),
  neurons: drawNeuronTable,
  activity: () => tables.activity.draw(),
  across: () => tables.across.draw(),
  pathways: drawPathways,
};

async function start() {
  await readAll();
  readHash();
  setUpColours();
  setUpControls();
  setUpTables();
  setUpActivity();
  setUpAcross();
  setUpPathways();
  setUpPaths();
  setUpMatrix();
  setUpGraph();
  listeners.push(drawChanges);
  window.addEventListener('hashchange', () => {
    readHash();
    graph.view = null;
    arrange();
    drawAll();
  });
  onSchemeChange(drawAll);
  drawAll();
}

function drawAll() {
  drawControls();
  VIEWS[state.tab]();
  drawCards();
}

function drawCards() {
  listPins();
  showCard();
  drawCounts();
}

function drawChanges(changes) {
  if ('arrangement' in changes) {
    arrange();
    graph.view = null;
    state.zoom = null;
  }
  if (!Object.keys(changes).every((name) => LIGHT.has(name))) {
    drawAll();
    return;
  }
  if (state.tab === 'graph') paint();
  if (state.tab === 'pathways') markPathways();
  drawCards();
  const chosen = CHOICES.some((name) => (changes[name] ?? null) !== null);
  if (chosen && innerWidth <= 720) byId('card').scrollIntoView(); // on a narrow screen it is below
}

// For tests and for the console: what is inside, and what is shown.
window.glasso = {
  ready: start(),
  manifest,
  state: () => JSON.parse(JSON.stringify(state)),
  set: update,
  array: (name) => data[name],
  block: readBlock,
  counts: () => ({
    shown: shown().places.length,
    total: shown().total,
    hidden: { ...shown().hidden },
    ...paintCounts(),
  }),
  point: (letter, k) => pointOf(corpusOf(letter), k),
  screenOf: (neuron) => canvasPoint(neuron),
  pick: neuronAt,
  search: searchResults,
  text: (kind) => EXPORTS[kind][0](),
};
