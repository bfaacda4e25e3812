// Pinned neurons, with notes and groups.

import { byId, createElement, formatSigned, neuronButton, plural } from './draw.js';
import { linksOf, shown, state, update } from './state.js';

export const pinOf = (neuron) => state.pins.find((pin) => pin.neuron === neuron);

export function togglePin(neuron) {
  const others = state.pins.filter((pin) => pin.neuron !== neuron);
  update({ pins: pinOf(neuron) ? others : [...others, { neuron, note: '', group: '' }] });
  byId('pin')?.focus();
}

// The fields for the group and the note of a pin.
export function pinFields(pin) {
  const change = (name, text) => {
    const pins = state.pins.map((item) => (item.neuron === pin.neuron ? { ...item, [name]: text } : item));
    update({ pins }, { silent: true });
    listPins();
  };
  const field = (name, title, tag) => {
    const oninput = (event) => change(name, event.target.value);
    return createElement('label', {}, title, createElement(tag, { value: pin[name], maxLength: 400, oninput }));
  };
  return createElement('div', {}, field('group', 'Group', 'input'), field('note', 'Note', 'textarea'));
}

export function listPins() {
  byId('pins').hidden = !state.pins.length;
  const groups = new Map();
  for (const pin of state.pins) groups.set(pin.group, [...(groups.get(pin.group) ?? []), pin]);
  const items = [];
  for (const [group, pins] of [...groups].sort()) {
    if (group) items.push(createElement('li', {}, createElement('strong', {}, group), ` ${groupSummary(pins)}`));
    for (const { neuron, note } of pins) {
      items.push(createElement('li', {}, neuronButton(neuron), note ? ` ${note}` : ''));
    }
  }
  byId('pinned').replaceChildren(...items);
}

function groupSummary(pins) {
  const { point } = shown();
  const inside = new Set(pins.map(({ neuron }) => neuron));
  let [count, sum] = [0, 0];
  for (const neuron of inside) {
    for (const place of linksOf(neuron)) {
      if (point.rows[place] !== neuron || !inside.has(point.cols[place])) continue; // each edge once
      count++;
      sum += point.rho[place];
    }
  }
  const together = count ? `, together ${formatSigned(sum, 2)}` : '';
  return `${plural(pins.length, 'neuron')}, ${plural(count, 'edge')} inside${together}`;
}
