// The same as tables: everything that the graph shows can be read and reached here.

const PAGE = 50;

// A table with pages and an order of its own: `columns` are {title, cell(row), by(row), word}.
function pagedTable(place, caption, columns, rowsOf) {
  const table = { page: 0, column: null, down: true };
  table.draw = () => {
    let rows = rowsOf();
    if (table.column !== null) {
      const { by } = columns()[table.column];
      rows = [...rows].sort((a, b) => { const [x, y] = [by(a), by(b)]; const order = x < y ? -1 : x > y ? 1 : 0; return table.down ? -order : order; });
    }
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    table.page = Math.min(table.page, pages - 1);
    const part = Array.from(rows.slice(table.page * PAGE, (table.page + 1) * PAGE));
    const turn = (by, title) => make('button', { type: 'button', disabled: table.page + by < 0 || table.page + by >= pages, onclick: () => { table.page += by; table.draw(); } }, title);
    place.replaceChildren(
      make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': caption() }, make('table', {},
        make('caption', {}, `${caption()}, ${whole(rows.length)} in all`),
        make('thead', {}, make('tr', {}, ...columns().map(({ title, word }, index) => make('th', { scope: 'col', class: word ? 'word' : '', 'aria-sort': table.column === index ? (table.down ? 'descending' : 'ascending') : 'none' },
          make('button', { type: 'button', onclick: () => { table.down = table.column === index ? !table.down : true; table.column = index; table.draw(); } }, `${title}${table.column === index ? (table.down ? ' ↓' : ' ↑') : ''}`))))),
        make('tbody', {}, ...part.map((row) => make('tr', {}, ...columns().map(({ cell, word }) => make('td', { class: word ? 'word' : 'number' }, cell(row)))))))),
      make('p', {}, turn(-1, 'Before'), ` page ${table.page + 1} of ${whole(pages)} `, turn(1, 'Next')),
    );
  };
  return table;
}

const tables = {};

function setUpTables() {
  const rho = { title: 'partial correlation', cell: (place) => signText(shown().point.rho[place]), by: (place) => Math.abs(shown().point.rho[place]) };
  const ends = (side, title) => ({ title, word: true, cell: (place) => neuronButton(shown().point[side][place]), by: (place) => data.labels[shown().point[side][place]] });
  const tested = (title, value, text) => ({ title, by: (place) => { const test = testOf(activeTopic(), shown().point.edge[place]); return test ? value(test) : -1; }, cell: (place) => { const test = testOf(activeTopic(), shown().point.edge[place]); return test && !Number.isNaN(value(test)) ? text(test) : '–'; } });
  const reason = { title: 'why', word: true, by: () => 0, cell: (place) => whyButton(shown().point.rows[place], shown().point.cols[place]) };
  const inGraph = [
    ends('rows', 'neuron'), ends('cols', 'neuron'), rho,
    tested('unbiased ± error', (test) => Math.abs(test.debiased), (test) => `${signed(test.debiased)} ± ${test.error.toFixed(3)}`),
    tested('q', (test) => -test.q, (test) => small(test.q)),
    tested('half-samples', (test) => test.frequency, (test) => `${Math.round(100 * test.frequency)} %`),
    { title: 'correlation', cell: (place) => signText(unscaled(activeTopic().marginal[shown().point.edge[place]])), by: (place) => Math.abs(unscaled(activeTopic().marginal[shown().point.edge[place]])) },
    { title: 'enters at α', cell: (place) => entryOf(activeTopic(), shown().point.edge[place]).toPrecision(3), by: (place) => entryOf(activeTopic(), shown().point.edge[place]) },
    reason,
  ];
  const ofChange = (letter) => ({ title: letter === 'a' ? 'in A' : 'in B', cell: (place) => signText(unscaled(data[`change.rho.${letter}`][shown().point.edge[place]])), by: (place) => Math.abs(unscaled(data[`change.rho.${letter}`][shown().point.edge[place]])) });
  const inChange = [
    ends('rows', 'neuron'), ends('cols', 'neuron'), { ...rho, title: 'B − A' }, ofChange('a'), ofChange('b'),
    { title: 'q', cell: (place) => small(qOf(shown().point.edge[place])), by: (place) => -qOf(shown().point.edge[place]) },
    { title: 'what changes', word: true, cell: (place) => manifest.change.kinds[data['change.classes'][shown().point.edge[place]]], by: (place) => data['change.classes'][shown().point.edge[place]] },
    reason,
  ];
  tables.edges = pagedTable($('edge-table'), () => (isChange() ? 'Pairs that differ, from the largest change' : 'Edges shown, from strong to weak'), () => (isChange() ? inChange : inGraph), () => shown().places);
  const number = (title, value, text = whole) => ({ title, cell: (neuron) => text(value(neuron)), by: value });
  tables.neurons = pagedTable($('neuron-table'), () => 'Neurons, from strong to weak', () => [
    { title: 'neuron', word: true, cell: neuronButton, by: (neuron) => data.labels[neuron] },
    { title: 'community', word: true, cell: (neuron) => communityButton(activeTopic(), activeTopic().communities[neuron]), by: (neuron) => -activeTopic().communities[neuron] },
    number('edges', (neuron) => shown().degree[neuron]),
    number('strength', (neuron) => shown().strength[neuron], (value) => value.toFixed(3)),
    number('expected influence', (neuron) => shown().influence[neuron], signed),
    { title: 'strongest at', word: true, cell: (neuron) => peakWords(activeTopic(), neuron), by: (neuron) => peakWords(activeTopic(), neuron, 1) },
  ], () => shown().order);
}
