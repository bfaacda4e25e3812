"""Texts from a server: good answers, every kind of bad one, and never the same answer paid for twice."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.chat_api import BAD_JSON, CUT, HTML, ChatApi, Reply, answer, error
from support.synth_runs import Synth

# -- answers ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_texts_come_in_the_order_of_the_plan_whatever_comes_first(synth: Synth) -> None:
    synth.api.behave = lambda number, body: Reply(body=answer(body).body, seconds=0.1 * (6 - number))
    result = synth()
    assert result.stdout.split() == ["out/synth/tides.json", "out/synth/tides.jsonl"]
    assert "6 texts, 6 answers asked for, 900 tokens" in result.stderr
    assert "cost unknown" in result.stderr
    rows = synth.rows()
    assert [row["id"] for row in rows] == [f"tides-{n:04d}" for n in range(1, 7)]
    assert len({row["text"] for row in rows}) == 6
    by_prompt = {body["messages"][1]["content"]: body for body in synth.api.bodies}
    for row in rows:
        (prompt,) = [prompt for prompt in by_prompt if all(value in prompt for value in row["attributes"].values())]
        assert row["text"] == json.loads(answer(by_prompt[prompt]).body)["choices"][0]["message"]["content"]
        assert set(row["attributes"]) == {"genre", "register", "length", "point_of_view"}
        assert Path("answers", row["request_key"][:2], f"{row['request_key']}.json").is_file()


@pytest.mark.slow
def test_what_is_sent_is_the_request_and_nothing_else(synth: Synth) -> None:
    synth(temperature=0.5, top_p=0.9, max_tokens=77)
    for body in synth.api.bodies:
        assert set(body) == {"model", "messages", "max_tokens", "temperature", "top_p", "seed"}
        assert (body["model"], body["max_tokens"], body["temperature"], body["top_p"]) == ("small", 77, 0.5, 0.9)
    assert len({body["seed"] for body in synth.api.bodies}) == 6


def test_the_texts_load_as_a_dataset(synth: Synth) -> None:
    import datasets

    synth()
    rows = datasets.load_dataset("json", data_files=str(synth.texts), split="train", cache_dir="hf")
    assert rows.column_names == ["id", "topic", "attributes", "text", "request_key"]
    assert rows["text"] == [row["text"] for row in synth.rows()]


def test_a_second_run_asks_nothing_and_more_examples_ask_for_those_alone(synth: Synth) -> None:
    synth()
    first = synth.texts.read_bytes()
    synth("--force")
    assert len(synth.api.bodies) == 6
    assert synth.texts.read_bytes() == first
    synth(examples=10)
    assert len(synth.api.bodies) == 10
    assert max(synth.api.asked().values()) == 1
    assert synth.texts.read_bytes().startswith(first)
    synth(examples=3)
    assert len(synth.api.bodies) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [{"model": "other"}, {"temperature": 0.1}, {"max_tokens": 99}, {"top_p": 0.5}, {"attributes": {"era": ["past"]}}],
    ids=str,
)
def test_another_request_is_another_answer(synth: Synth, change: dict[str, Any]) -> None:
    synth()
    synth(**change)
    assert len(synth.api.bodies) == 12


def test_how_it_is_asked_is_not_what_is_asked(synth: Synth) -> None:
    synth()
    synth("--force", max_parallel=1, timeout=9, retries=0, api_key_env="GLASSO_NO_KEY", price_input=1, price_output=1)
    assert len(synth.api.bodies) == 6


# -- passing failures ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [
        error(500, "oops"),
        error(503, "loading"),
        error(408, "slow"),
        CUT,
        BAD_JSON,
        HTML,
        Reply(body="{}"),
        Reply(body='{"choices": []}'),
        Reply(body='{"choices": [{"message": {"content": [1]}}]}'),
        Reply(status=502, body="<html>bad gateway</html>", kind="text/html"),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:20]}",
)
def test_a_failure_that_passes_is_tried_again(synth: Synth, bad: Reply) -> None:
    synth.api.behave = lambda number, body: bad if number in (0, 4) else answer(body)
    result = synth()
    assert len(synth.rows()) == 6
    assert "2 retries" in result.stderr
    assert len(synth.api.bodies) == 8
    assert "6 answers asked for" in result.stderr


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_asked_for_again(synth: Synth) -> None:
    synth.api.behave = lambda number, body: Reply(body=answer(body).body, seconds=1.5 if number == 2 else 0)
    synth(timeout=0.5)
    assert len(synth.api.bodies) == 7
    assert len(synth.rows()) == 6


@pytest.mark.slow
def test_a_busy_server_is_given_the_time_it_asks_for_and_less_to_do(synth: Synth) -> None:
    seen: list[float] = []

    def behave(number: int, body: dict[str, Any]) -> Reply:
        seen.append(time.monotonic())
        return (
            error(429, "slow down", {"Retry-After": "1"})
            if number < 8
            else Reply(answer(body).status, answer(body).body, seconds=0.05)
        )

    synth.api.behave = behave
    result = synth(examples=24, max_parallel=8)
    assert len(synth.rows()) == 24
    assert "8 rate limited" in result.stderr
    # The first eight came together; what follows waits, and is fewer at a time.
    assert seen[8] - seen[7] >= 0.99


@pytest.mark.slow
def test_back_pressure_lowers_what_is_in_flight(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        with synth.api.lock:
            busy = synth.api.in_flight > 4
        return error(429, "too many") if busy else Reply(body=answer(body).body, seconds=0.03)

    synth.api.behave = behave
    synth(examples=40, max_parallel=16, retries=20)
    assert len(synth.rows()) == 40
    refused = len(synth.api.bodies) - 40
    assert 0 < refused < 60


def test_a_parameter_that_the_server_does_not_take_is_left_out(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        if "max_tokens" in body:
            said = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
            return error(400, said, param="max_tokens", code="unsupported_parameter")
        if "temperature" in body:
            return error(400, "Unsupported value: 'temperature' does not support 0.8.", param="temperature")
        return answer(body)

    synth.api.behave = behave
    synth()
    assert len(synth.rows()) == 6
    assert set(synth.api.bodies[-1]) == {"model", "messages", "max_completion_tokens", "top_p", "seed"}


# -- failures that do not pass ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "words", "most"),
    [
        (error(401, "Incorrect API key"), "wants a key (HTTP 401: Incorrect API key)", 6),
        (error(403, "Forbidden"), "HTTP 403: Forbidden", 6),
        (error(429, "You exceeded your quota", code="insufficient_quota"), "quota is used up", 6),
        (error(429, "You exceeded your quota", type="insufficient_quota"), "quota is used up", 6),
        (error(429, "come back", {"Retry-After": "7200"}), "asks to wait 120 minutes", 6),
        (error(404, "The model `small` does not exist", code="model_not_found"), "has no model 'small'", 6),
        (error(400, "messages: too long"), "refuses the request (HTTP 400: messages: too long)", 6),
        (Reply(302, "", {"Location": "http://127.0.0.1:1/v1"}), "refuses the request (HTTP 302", 6),
        (HTML, "answers with an HTML page", 24),
        (BAD_JSON, "answers with what is not an answer", 24),
        (error(500, "oops"), "does not answer: HTTP 500: oops", 24),
        (CUT, "does not answer: the connection failed", 24),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_server_that_is_no_use_ends_the_run_with_4(synth: Synth, reply: Reply, words: str, most: int) -> None:
    synth.api.behave = lambda number, body: reply
    assert words in synth.refused(4)
    assert len(synth.api.bodies) <= most
    assert not synth.manifest.exists()
    assert synth.kept() == []


def test_a_server_that_is_not_there(synth: Synth) -> None:
    said = synth.refused(4, base_url="http://127.0.0.1:9/v1")
    assert "http://127.0.0.1:9/v1 does not answer: the connection failed" in said
    assert "synth.base_url" in said


def test_what_arrived_before_the_quota_ended_is_kept(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        return answer(body) if number < 4 else error(429, "no more", code="insufficient_quota")

    synth.api.behave = behave
    synth.refused(4, max_parallel=1)
    assert len(synth.kept()) == 4
    synth.api.behave = lambda number, body: answer(body)
    synth.api.forget()
    synth()
    assert len(synth.api.bodies) == 2
    assert len(synth.rows()) == 6


def test_a_server_that_dies_in_the_middle_is_given_up(synth: Synth) -> None:
    synth.api.behave = lambda number, body: answer(body) if number < 10 else error(500, "dead")
    synth.refused(4, examples=40, max_parallel=1, retries=1)
    assert len(synth.api.bodies) == 10 + 5 * 2
    assert len(synth.kept()) == 10


# -- short of the count -------------------------------------------------------------------------------------


def test_a_request_that_never_succeeds_is_left_out_and_asked_for_again_later(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        return error(500, "cursed") if "diary" in body["messages"][1]["content"] else answer(body)

    synth.api.behave = behave
    said = synth("-q", code=5, examples=12, retries=1, max_parallel=2).stderr
    assert "tides: 11 of the 12 texts asked for (1 had no answer in all tries)" in said
    assert len(synth.rows()) == 11
    assert "WILL RUN    1 texts had no answer" in synth("-n", examples=12).stdout
    synth.api.behave = lambda number, body: answer(body)
    synth.api.forget()
    synth(examples=12)
    assert len(synth.api.bodies) == 1
    assert len(synth.rows()) == 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (lambda body: answer(body, reason="length"), "cut off"),
        (lambda body: answer(body, text="", reason="content_filter"), "filtered"),
        (lambda body: error(400, "policy", code="content_filter"), "filtered"),
        (lambda body: answer(body, text=" \n"), "empty"),
        (lambda body: answer(body, text="<think>Let me see.</think>"), "empty"),
    ],
    ids=["length", "content_filter", "status 400", "blank", "thoughts only"],
)
def test_an_answer_that_cannot_be_used_is_drawn_again_and_not_kept(synth: Synth, bad: Any, name: str) -> None:
    synth.api.behave = lambda number, body: bad(body) if number == 3 else answer(body)
    result = synth()
    assert f"1 {name} drawn again" in result.stderr
    assert len(synth.rows()) == 6
    assert synth.metrics()["drawn_again"] == {name: 1}
    texts = {row["text"] for row in synth.rows()}
    kept = {json.loads(path.read_text())["text"] for path in synth.kept()}
    assert texts == kept - {"<think>Let me see.</think>"}


def test_every_answer_filtered(synth: Synth) -> None:
    synth.api.behave = lambda number, body: answer(body, text="", reason="content_filter")
    said = synth.refused(5)
    assert "not one answer can be used (6 filtered)" in said
    assert len(synth.api.bodies) == 6  # no more of what is no use
    assert not synth.manifest.exists()


def test_some_that_can_never_be_used_leave_it_short(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        return answer(body, reason="length" if "diary" in body["messages"][1]["content"] else "stop")

    synth.api.behave = behave
    said = synth("-q", code=5, examples=12, max_redraws=2).stderr
    assert "11 of the 12 texts asked for (no draw of 1 could be used)" in said
    assert len(synth.api.bodies) == 14
    assert synth("-q", code=5, examples=12, max_redraws=2).stdout  # and it says so when it is up to date
    assert len(synth.api.bodies) == 14


def test_near_duplicates_are_drawn_again_and_counted(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        again = "already" in body["messages"][1]["content"]
        return answer(body) if again else answer(body, text="The same old story, told again and again to everyone.")

    synth.api.behave = behave
    result = synth(max_parallel=1)
    assert "5 near duplicate drawn again" in result.stderr
    assert len(synth.api.bodies) == 11
    rows = synth.rows()
    assert [row["text"].startswith("The same old story") for row in rows] == [True, *[False] * 5]
    synth("--force")
    assert len(synth.api.bodies) == 11
    assert synth.rows() == rows


def test_what_models_say_around_a_text_is_taken_away(synth: Synth) -> None:
    def behave(number: int, body: dict[str, Any]) -> Reply:
        text = json.loads(answer(body).body)["choices"][0]["message"]["content"]
        return answer(body, text=f"Sure! Here is the text you asked for:\n\n**On the tides**\n{text}\n")

    synth.api.behave = behave
    synth()
    assert not any("Sure" in row["text"] or "**" in row["text"] for row in synth.rows())
    assert all(row["text"].endswith(".") for row in synth.rows())


# -- money ---------------------------------------------------------------------------------------------------


def test_the_cost_is_counted_and_stored(synth: Synth) -> None:
    prices: dict[str, Any] = {"price_input": 1.0, "price_output": 10.0}
    result = synth(**prices)
    assert synth.metrics()["cost_usd"] == pytest.approx(6 * (90 * 1.0 + 60 * 10.0) / 1e6)
    assert "$0.0041" in result.stderr
    assert synth.metrics()["tokens"] == {"prompts": 540, "answers": 360}


def test_a_budget_is_never_exceeded_and_work_goes_on_when_it_is_raised(synth: Synth) -> None:
    prices: dict[str, Any] = {"price_input": 1.0, "price_output": 10.0, "max_tokens": 60}
    one = (90 * 1.0 + 60 * 10.0) / 1e6
    said = synth("-q", code=5, budget_usd=3.5 * one, **prices).stderr
    assert "texts asked for (synth.budget_usd left no room for" in said
    done = len(synth.api.bodies)
    assert 1 <= done <= 3
    assert len(synth.rows()) == done
    assert synth.metrics()["cost_usd"] <= 3.5 * one
    assert synth("-q", code=5, budget_usd=3.5 * one, **prices).stdout
    assert len(synth.api.bodies) == done
    synth(budget_usd=20 * one, **prices)
    assert len(synth.api.bodies) == 6
    assert max(synth.api.asked().values()) == 1


def test_a_budget_counts_answers_that_were_kept(synth: Synth) -> None:
    prices: dict[str, Any] = {"price_input": 1.0, "price_output": 10.0, "max_tokens": 60}
    one = (90 * 1.0 + 60 * 10.0) / 1e6
    synth(**prices)
    synth("-q", code=5, budget_usd=6.5 * one, examples=10, **prices)
    assert len(synth.api.bodies) == 6
    assert len(synth.rows()) == 6


def test_a_budget_that_holds_no_text(synth: Synth) -> None:
    said = synth.refused(5, budget_usd=1e-6, price_input=1.0, price_output=10.0)
    assert "leaves no room for one text" in said
    assert synth.api.bodies == []


def test_an_answer_without_usage_counts_as_the_dearest(synth: Synth) -> None:
    synth.api.behave = lambda number, body: answer(body, usage=None)
    synth(price_input=0.0, price_output=10.0, max_tokens=100)
    assert synth.metrics()["cost_usd"] == pytest.approx(6 * 100 * 10 / 1e6)
    assert synth.metrics()["tokens"] is None


# -- the plan ------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_counts_prompts_tokens_and_cost_and_asks_nobody(synth: Synth) -> None:
    said = synth("-n", price_input=1.0, price_output=10.0, budget_usd=2.0).stdout
    assert "6 texts on 'the tides' by small" in said
    assert "0 answers are kept, 6 to be asked for" in said
    assert said.count("Write one text about this topic: the tides") == 2
    assert "at most 1,920 of answers" in said
    assert "at most about $0.02, and never more than $2.00" in said
    assert "cost unknown" in synth("-n").stdout
    assert synth.api.bodies == []
    synth(examples=4)
    assert "4 answers are kept, 2 to be asked for" in synth("-n").stdout


def test_a_dry_run_as_json_parses(synth: Synth) -> None:
    rows = [json.loads(line) for line in synth("-n", "--json").stdout.splitlines()]
    assert [set(row) for row in rows] == [{"stage", "corpus", "fresh", "reason"}, {"stage", "corpus", "preview"}]


def test_most_requests_in_flight(synth: Synth, api: ChatApi) -> None:
    api.behave = lambda number, body: Reply(body=answer(body).body, seconds=0.05)
    synth(examples=20, max_parallel=4)
    assert api.most_in_flight == 4
