// The contexts of neurons, in the cards. They are read after the card is there.

import { contextsOf, corpusOf } from './data.js';
import { createElement, hint, styleValue } from './draw.js';

// An empty element that `fillContexts` fills: with `most` contexts of the heavier pole of a neuron, and half as many of
// the other.
export function contextsPlace(corpus, neuron, most = 8) {
  return createElement('div', { 'data-contexts': `${corpus.letter}:${neuron}:${most}` }, hint('…'));
}

// Fill the contexts of a card, until `outdated()` is true.
export async function fillContexts(card, outdated) {
  for (const place of card.querySelectorAll('[data-contexts]')) {
    const [letter, neuron, most] = place.dataset.contexts.split(':');
    const lines = await contextLines(corpusOf(letter), Number(neuron), Number(most));
    if (outdated()) return;
    place.replaceChildren(...lines);
  }
}

async function contextLines(corpus, neuron, most) {
  const contexts = await contextsOf(corpus, neuron);
  if (!contexts) return [hint('The file has no contexts of this neuron.')];
  if (!contexts.length) return [hint('No context was kept.')];
  const strongest = Math.max(1e-9, ...contexts.flatMap(({ values }) => values.map(Math.abs)));
  const heavier = contexts[0].pole;
  const ofPole = (pole, amount) => contexts.filter((context) => context.pole === pole).slice(0, amount);
  const lines = (shown) => shown.map((context) => contextLine(context, strongest));
  if (most === 1) return lines(ofPole(heavier, 1));
  return [heavier, -heavier].flatMap((pole, place) => {
    const shown = lines(ofPole(pole, place ? Math.floor(most / 2) : most));
    return shown.length ? [hint(pole > 0 ? 'positive pole' : 'negative pole'), ...shown] : [];
  });
}

// One context in one line: the token at the peak is marked, all tokens are shaded by the size of their values.
function contextLine({ document: number, peak, tokens, values }, strongest) {
  const line = createElement('p', { class: 'context' });
  tokens.forEach((text, index) => {
    const token = createElement(index === peak ? 'mark' : 'span', {}, text);
    const share = Math.min(1, Math.abs(values[index]) / strongest);
    if (share > 0.02) token.style.setProperty('background-color', shade(share, values[index] > 0));
    line.append(token);
  });
  line.append(createElement('span', { class: 'document' }, `  ${values[peak]} · document ${number}`));
  return line;
}

function shade(share, positive) {
  const opacity = 0.1 + Number(styleValue('--most')) * share;
  return `rgba(${styleValue(positive ? '--shade' : '--shade-negative')}, ${opacity.toFixed(2)})`;
}
