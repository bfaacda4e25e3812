// Communities against communities: how much partial correlation is between them, by its sign.

const MOST_COMMUNITIES = 24;
const matrix = { cells: null, size: 0, shown: 0 };

function communityMatrix() {
  const topic = activeTopic();
  const { point, places } = shown();
  const size = Math.max(1, topic.size);
  const net = new Float32Array(size * size);
  const count = new Uint32Array(size * size);
  for (const place of places) {
    const [a, b] = [topic.communities[point.rows[place]], topic.communities[point.cols[place]]];
    if (a < 0 || b < 0) continue;
    for (const cell of a === b ? [a * size + b] : [a * size + b, b * size + a]) { net[cell] += point.rho[place]; count[cell]++; }
  }
  return { net, count, size: topic.size };
}

function paintMatrix() {
  const canvas = $('matrix');
  if (canvas.closest('[hidden]')) return;
  const topic = activeTopic();
  const { net, count, size } = matrix.cells = communityMatrix();
  const side = matrix.shown = Math.min(size, MOST_COMMUNITIES);
  canvas.style.setProperty('aspect-ratio', '1');
  const { context, width } = sharp(canvas);
  context.fillStyle = token('--paper');
  context.fillRect(0, 0, width, width);
  matrix.margin = 40;
  matrix.step = (width - matrix.margin - 4) / Math.max(1, side);
  const sizes = new Uint32Array(Math.max(1, size));
  for (const community of topic.communities) if (community >= 0) sizes[community]++;
  const value = (a, b) => net[a * size + b] / Math.sqrt(sizes[a] * sizes[b]); // the strength per neuron
  let largest = 1e-9;
  for (let a = 0; a < side; a++) for (let b = 0; b < side; b++) largest = Math.max(largest, Math.abs(value(a, b)));
  context.font = '11px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let a = 0; a < side; a++) {
    const at = matrix.margin + a * matrix.step;
    context.fillStyle = colourOf(a);
    context.fillRect(matrix.margin - 7, at, 5, matrix.step - 1);
    context.fillRect(at, matrix.margin - 7, matrix.step - 1, 5);
    context.fillStyle = token('--ink');
    context.fillText(nameOf(a), matrix.margin / 2 - 4, at + matrix.step / 2);
    if (matrix.step > 20 || a % 2 === 0) context.fillText(nameOf(a), at + matrix.step / 2, matrix.margin / 2);
    for (let b = 0; b < side; b++) {
      const size_ = Math.abs(value(a, b)) / largest;
      context.fillStyle = token(value(a, b) >= 0 ? '--plus' : '--minus');
      context.globalAlpha = count[a * size + b] ? 0.08 + 0.92 * Math.sqrt(size_) : 0.02;
      context.fillRect(matrix.margin + b * matrix.step, at, matrix.step - 1, matrix.step - 1);
      context.globalAlpha = 1;
      if (value(a, b) < 0 && matrix.step > 14) { // a second sign of the sign
        context.fillStyle = size_ > 0.3 ? token('--paper') : token('--ink');
        context.fillText('−', matrix.margin + (b + 0.5) * matrix.step, at + matrix.step / 2);
      }
    }
  }
  const more = size > side ? ` The ${side} largest of ${size} are shown.` : '';
  $('matrix').setAttribute('aria-label', `Matrix of ${plural(side, 'community').replace('communitys', 'communities')}; the list below says the same in words.`);
  matrix.rest = `Colour: partial correlation per neuron between two communities, blue positive, red and − negative.${more}`;
  $('matrix-words').textContent = matrix.rest;
  listCommunities(topic, sizes, value, side);
}

function listCommunities(topic, sizes, value, side) {
  const list = $('communities');
  list.replaceChildren();
  for (let a = 0; a < side; a++) {
    let best = -1;
    for (let b = 0; b < side; b++) if (b !== a && matrix.cells.count[a * matrix.cells.size + b] && (best < 0 || Math.abs(value(a, b)) > Math.abs(value(a, best)))) best = b;
    list.append(make('li', {}, communityButton(topic, a), ` ${plural(sizes[a], 'neuron')}${best < 0 ? '' : `, most with ${nameOf(best)} (${value(a, best) > 0 ? 'positive' : 'negative'})`}`));
  }
  if (!side) list.append(make('li', {}, 'No edge is there, so no community.'));
}

function matrixCell(x, y) {
  const [a, b] = [y, x].map((value) => Math.floor((value - matrix.margin) / matrix.step));
  return a >= 0 && b >= 0 && a < matrix.shown && b < matrix.shown ? [a, b] : null;
}

function setUpMatrix() {
  const canvas = $('matrix');
  const words = ([a, b]) => {
    const cell = a * matrix.cells.size + b;
    return `${nameOf(a)} ${wordsOf(activeTopic(), a)} and ${nameOf(b)} ${wordsOf(activeTopic(), b)}: ${plural(matrix.cells.count[cell], 'edge')}, together ${signed(matrix.cells.net[cell], 2)}`;
  };
  let at = null;
  const say = () => { $('matrix-words').textContent = at ? words(at) : matrix.rest; };
  canvas.addEventListener('pointermove', (event) => { at = matrixCell(event.offsetX, event.offsetY); say(); });
  canvas.addEventListener('pointerleave', () => { at = null; say(); });
  canvas.addEventListener('click', () => { if (at) set({ community: at[0], neuron: null, edge: null }); });
  canvas.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (by && matrix.shown) {
      const near = (value) => Math.max(0, Math.min(matrix.shown - 1, value));
      at = at ? [near(at[0] + by[0]), near(at[1] + by[1])] : [0, 0];
      say();
    } else if (event.key === 'Enter' && at) set({ community: at[0], neuron: null, edge: null });
    else return;
    event.preventDefault();
  });
}
