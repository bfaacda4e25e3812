// The contexts of neurons, in the cards. They are read after the card is there.

import { contextsOf, corpusOf } from './data.js';
import { createElement, hint, styleValue } from './draw.js';

const CROP_SIDE = 64; // pixels on the screen of the longer side of a crop
const CROP_SCALE = 3; // pixels of the canvas for one on the screen

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
  const lines = (shown) => contextElements(corpus, shown, strongest);
  if (most === 1) return lines(ofPole(heavier, corpus.crops === null ? 1 : 4));
  return [heavier, -heavier].flatMap((pole, place) => {
    const shown = lines(ofPole(pole, place ? Math.floor(most / 2) : most));
    return shown.length ? [hint(pole > 0 ? 'positive pole' : 'negative pole'), ...shown] : [];
  });
}

// Contexts in lines, or crops side by side.
function contextElements(corpus, shown, strongest) {
  if (!shown.some(({ crop }) => crop)) return shown.map((context) => contextLine(context, strongest));
  return [createElement('div', { class: 'crops' }, ...shown.map((context) => cropFigure(corpus, context)))];
}

// The crop of a sample with its box, and below it its value and its document.
function cropFigure(corpus, { document: number, peak, values, place, crop }) {
  const where = `document ${number}${place && `, ${place}`}`;
  const caption = createElement('figcaption', {}, createElement('strong', {}, `${values[peak]}`), ` ${number}`);
  const picture = crop ? cropCanvas(crop, `${where}: ${values[peak]}`, corpus.points_at_steps) : hint('no crop');
  return createElement('figure', { title: where }, picture, caption);
}

function cropCanvas({ pixels, width, channels, rows, columns, box }, label, isStep) {
  const scale = CROP_SIDE / Math.max(rows, columns);
  const [shownWidth, shownHeight] = [columns * scale, Math.max(rows * scale, CROP_SIDE / 4)];
  const canvas = createElement('canvas', { role: 'img', 'aria-label': label });
  const above = isStep ? 5 * CROP_SCALE : 0; // for the triangle
  canvas.width = Math.round(shownWidth * CROP_SCALE);
  canvas.height = Math.round(shownHeight * CROP_SCALE) + above;
  canvas.style.setProperty('width', `${shownWidth}px`);
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  const picture = cropPixels(pixels, width, channels, rows, columns);
  context.drawImage(picture, 0, above, canvas.width, canvas.height - above);
  if (box.length) drawMark(context, box, canvas.width / columns, (canvas.height - above) / rows, above);
  return canvas;
}

// The box, or the triangle above a step.
function drawMark(context, [top, left, bottom, right], x, y, above) {
  const mark = styleValue('--mark');
  if (above) {
    const middle = ((left + right) / 2) * x;
    context.fillStyle = mark;
    context.beginPath();
    context.moveTo(middle, above);
    context.lineTo(middle - above * 0.6, 0);
    context.lineTo(middle + above * 0.6, 0);
    context.fill();
    return;
  }
  const lines = [
    [2.2, 'black'],
    [1.2, mark],
  ];
  for (const [line, colour] of lines) {
    context.lineWidth = line * CROP_SCALE;
    context.strokeStyle = colour;
    context.strokeRect(left * x, top * y, (right - left) * x, (bottom - top) * y);
  }
}

// A canvas of one pixel for each of a crop, whose rows are `width` long in the block.
function cropPixels(pixels, width, channels, rows, columns) {
  const canvas = createElement('canvas', { width: columns, height: rows });
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [from, to] = [(row * width + column) * channels, 4 * (row * columns + column)];
      for (let colour = 0; colour < 3; colour++) image.data[to + colour] = pixels[from + (channels === 3 ? colour : 0)];
      image.data[to + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// One context in one line: the token at the peak is marked, all tokens are shaded by the size of their values.
function contextLine({ document: number, peak, tokens, values, place }, strongest) {
  const line = createElement('p', { class: 'context' });
  if (place !== undefined) {
    line.append(`document ${number}${place && `, ${place}`}: ${values[peak]}`);
    return line;
  }
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
