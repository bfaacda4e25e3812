// The search: neurons and communities by name, and neurons by a word at which they are most active.

import { CORPORA, data, NEURON_COUNT } from './data.js';
import { byId, communityButton, createElement, nameOf, nameWords, neuronButton, plural } from './draw.js';
import { activeCorpus, shown } from './state.js';

const MOST_RESULTS = 12;
const WORD_START = /^[\u2581\u0120\s]+/; // how tokenizers mark a space

// What a text finds, best first: communities {community} and neurons {neuron, why}.
export function searchResults(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const isName = (neuron) => [data.labels[neuron], data.ids[neuron]].some((name) => name.toLowerCase() === wanted);
  const results = [
    ...communitiesBy(wanted),
    ...neuronsBy(isName),
    ...neuronsByName(wanted),
    ...neuronsByWord(wanted),
    ...neuronsByPart(wanted),
  ];
  const seen = new Set();
  const isNew = ({ neuron }) => neuron === undefined || (!seen.has(neuron) && seen.add(neuron));
  return results.filter(isNew).slice(0, MOST_RESULTS);
}

function communitiesBy(wanted) {
  const corpus = activeCorpus();
  return Array.from({ length: corpus.size }, (_, community) => ({ community })).filter(
    ({ community }) =>
      nameOf(community).toLowerCase() === wanted ||
      nameWords(corpus, community).some((word) => word.toLowerCase() === wanted),
  );
}

function neuronsBy(matches) {
  const results = [];
  for (let neuron = 0; neuron < NEURON_COUNT && results.length < MOST_RESULTS; neuron++) {
    if (matches(neuron)) results.push({ neuron, why: '' });
  }
  return results;
}

// Neurons with the word in their name, those with the best score first.
function neuronsByName(wanted) {
  const words = (neuron) => data.names[neuron].toLowerCase().split(/, | \/ |after /);
  return Array.from({ length: NEURON_COUNT }, (_, neuron) => ({ neuron, why: '' }))
    .filter(({ neuron }) => data.names[neuron] && words(neuron).includes(wanted))
    .sort((a, b) => data.name_scores[b.neuron] - data.name_scores[a.neuron] || a.neuron - b.neuron);
}

function neuronsByPart(wanted) {
  return neuronsBy(
    (neuron) =>
      data.labels[neuron].toLowerCase() !== wanted &&
      `${data.labels[neuron]} ${data.ids[neuron]} ${data.names[neuron]}`.toLowerCase().includes(wanted),
  );
}

// Neurons with the word at the peak of a context, those with most such contexts first. A token that begins with the
// word counts half.
function neuronsByWord(wanted) {
  const scores = new Map();
  for (const corpus of CORPORA) {
    const matches = matchingTokens(corpus, wanted);
    if (!matches.size) continue;
    const width = corpus.peaks.length / NEURON_COUNT;
    corpus.peaks.forEach((token, place) => {
      const neuron = Math.floor(place / width);
      if (matches.has(token)) scores.set(neuron, (scores.get(neuron) ?? 0) + matches.get(token));
    });
  }
  const { strength } = shown();
  return [...scores]
    .sort(([i, a], [j, b]) => b - a || strength[j] - strength[i] || i - j)
    .map(([neuron, score]) => ({ neuron, why: `active at “${wanted}” (${plural(Math.ceil(score), 'context')})` }));
}

function matchingTokens(corpus, wanted) {
  const matches = new Map();
  corpus.vocabulary.forEach((token, index) => {
    const word = token.replace(WORD_START, '').trim().toLowerCase();
    if (word === wanted) matches.set(index, 1);
    else if (wanted.length > 2 && word.startsWith(wanted)) matches.set(index, 0.5);
  });
  return matches;
}

export function showResults() {
  const text = byId('search').value;
  const results = searchResults(text);
  const items = results.map(({ neuron, community, why }) =>
    community === undefined
      ? createElement('li', {}, neuronButton(neuron), why ? ` ${why}` : '')
      : createElement('li', {}, communityButton(activeCorpus(), community)),
  );
  byId('results').replaceChildren(...items);
  if (!text.trim() || results.length) return;
  const peak = CORPORA[0].crops === null ? 'this word at the peak of' : 'this document among';
  const nothing = `Nothing has this name, and no neuron has ${peak} its contexts.`;
  byId('results').append(createElement('li', { class: 'hint' }, nothing));
}
