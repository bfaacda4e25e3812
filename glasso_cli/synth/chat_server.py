"""Ask a server that speaks OpenAI's chat completions: OpenAI, vLLM, Ollama, llama.cpp, ``transformers serve``.

The client is OpenAI's; its own retries are off. The key of OpenAI goes to OpenAI alone. An answer is handed on as soon
as it is there, so that whatever ends the run, none that arrived is paid for twice.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.config import SynthSection
from glasso_cli.config.env_file import PREFIXES
from glasso_cli.config.sections.prices import is_openai
from glasso_cli.corpora.unicode import well_formed
from glasso_cli.errors import ServiceError
from glasso_cli.synth.answers import Answer, Request, Take
from glasso_cli.synth.pace import Pace, backoff
from glasso_cli.synth.refusals import BusyError, FilteredError, ParameterError, PassingError, Server
from glasso_cli.synth.spending import Spending

if TYPE_CHECKING:
    from openai import AsyncOpenAI

GIVE_UP = 5  # requests in a row whose tries have all failed
# how servers say that an answer is whole, too long, or not allowed
_GOOD = {"stop", "stop_sequence", "end_turn", "eos", "eos_token", "end", "complete", "completed", "finished"}
_TOO_LONG = ("length", "max_tokens", "max_output", "token_limit")
_FILTERED = ("filter", "safety", "refus", "recitation", "block", "prohibited", "spii", "sensitive", "moderation")
AT_FIRST = 3  # further tries at most of a server that has not answered yet: its address may be wrong
_HEADERS = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}


def asked_of_server(section: SynthSection) -> dict[str, Any]:
    """Who is asked, as part of a request's key."""
    return {"kind": "openai", "base_url": section.base_url, "model": section.model}


def api_key(section: SynthSection) -> str | None:
    """The key for the server of ``section``: that of ``api_key_env``, or OPENAI_API_KEY for OpenAI itself.

    Raises :class:`ServiceError` when the variable is not set or holds what cannot be a key.
    """
    name = section.api_key_env or ("OPENAI_API_KEY" if is_openai(section.base_url) else None)
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        raise ServiceError(
            f"There is no API key: the environment variable {name} is not set.",
            _set_it(name),
        )
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ServiceError(f"What the environment variable {name} holds is not an API key.", "Set it again.")
    return value


def _set_it(name: str) -> str:
    """Where to set a key: only variables with certain names are taken from .env."""
    place = "Set it, put it into .env" if name.startswith(PREFIXES) else "Set it in the environment"
    return f"{place}, or point synth.base_url at a server of your own, which needs none."


@dataclass
class ChatServer:
    """A :class:`Writer` over HTTP. ``counts`` are of ``retries``, ``rate_limited`` and ``failed``."""

    section: SynthSection
    spending: Spending
    counts: Counter[str] = field(default_factory=Counter)
    budget_reached: bool = False
    has_answered: bool = False
    _limit: str = ""  # the name under which the server takes max_tokens
    _refused: set[str] = field(default_factory=set)  # parameters that it does not take
    _failed_in_a_row: int = 0

    def __post_init__(self) -> None:
        self._limit = "max_completion_tokens" if is_openai(self.section.base_url) else "max_tokens"

    def keys(self, request: Request) -> list[str]:
        return [request.key(asked_of_server(self.section))]

    def material(self, request: Request) -> dict[str, Any]:
        return request.material(asked_of_server(self.section))

    def ask(self, requests: Sequence[Request], take: Take) -> None:
        """Answer ``requests``; stops when the budget is reached, and leaves out what failed in all its tries.

        Raises :class:`ServiceError` when the server refuses the key, the model or the request, when the quota is used
        up, and when it does not answer at all.
        """
        server = Server(self.section.base_url, str(self.section.model), api_key(self.section))
        with _ctrl_c_of_asyncio():
            asyncio.run(_Session(self, server, deque(requests), take).run())

    def body(self, request: Request) -> dict[str, Any]:
        """What is sent."""
        optional = {"temperature": request.temperature, "top_p": request.top_p, "seed": request.seed}
        return {
            "model": self.section.model,
            "messages": request.chat,
            self._limit: request.max_tokens,
            **{name: value for name, value in optional.items() if name not in self._refused},
        }

    def do_without(self, name: str, sent: dict[str, Any]) -> bool:
        """Whether another try without the parameter ``name``, which the server refused, makes sense."""
        if name not in sent:
            return False
        if name.startswith("max_"):
            other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[name]
            if name == self._limit and other in self._refused:
                return False
            self._limit = other
        self._refused.add(name)
        return True

    def answered(self) -> None:
        """An answer came."""
        self.has_answered, self._failed_in_a_row = True, 0

    def hopeless(self) -> bool:
        """Whether, after another request whose tries have all failed, the server is to be given up."""
        self.counts["failed"] += 1
        self._failed_in_a_row += 1
        return not self.has_answered or self._failed_in_a_row >= GIVE_UP


@contextmanager
def _ctrl_c_of_asyncio() -> Iterator[None]:
    """Let asyncio handle Ctrl-C inside the block: it cancels its tasks, but takes over from Python's own handler alone."""
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if here else None
    if not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class _Session:
    """One event loop's work: requests in flight, their retries, and what is left in the queue."""

    chat: ChatServer
    server: Server
    queue: deque[Request]
    take: Take

    async def run(self) -> None:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        section = self.chat.section
        self._pace = Pace(section.max_parallel)
        self._settled = asyncio.Condition()
        http = DefaultAsyncHttpxClient(follow_redirects=False, event_hooks={"request": [self._only_ours]})
        async with AsyncOpenAI(
            api_key=self.server.secret or "none",
            base_url=section.base_url,
            timeout=section.timeout,
            max_retries=0,
            http_client=http,
        ) as client:
            tasks = [asyncio.create_task(self._work(client)) for _ in range(min(section.max_parallel, len(self.queue)))]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _only_ours(self, request: Any) -> None:
        """Take out every header that the client adds from the environment, and the key where there is none."""
        kept = _HEADERS | ({"authorization"} if self.server.secret else set())
        if is_openai(self.chat.section.base_url):
            kept |= {"openai-organization", "openai-project"}
        for name in set(request.headers) - kept:
            del request.headers[name]

    async def _work(self, client: AsyncOpenAI) -> None:
        """Answer one request after the other until none is left or the budget is reached."""
        while self.queue and not self.chat.budget_reached:
            request = self.queue.popleft()
            reserved = await self._reserve(request)
            if reserved is None:
                return
            try:
                await self._until_answered(client, request)
            except PassingError as error:
                if self.chat.hopeless():
                    raise self.server.gave_up(error) from None
            finally:
                self.chat.spending.release(reserved)
                async with self._settled:
                    self._settled.notify_all()

    async def _reserve(self, request: Request) -> float | None:
        """Room in the budget, when what is in flight leaves some; None when it is reached."""
        spending = self.chat.spending
        async with self._settled:
            while (reserved := spending.reserve(request)) is None:
                if spending.aside <= 0:
                    self.chat.budget_reached = True
                    return None
                await self._settled.wait()
        return reserved

    async def _until_answered(self, client: AsyncOpenAI, request: Request) -> None:
        """Try until there is an answer; raises :class:`PassingError` when all tries have failed."""
        failed = busy = 0
        retries = self.chat.section.retries
        while True:
            try:
                async with self._pace.turn():
                    await self._once(client, request)
                self._pace.faster()
                return
            except BusyError as error:
                busy += 1
                self.chat.counts["rate_limited"] += 1
                self._pace.slower(backoff(0) + error.pause if error.pause >= 0 else backoff(busy))
                if busy > 4 * (retries + 1):
                    raise
            except PassingError as error:
                failed += 1
                if failed > (retries if self.chat.has_answered else min(retries, AT_FIRST)):
                    raise
                await asyncio.sleep(max(error.pause, backoff(failed)))
            self.chat.counts["retries"] += 1

    async def _once(self, client: AsyncOpenAI, request: Request) -> None:
        """Send ``request`` and hand on what comes back."""
        while True:
            body = self.chat.body(request)
            try:
                text = await self._post(client, body)
                answer = read_answer(text, self.server)
                break
            except FilteredError as error:
                answer = Answer("", "filtered", (0, 0), {"error": str(error)})
                break
            except ParameterError as error:
                if not self.chat.do_without(error.name, body):
                    raise ServiceError(
                        f"{self.server.url} refuses the parameter '{error.name}'.", "Choose another synth.model."
                    ) from None
        self.chat.answered()
        self.chat.spending.charge(request, answer.tokens)
        # Nothing waits between the arrival and this: a cancelled task does not lose what arrived.
        await asyncio.to_thread(self.take, request, answer)

    async def _post(self, client: AsyncOpenAI, body: dict[str, Any]) -> str:
        """The text of the answer; every failure as one of the exceptions of ``refusals``."""
        import openai

        try:
            # Without the models of requests and answers, which cost more time than all the rest.
            return await client.post("/chat/completions", cast_to=str, body=body)
        except openai.APITimeoutError:
            raise PassingError(f"no answer within {self.chat.section.timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            cause = error.__cause__
            reason = self.server.clean(f"{type(cause).__name__}: {cause}".rstrip(": ") if cause else str(error))
            raise PassingError(f"the connection failed ({reason})") from None
        except openai.APIStatusError as error:
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            raise self.server.refusal(error.status_code, headers, error.body or error.response.text) from None
        except openai.OpenAIError as error:
            raise PassingError(self.server.clean(str(error))) from None


def read_answer(text: str, server: Server) -> Answer:
    """The answer in the JSON of a chat completion; raises :class:`PassingError` for anything else."""
    try:
        # The key goes after decoding: JSON can spell it with escapes.
        raw = server.clean_all(json.loads(text))
        choice = raw["choices"][0]
        message, reason = choice["message"], choice.get("finish_reason")
        content = _joined(message.get("content") or "")
        refused = bool(message.get("refusal"))
        usage = raw.get("usage") or {}
        counts: list[Any] = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise server.not_an_answer(text) from None
    if not isinstance(content, str):
        raise server.not_an_answer(text)
    fault = "filtered" if refused else _fault(reason, content)
    known = all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
    return Answer(content, fault, (counts[0], counts[1]) if known else None, raw)


def _joined(content: Any) -> Any:
    """The text of an answer; some servers send it in parts, of which only those that are text count."""
    if not isinstance(content, list):
        return well_formed(content) if isinstance(content, str) else content
    parts = [part if isinstance(part, str) else part.get("text", "") for part in content]
    return well_formed("".join(part for part in parts if isinstance(part, str)))


def _fault(reason: Any, content: str) -> str:
    """Why an answer that ended for ``reason`` cannot be used; only the reasons that are known to be good are.

    A server that gives no reason does not say that anything went wrong.
    """
    word = str(reason).lower()
    if reason is None or word in _GOOD:
        return "" if content.strip() else "empty"
    if any(part in word for part in _TOO_LONG):
        return "cut off"
    if any(part in word for part in _FILTERED):
        return "filtered"
    return "broken off"
