// Files of what is shown: CSV, DOT, GEXF, SVG and PNG. Names are quoted by the rules of each format.

import { changeQ, data, entryOf, manifest, NEURON_COUNT, testOf, unscaled } from './data.js';
import { byId, COLOURS, createElement, paperColourOf, plural } from './draw.js';
import { canvasPng, edgesDrawn } from './paint.js';
import { activeCorpus, isChange, shown, update } from './state.js';
import { canvasPoint, currentView, graph, radiusOf } from './view.js';

export const EXPORTS = {
  csv: [asCsv, 'text/csv'],
  dot: [asDot, 'text/vnd.graphviz'],
  gexf: [asGexf, 'application/xml'],
  svg: [asSvg, 'image/svg+xml'],
  png: [asPng, 'image/png'],
};

export async function saveExport(kind) {
  const [write, type] = EXPORTS[kind];
  const content = await write();
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const title = manifest.title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');
  const name = `${title.toLowerCase() || 'graph'}.${kind}`;
  const link = createElement('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  byId('exported').textContent = `${name}: ${plural(shown().places.length, 'edge')}.`;
}

// The edges shown, from strong to weak; `edge` is the index in the corpus or among the pairs that differ.
function edgesShown() {
  const { point, places } = shown();
  return Array.from(places, (place) => ({
    i: point.rows[place],
    j: point.cols[place],
    rho: point.rho[place],
    edge: point.edge[place],
  }));
}

// -- CSV ----------------------------------------------------------------------------------------------

// The columns after the names of the two neurons.
const CHANGE_CELLS = {
  change: ({ rho }) => csvNumber(rho),
  partial_correlation_a: ({ edge }) => csvNumber(unscaled(data['change.rho.a'][edge])),
  partial_correlation_b: ({ edge }) => csvNumber(unscaled(data['change.rho.b'][edge])),
  q_value: ({ edge }) => csvNumber(changeQ(edge)),
  kind: ({ edge }) => manifest.change.kinds[data['change.classes'][edge]],
  orientation: ({ i, j }) => data.orientation[i] * data.orientation[j],
};
const GRAPH_CELLS = {
  partial_correlation: ({ rho }) => csvNumber(rho),
  correlation: ({ edge }) => csvNumber(unscaled(activeCorpus().marginal[edge])),
  debiased: ({ test }) => csvNumber(test?.debiased),
  standard_error: ({ test }) => csvNumber(test?.error),
  q_value: ({ test }) => csvNumber(test?.q),
  frequency: ({ test }) => csvNumber(test?.frequency),
  entry_alpha: ({ edge }) => csvNumber(entryOf(activeCorpus(), edge)),
  orientation: ({ i, j }) => data.orientation[i] * data.orientation[j],
};

function csvNumber(value) {
  return value === undefined || Number.isNaN(value) ? '' : String(Number(value.toPrecision(6)));
}

function csvCell(value) {
  // A spreadsheet runs what begins like a formula; an apostrophe makes it text.
  const formula = /^[=+\-@\t\r]/.test(value) && Number.isNaN(Number(value));
  const text = formula ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function asCsv() {
  const cells = isChange() ? CHANGE_CELLS : GRAPH_CELLS;
  const head = ['neuron_i', 'neuron_j', 'name_i', 'name_j', ...Object.keys(cells)];
  const rows = edgesShown().map((item) => {
    const test = isChange() ? null : testOf(activeCorpus(), item.edge);
    const values = Object.values(cells).map((cell) => cell({ ...item, test }));
    const names = [data.names[item.i], data.names[item.j]];
    return [data.ids[item.i], data.ids[item.j], ...names, ...values];
  });
  return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\n`).join('');
}

// -- DOT ----------------------------------------------------------------------------------------------

const DOT_ESCAPES = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r' };
const dotName = (text) => `"${text.replace(/[\\"\n\r]/g, (letter) => DOT_ESCAPES[letter])}"`;

function asDot() {
  const lines = edgesShown().map(({ i, j, rho }) => {
    const [sign, style] = rho > 0 ? ['positive', 'solid'] : ['negative', 'dashed'];
    const attributes = [
      `weight=${Math.abs(rho).toPrecision(6)}`,
      `partial_correlation=${rho.toPrecision(6)}`,
      `sign="${sign}"`,
      `color="${COLOURS[sign]}"`,
      `style=${style}`,
    ];
    return `  ${dotName(data.ids[i])} -- ${dotName(data.ids[j])} [${attributes.join(', ')}];`;
  });
  return `graph {\n  label=${dotName(manifest.title)};\n${lines.join('\n')}\n}\n`;
}

// -- GEXF ---------------------------------------------------------------------------------------------

const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const XML_ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;', '\r': '&#13;' };

function xmlText(text) {
  return String(text)
    .replace(NOT_XML, '\ufffd')
    .replace(/[&<>"\n\r]/g, (letter) => XML_ESCAPES[letter]);
}

function asGexf() {
  const values = (...all) => {
    const items = all.map((value, index) => `<attvalue for="${index}" value="${value}"/>`);
    return `<attvalues>${items.join('')}</attvalues>`;
  };
  const { degree } = shown();
  const { communities } = activeCorpus();
  const nodes = [];
  for (let i = 0; i < NEURON_COUNT; i++) {
    if (!degree[i]) continue;
    nodes.push(`<node id="${i}" label="${xmlText(data.ids[i])}">${values(communities[i], data.layers[i])}</node>`);
  }
  const edges = edgesShown().map(({ i, j, rho }, index) => {
    const attributes = `id="${index}" source="${i}" target="${j}" weight="${Math.abs(rho).toPrecision(6)}"`;
    return `<edge ${attributes}>${values(rho.toPrecision(6))}</edge>`;
  });
  const lines = (items) => items.map((item) => `      ${item}\n`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://gexf.net/1.3" version="1.3">
  <graph defaultedgetype="undirected">
    <attributes class="node">
      <attribute id="0" title="community" type="integer"/>
      <attribute id="1" title="layer" type="integer"/>
    </attributes>
    <attributes class="edge">
      <attribute id="0" title="partial_correlation" type="double"/>
    </attributes>
    <nodes>
${lines(nodes)}    </nodes>
    <edges>
${lines(edges)}    </edges>
  </graph>
</gexf>
`;
}

// -- pictures -----------------------------------------------------------------------------------------

// The part of the graph on screen as lines and circles; all of it where the graph is not on screen.
function asSvg() {
  const box = graph.canvas.getBoundingClientRect();
  const [width, height] = [Math.round(box.width) || 900, Math.round(box.height) || 700];
  const view = box.width ? currentView() : { x: 20, y: 20, sx: 660, sy: 660 };
  const inside = ([x, y]) => x > -20 && y > -20 && x < width + 20 && y < height + 20;
  const { point } = shown();
  const { rest, near } = edgesDrawn();
  const edges = [...new Set([...rest, ...near])]
    .sort((a, b) => b - a)
    .map((place) => ({
      ends: [point.rows[place], point.cols[place]],
      from: canvasPoint(point.rows[place], view),
      to: canvasPoint(point.cols[place], view),
      rho: point.rho[place],
    }))
    .filter(({ from, to }) => inside(from) || inside(to));
  const neurons = [...new Set(edges.flatMap(({ ends }) => ends))];
  const circles = neurons
    .filter((neuron) => inside(canvasPoint(neuron, view)))
    .map((neuron) => svgCircle(neuron, view));
  const description = `${manifest.sentence} Blue: positive partial correlation; red, dashed: negative.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title>${xmlText(manifest.title)}</title><desc>${xmlText(description)}</desc>`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...edges.map(svgLine),
    ...circles,
    '</svg>\n',
  ].join('');
}

function svgLine({ from, to, rho }) {
  const [x1, y1, x2, y2] = [...from, ...to].map((value) => value.toFixed(1));
  const width = (0.6 + 5 * Math.abs(rho)).toFixed(2);
  const [colour, dash] = rho > 0 ? [COLOURS.positive, ''] : [COLOURS.negative, ' stroke-dasharray="5 3"'];
  const ends = `x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"`;
  return `<line ${ends} stroke="${colour}" stroke-width="${width}"${dash}/>`;
}

function svgCircle(neuron, view) {
  const [x, y, radius] = [...canvasPoint(neuron, view), radiusOf(neuron, view)].map((value) => value.toFixed(1));
  const fill = paperColourOf(activeCorpus().communities[neuron]);
  const title = `<title>${xmlText(data.ids[neuron])}</title>`;
  return `<circle cx="${x}" cy="${y}" r="${radius}" fill="${fill}" stroke="#444444">${title}</circle>`;
}

async function asPng() {
  if (graph.canvas.closest('[hidden]')) update({ tab: 'graph' });
  return canvasPng();
}
