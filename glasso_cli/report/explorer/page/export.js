// What is shown, as files. Names are quoted by the rules of each format.

const csvCell = (value) => (/[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
const dotName = (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`;
const xml = (text) => String(text).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\r', '&#13;');

function shownEdges() {
  const { point, places } = shown();
  return Array.from(places, (place) => ({ i: point.rows[place], j: point.cols[place], rho: point.rho[place], edge: point.edge[place] }));
}

function asCsv() {
  const change = isChange();
  const head = ['neuron_a', 'neuron_b', ...(change ? ['change', 'partial_correlation_a', 'partial_correlation_b', 'q_value', 'kind'] : ['partial_correlation', 'correlation', 'debiased', 'standard_error', 'q_value', 'frequency', 'entry_alpha'])];
  const topic = activeTopic();
  const number = (value) => (value === undefined || Number.isNaN(value) ? '' : String(Number(value.toPrecision(6))));
  const lines = shownEdges().map(({ i, j, rho, edge }) => {
    const test = change ? null : testOf(topic, edge) ?? {};
    const cells = change
      ? [number(rho), number(unscaled(data['change.rho.a'][edge])), number(unscaled(data['change.rho.b'][edge])), number(qOf(edge)), manifest.change.kinds[data['change.classes'][edge]]]
      : [number(rho), number(unscaled(topic.marginal[edge])), number(test.debiased), number(test.error), number(test.q), number(test.frequency), number(entryOf(topic, edge))];
    return [data.ids[i], data.ids[j], ...cells].map(csvCell).join(',');
  });
  return `${[head.join(','), ...lines].join('\n')}\n`;
}

function asDot() {
  const lines = shownEdges().map(({ i, j, rho }) => `  ${dotName(data.ids[i])} -- ${dotName(data.ids[j])} [weight=${Math.abs(rho).toPrecision(6)}, partial_correlation=${rho.toPrecision(6)}, ${rho > 0 ? 'sign="positive", color="#2166AC", style=solid' : 'sign="negative", color="#B2182B", style=dashed'}];`);
  return `graph {\n  label=${dotName(manifest.title)};\n${lines.join('\n')}\n}\n`;
}

function asGexf() {
  const { degree } = shown();
  const topic = activeTopic();
  const nodes = [];
  for (let i = 0; i < P; i++) if (degree[i]) nodes.push(`      <node id="${i}" label="${xml(data.ids[i])}"><attvalues><attvalue for="0" value="${topic.communities[i]}"/><attvalue for="1" value="${data.layers[i]}"/></attvalues></node>`);
  const edges = shownEdges().map(({ i, j, rho }, index) => `      <edge id="${index}" source="${i}" target="${j}" weight="${Math.abs(rho).toPrecision(6)}"><attvalues><attvalue for="0" value="${rho.toPrecision(6)}"/></attvalues></edge>`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<gexf xmlns="http://gexf.net/1.3" version="1.3">
  <graph defaultedgetype="undirected">
    <attributes class="node"><attribute id="0" title="community" type="integer"/><attribute id="1" title="layer" type="integer"/></attributes>
    <attributes class="edge"><attribute id="0" title="partial_correlation" type="double"/></attributes>
    <nodes>\n${nodes.join('\n')}\n    </nodes>
    <edges>\n${edges.join('\n')}\n    </edges>
  </graph>
</gexf>
`;
}

// The part of the graph on screen as lines and circles.
function asSvg() {
  const { width, height } = graph.canvas.getBoundingClientRect();
  const [w, h] = [Math.round(width) || 900, Math.round(height) || 700];
  const view = width ? currentView() : { x: 20, y: 20, sx: 660, sy: 660 };
  const { rest, near } = edgesDrawn();
  const { point } = shown();
  const inside = ([x, y]) => x > -20 && y > -20 && x < w + 20 && y < h + 20;
  const edges = [...new Set([...rest, ...near])].sort((a, b) => b - a).map((place) => ({ place, from: screen(point.rows[place], view), to: screen(point.cols[place], view) })).filter(({ from, to }) => inside(from) || inside(to));
  const lines = edges.map(({ place, from, to }) => `<line x1="${from[0].toFixed(1)}" y1="${from[1].toFixed(1)}" x2="${to[0].toFixed(1)}" y2="${to[1].toFixed(1)}" stroke="${point.rho[place] > 0 ? '#2166AC' : '#B2182B'}" stroke-width="${(0.6 + 5 * Math.abs(point.rho[place])).toFixed(2)}"${point.rho[place] > 0 ? '' : ' stroke-dasharray="5 3"'}/>`);
  const touched = new Set(edges.flatMap(({ place }) => [point.rows[place], point.cols[place]]));
  const { communities } = activeTopic();
  const circles = [...touched].map((neuron) => {
    const [x, y] = screen(neuron, view);
    return inside([x, y]) ? `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radiusOf(neuron, view).toFixed(1)}" fill="${communities[neuron] < 0 ? '#ffffff' : colourOf(communities[neuron])}" stroke="#444444"><title>${xml(data.ids[neuron])}</title></circle>` : '';
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}"><title>${xml(manifest.title)}</title><desc>${xml(manifest.sentence)} Blue: positive partial correlation; red, dashed: negative.</desc><rect width="100%" height="100%" fill="#ffffff"/>${lines.join('')}${circles.join('')}</svg>\n`;
}

async function asPng() {
  if (graph.canvas.closest('[hidden]')) set({ tab: 'graph' });
  paint();
  return new Promise((resolve) => { graph.canvas.toBlob(resolve, 'image/png'); });
}

const EXPORTS = { csv: [asCsv, 'text/csv'], dot: [asDot, 'text/vnd.graphviz'], gexf: [asGexf, 'application/xml'], svg: [asSvg, 'image/svg+xml'], png: [asPng, 'image/png'] };

async function save(kind) {
  const [content, type] = EXPORTS[kind];
  const made = await content();
  const blob = made instanceof Blob ? made : new Blob([made], { type });
  const name = `${manifest.title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '').toLowerCase() || 'graph'}.${kind}`;
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  $('exported').textContent = `${name}: ${plural(shown().places.length, 'edge')}.`;
}
