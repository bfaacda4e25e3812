// The card at the right: one neuron, edge or community, or the strongest neurons where nothing is chosen.

import { acrossList } from './across.js';
import { activityLines } from './activity.js';
import { groupLists } from './columns.js';
import { contextsPlace, fillContexts } from './contexts.js';
import { CORPORA, changePoint, data, peakTokens } from './data.js';
import {
  byId,
  communityButton,
  createButton,
  createElement,
  definitions,
  formatCount,
  formatSigned,
  hint,
  nameOf,
  neuronButton,
  plural,
  quoted,
  signText,
  whyButton,
} from './draw.js';
import { edgeCard } from './edge-card.js';
import { centreOn } from './graph.js';
import { communitySums } from './matrix.js';
import { pathCard, pathsOf } from './paths.js';
import { pinFields, pinOf, togglePin } from './pins.js';
import { activeCorpus, isChange, neighbours, shown, state } from './state.js';

const MOST_NEIGHBOURS = 12;
const MOST_STRONGEST = 15;
let cardNumber = 0; // contexts come later: those for an earlier card are dropped

export async function showCard() {
  const number = ++cardNumber;
  const card = byId('card');
  card.replaceChildren(...cardContent());
  card.scrollTop = 0;
  await fillContexts(card, () => number !== cardNumber);
}

function cardContent() {
  const { edge, neuron, community, path } = state;
  if (edge) return edgeCard(...edge.split('-').map(Number));
  if (neuron !== null) return neuronCard(neuron);
  if (community !== null && community < activeCorpus().size) return communityCard(community);
  if (path !== null) return pathCard(path);
  return strongestNeurons();
}

// -- nothing chosen: the strongest neurons ------------------------------------------------------------

function strongestNeurons() {
  const { order, degree } = shown();
  const strongest = [...order.subarray(0, MOST_STRONGEST)].filter((neuron) => degree[neuron] > 0);
  const noChange = isChange() && !changePoint().edge.length;
  const nothing = noChange ? 'No pair differs beyond its error.' : 'No edge passes what is set on the left.';
  return [
    createElement('h2', {}, isChange() ? 'Neurons that change most' : 'Strongest neurons'),
    hint('Each with the context that activates it most. Choose one, a community or an edge, to see why it is there.'),
    strongest.length
      ? createElement('ol', { class: 'plain', id: 'strongest' }, ...strongest.map(strongestItem))
      : createElement('p', {}, nothing),
  ];
}

function strongestItem(neuron) {
  const { degree, strength } = shown();
  const corpus = activeCorpus();
  const contexts = (isChange() ? CORPORA : [corpus]).map((each) => contextsPlace(each, neuron, 1));
  const numbers = ` ${plural(degree[neuron], 'edge')}, strength ${strength[neuron].toFixed(2)}, `;
  const community = communityButton(corpus, corpus.communities[neuron]);
  return createElement('li', {}, neuronButton(neuron), numbers, community, ...contexts);
}

// -- a neuron -----------------------------------------------------------------------------------------

function neuronCard(neuron) {
  const { degree, strength, influence } = shown();
  const corpus = activeCorpus();
  const pin = pinOf(neuron);
  return [
    createElement('h2', {}, data.labels[neuron]),
    ...neuronName(neuron),
    hint(data.ids[neuron]),
    definitions([
      ['community', communityButton(corpus, corpus.communities[neuron])],
      ['edges shown', formatCount(degree[neuron])],
      ['strength', strength[neuron].toFixed(3)],
      ['expected influence', formatSigned(influence[neuron])],
      ...activityLines(neuron),
    ]),
    neuronActions(neuron, Boolean(pin)),
    ...(pin ? [pinFields(pin)] : []),
    ...neighbourLists(neuron),
    ...groupLists(neuron),
    ...acrossList(neuron),
    ...pathsOf(neuron),
    ...CORPORA.flatMap((each) => [
      createElement('h3', {}, CORPORA.length > 1 ? `Strongest contexts in ${each.name}` : 'Strongest contexts'),
      ...(each.crops === null ? [] : [hint(each.crops)]),
      contextsPlace(each, neuron),
    ]),
  ];
}

// The name with its score, or the reason why there is none.
function neuronName(neuron) {
  if (activeCorpus().crops !== null) return [];
  const score = data.name_scores[neuron];
  const known = Number.isNaN(score) ? 'too few documents' : `AUC on other documents ${score.toFixed(2)}`;
  if (!data.names[neuron]) return [hint(`No name: no words tell its poles apart (${known}).`)];
  return [
    createElement('p', { class: 'name' }, data.names[neuron]),
    hint(`Words at its strongest contexts. ${known}.`),
  ];
}

function neuronActions(neuron, pinned) {
  const properties = { id: 'pin', 'aria-pressed': String(pinned), onclick: () => togglePin(neuron) };
  const pin = createButton(properties, pinned ? 'Unpin' : 'Pin');
  return createElement('p', {}, pin, ' ', createButton({ onclick: () => centreOn(neuron) }, 'Show in the graph'));
}

function neighbourLists(neuron) {
  const around = neighbours(neuron);
  const [positive, negative] = isChange()
    ? ['More positive in B', 'More negative in B']
    : ['Positive edges', 'Negative edges'];
  return [
    ...neighbourList(
      neuron,
      positive,
      around.filter(({ rho }) => rho > 0),
    ),
    ...neighbourList(
      neuron,
      negative,
      around.filter(({ rho }) => rho < 0),
    ),
  ];
}

function neighbourList(neuron, title, around) {
  const heading = createElement('h3', {}, `${title} (${formatCount(around.length)})`);
  if (!around.length) return [heading, hint('none')];
  const items = around.slice(0, MOST_NEIGHBOURS).map((other) => {
    const buttons = [neuronButton(other.neuron), ' ', whyButton(neuron, other.neuron)];
    return createElement('li', {}, signText(other.rho), ' ', ...buttons);
  });
  const weaker = around.length - MOST_NEIGHBOURS;
  if (weaker > 0) items.push(createElement('li', { class: 'hint' }, `and ${formatCount(weaker)} weaker`));
  return [heading, createElement('ul', { class: 'plain' }, ...items)];
}

// -- a community --------------------------------------------------------------------------------------

function communityCard(community) {
  const corpus = activeCorpus();
  const members = [...shown().order].filter((neuron) => corpus.communities[neuron] === community);
  const { net, count, size } = communitySums();
  const others = Array.from({ length: size }, (_, other) => other)
    .filter((other) => other !== community && count(community, other))
    .sort((a, b) => Math.abs(net(community, b)) - Math.abs(net(community, a)))
    .slice(0, 6);
  const links = others.map((other) => {
    const edges = ` ${plural(count(community, other), 'edge')}`;
    return createElement('li', {}, signText(net(community, other)), ' ', communityButton(corpus, other), edges);
  });
  return [
    createElement('h2', {}, nameOf(community)),
    ...communityName(corpus.names[community]),
    definitions([
      ['neurons', formatCount(members.length)],
      ['edges inside', formatCount(count(community, community))],
      ['together', formatSigned(net(community, community), 2)],
    ]),
    createElement('h3', {}, 'Strongest members'),
    createElement('ul', { class: 'plain' }, ...members.slice(0, 15).map(memberItem)),
    createElement('h3', {}, 'Links to other communities'),
    links.length ? createElement('ul', { class: 'plain' }, ...links) : hint('none'),
  ];
}

function communityName(name) {
  if (activeCorpus().crops !== null) return [];
  if (!name) return [createElement('p', {}, 'No name: no words tell its neurons apart on other documents.')];
  const where = 'Words at the peaks of its neurons’ contexts more often than of all others’';
  return [
    createElement('p', { class: 'name' }, name.words.join(', ')),
    hint(`${where}. AUC on other documents: ${name.score.toFixed(2)}.`),
  ];
}

function memberItem(neuron) {
  const hasWords = !data.names[neuron] && activeCorpus().crops === null;
  const words = hasWords ? quoted(peakTokens(activeCorpus(), neuron).slice(0, 3)) : '';
  return createElement('li', {}, neuronButton(neuron), ` strength ${shown().strength[neuron].toFixed(2)} ${words}`);
}
