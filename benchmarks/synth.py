"""How close `synth` comes to the time that the server alone takes: many requests to a server on this machine.

    python benchmarks/synth.py --requests 600 --milliseconds 50 --parallel 16

The server is another process that answers every request after the given time, however many there are. The ideal time is
requests x milliseconds / parallel; what is above it is the client, the retries and the file of every answer. Importing
the client, once a run, is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from glasso_cli.config import SynthSection
from glasso_cli.config.sections.synth import ATTRIBUTES
from glasso_cli.console import Console
from glasso_cli.synth.answers import Answers, Request, Take
from glasso_cli.synth.chat_server import ChatServer
from glasso_cli.synth.prompts import plan
from glasso_cli.synth.spending import Spending
from glasso_cli.synth.writing import TextWriting


async def serve(seconds: float) -> None:
    """A chat server that answers every request with a text of its own after ``seconds``; says its port."""
    served = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l")
            )
            await reader.readexactly(length)
            await asyncio.sleep(seconds)
            served += 1
            text = " ".join(f"{served * 7919 + word:x}" for word in range(100))
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"{text}."}}
            usage = {"prompt_tokens": 80, "completion_tokens": 130, "total_tokens": 210}
            body = json.dumps({"id": "x", "model": "m", "choices": [choice], "usage": usage}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

    def ended(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Clients close their connections when they are done."""

    asyncio.get_running_loop().set_exception_handler(ended)
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


class Timed(ChatServer):
    """The writer, with the seconds in which it asked and its answers were kept."""

    seconds = 0.0

    def ask(self, requests: Sequence[Request], take: Take) -> None:
        started = time.perf_counter()
        super().ask(requests, take)
        self.seconds += time.perf_counter() - started


def ask(url: str, requests: int, parallel: int) -> tuple[float, float]:
    """Seconds until all requests have ended, and until their texts are judged; no answer was kept before."""
    with tempfile.TemporaryDirectory() as folder:
        section = SynthSection(
            provider="openai", model="m", base_url=url, examples=requests, max_parallel=parallel, near_duplicate=1.0
        )
        spending = Spending()
        writer = Timed(section, spending)
        desk = TextWriting("bench", section, writer, Answers(Path(folder)), spending, Console(quiet=True))
        briefs = plan("the tides", ATTRIBUTES, requests, 0)
        started = time.perf_counter()
        written = desk.write(briefs)
        seconds = time.perf_counter() - started
        assert len(written.texts) == requests, written.left
        assert len(list(Path(folder).rglob("*.json"))) == requests
    return writer.seconds, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--milliseconds", type=float, default=50)
    parser.add_argument("--parallel", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    words = [sys.executable, __file__, "--serve", str(options.milliseconds / 1000)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        started = time.perf_counter()
        import openai  # noqa: F401

        print(f"importing the client   {time.perf_counter() - started:6.2f} s")
        ask(url, options.parallel, options.parallel)  # what is imported and connected for the first time
        ideal = options.requests * options.milliseconds / 1000 / options.parallel
        times = [ask(url, options.requests, options.parallel) for _ in range(options.repeats)]
        print(f"ideal                  {ideal:6.2f} s")
        for seconds, judged in times:
            print(
                f"{options.requests} requests           {seconds:6.2f} s   {seconds / ideal:.2f} x   judged after {judged:.2f} s"
            )
        median = statistics.median(seconds for seconds, _ in times)
        load = f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
        print(f"median                 {median:6.2f} s   {median / ideal:.2f} x{load}")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
