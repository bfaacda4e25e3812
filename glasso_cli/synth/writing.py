"""From a plan to texts: answers that are kept or asked for, cleaned, and drawn again where they cannot be used.

The draws go in rounds: all texts of the plan, then another draw of those that could not be used, and so on. In every
round the texts are judged in the order of the plan, so that the result does not depend on which answer came first.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from glasso_cli.config import SynthSection
from glasso_cli.config.sections.prices import dollars
from glasso_cli.config.sections.synth import LOCAL_MODEL
from glasso_cli.console import Reporter
from glasso_cli.corpora.near_duplicates import distinct
from glasso_cli.synth.answers import Answer, Answers, Request, Writer
from glasso_cli.synth.prompts import TEMPLATE, Brief
from glasso_cli.synth.spending import Spending, likely_tokens_in

_Answers = dict[int, tuple[str, Answer]]  # place in the plan → key and answer


@dataclass(frozen=True)
class Text:
    """One text of the plan, and the key of the answer that it is."""

    brief: Brief
    text: str
    request_key: str


@dataclass
class Written:
    """What came of a plan: the texts in its order, and what did not become one.

    ``faults`` counts answers by what was wrong with them, ``left`` the texts that lack by why: ``unanswered`` after all
    tries, not asked for because the ``budget`` was reached, or ``unusable`` in every draw.
    """

    texts: list[Text] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    asked: int = 0  # answers of this run
    tokens: tuple[int, int] = (0, 0)
    tokens_known: bool = True


def request_for(brief: Brief, draw: int, section: SynthSection) -> Request:
    """The request for one draw of a text."""
    return Request(
        messages=tuple((message["role"], message["content"]) for message in brief.messages(draw)),
        opening=brief.opening(draw),
        temperature=section.temperature,
        top_p=section.top_p,
        max_tokens=section.max_tokens,
        seed=brief.sampling_seed(draw),
        replicate=brief.replicate,
        draw=draw,
        template=TEMPLATE,
    )


@dataclass
class TextWriting:
    """Where a plan is worked on: who answers, what is kept, and what may be spent."""

    name: str
    section: SynthSection
    writer: Writer
    answers: Answers
    spending: Spending
    reporter: Reporter

    def write(self, briefs: Sequence[Brief]) -> Written:
        """The texts of ``briefs``; raises :class:`ServiceError` as the writer does, with all that arrived kept."""
        written = Written()
        texts: dict[int, Text] = {}
        pending = list(briefs)
        for draw in range(self.section.max_redraws + 1):
            requests = {brief.index: request_for(brief, draw, self.section) for brief in pending}
            answers = self._answers(requests, written)
            again = [brief for brief in pending if brief.index in answers]
            self._judge(again, answers, texts, written)
            for brief in pending:
                if brief.index not in answers:
                    written.left["budget" if self.writer.budget_reached else "unanswered"] += 1
            pending = [brief for brief in again if brief.index not in texts]
            if not pending or not texts:  # where not one of a whole plan can be used, more of them are no remedy
                break
        written.left["unusable"] = len(pending)
        written.texts = [texts[index] for index in sorted(texts)]
        return written

    def _answers(self, requests: dict[int, Request], written: Written) -> _Answers:
        """The answers by the place in the plan: the kept ones, and those that come now."""
        answers: _Answers = {}
        missing: dict[Request, int] = {}
        for index, request in requests.items():
            for key in self.writer.keys(request):
                if kept := self.answers.get(key):
                    answers[index] = (key, kept)
                    self.spending.charge(request, kept.tokens)
                    break
            else:
                missing[request] = index
        if missing:
            self._ask(missing, answers, written)
        for _, answer in answers.values():
            counted = answer.tokens or (0, 0)
            written.tokens = (written.tokens[0] + counted[0], written.tokens[1] + counted[1])
            written.tokens_known &= answer.tokens is not None
        return answers

    def _ask(self, missing: dict[Request, int], answers: _Answers, written: Written) -> None:
        lock = threading.Lock()
        with self.reporter.progress(f"synth {self.name}", len(missing), "texts") as advance:

            def take(request: Request, answer: Answer) -> None:
                key = self.writer.keys(request)[0]
                if not answer.fault:
                    self.answers.put(key, self.writer.material(request), answer)
                with lock:
                    answers[missing[request]] = (key, answer)
                    written.asked += 1
                    advance(1)

            self.writer.ask(list(missing), take)

    def _judge(self, briefs: Sequence[Brief], answers: _Answers, texts: dict[int, Text], written: Written) -> None:
        """Put the texts that can be used into ``texts`` and count what is wrong with the others."""
        usable: list[Text] = []
        for brief in briefs:
            key, answer = answers[brief.index]
            text = clean(answer.text)
            if fault := answer.fault or ("" if text else "empty"):
                written.faults[fault] += 1
            else:
                usable.append(Text(brief, text, key))
        before = [texts[index].text for index in sorted(texts)]
        new = distinct([item.text for item in usable], self.section.near_duplicate, before)
        for item, keep in zip(usable, new, strict=True):
            if keep:
                texts[item.brief.index] = item
            else:
                written.faults["near duplicate"] += 1


# -- what a model says beside the text ---------------------------------------------------------------

_WORDS = (
    "think(?:ing)?|thoughts?|reason(?:ing)?|reflection|reflecting|analysis|scratchpad|inner_monologue|plan(?:ning)?"
)
# One end of a passage of thoughts: <think>, </thinking>, [/THINK], ◁think▷, <|end_of_thought|>, <seed:think>, …
_END_OF_THOUGHTS = re.compile(
    rf"[<\[◁]\|?(?P<close>/?)(?P<edge>begin_of_|end_of_|start_|end_)?(?:\w+[:_-])?(?:{_WORDS})\b[^<>\[\]◁▷\n]{{0,60}}\|?[>\]▷]",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]{0,60}<\|message\|>")  # gpt-oss: analysis, then final
_TOKEN = re.compile(r"<\|\w{1,30}\|>")
_PREAMBLE = re.compile(
    r"(sure|certainly|of course|okay|absolutely|here(?:'s|’s| is| are))\b[^\n]{0,200}:\s*\n", re.IGNORECASE
)
_HEADING = re.compile(r"(#{1,6} [^\n]*|\*\*[^\n*]+\*\*:?|title: [^\n]*)\n", re.IGNORECASE)


def clean(text: str) -> str:
    """``text`` without what models put around one although they are asked not to: thoughts, remarks, a heading, quotes."""
    text = without_thoughts(text).strip()
    for around in (_PREAMBLE, _HEADING):
        if match := around.match(text):
            text = text[match.end() :].strip()
    if len(text) > 1 and (text[0], text[-1]) in (('"', '"'), ("“", "”")) and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def without_thoughts(text: str) -> str:
    """What follows the thoughts of a model; nothing where they do not end."""
    if channels := list(_CHANNEL.finditer(text)):
        last = channels[-1]
        return _TOKEN.split(text[last.end() :])[0] if last[1].lower() == "final" else ""
    start = 0
    open_ = False
    for edge in _END_OF_THOUGHTS.finditer(text):
        open_ = not (edge["close"] or (edge["edge"] or "").lower().startswith("end"))
        start = edge.end()
    return "" if open_ else text[start:]


# -- what would be asked -----------------------------------------------------------------------------


def preview_lines(briefs: Sequence[Brief], section: SynthSection, writer: Writer, answers: Answers) -> list[str]:
    """How many answers a plan needs, how many tokens they are and what they cost, and its first two prompts."""
    requests = [request_for(brief, 0, section) for brief in briefs]
    missing = [request for request in requests if not any(answers.get(key) for key in writer.keys(request))]
    local = section.provider == "local"
    where = (
        "on this machine" if local else "nowhere, only kept ones" if section.provider == "replay" else section.base_url
    )
    lines = [
        f"{len(requests):,} texts on {briefs[0].topic!r} by {section.model or LOCAL_MODEL} ({where}): "
        f"{len(requests) - len(missing):,} answers are kept, {len(missing):,} to be asked for"
    ]
    asked = sum(map(likely_tokens_in, missing))
    most = len(missing) * section.max_tokens
    lines.append(f"about {asked:,} tokens of prompts and at most {most:,} of answers, before any is drawn again")
    if section.provider == "openai":
        price = section.price
        cost = f"at most about {dollars(price.of(asked, most))}" if price else dollars(None)
        lines.append(cost + (f", and never more than {dollars(section.budget_usd)}" if section.budget_usd else ""))
    for brief, request in list(zip(briefs, requests))[:2]:
        lines.append(f"prompt {brief.index + 1} of {len(requests)}:")
        shown = [f"[{role}] {content}" for role, content in request.messages]
        if local:
            shown.append(f"[without a chat template, the model goes on from] {request.opening}")
        lines += [f"    {line}" for text in shown for line in text.splitlines()]
    return lines
