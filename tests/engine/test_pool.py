"""Processes that stay, are replaced where one is killed, and are gone with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.calls import alive, killed, own_variable, poison, remember
from support.divided import plain_environment
from support.waiting import until

from glasso_cli.engine import tasks
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.shares import ATTEMPTS
from glasso_cli.engine.tasks import Call, CallFailed, perform
from glasso_cli.errors import ConfigError

pytestmark = pytest.mark.slow


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool([{"GLASSO_TEST_PLACE": "a"}, {"GLASSO_TEST_PLACE": "b"}])
    yield made
    made.close()


def test_every_item_is_done_and_each_process_has_its_variables(pool: Pool, tmp_path: Path) -> None:
    outcomes = list(pool.run(own_variable, "GLASSO_TEST_PLACE", [(n,) for n in range(8)]))
    assert sorted(outcome.item for outcome in outcomes) == [(n,) for n in range(8)]
    assert {outcome.value[0] for outcome in outcomes} == {"a", "b"}
    assert len({outcome.value[1] for outcome in outcomes}) == 2  # processes
    assert "GLASSO_TEST_PLACE" not in os.environ
    again = list(pool.run(own_variable, "GLASSO_TEST_PLACE", [(n,) for n in range(8)]))
    assert {o.value for o in again} == {o.value for o in outcomes}  # the same processes


def test_a_killed_process_costs_one_attempt(pool: Pool, tmp_path: Path) -> None:
    outcomes = list(pool.run(killed, tmp_path, [(n, 1) for n in range(4)]))
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert len(list(tmp_path.glob("tried-*"))) == 2 * 4


def test_an_item_that_always_kills_its_process_is_told_and_the_others_are_done(pool: Pool, tmp_path: Path) -> None:
    outcomes = {o.item[0]: o for o in pool.run(killed, tmp_path, [(0, 9), (1, 0), (2, 0)])}
    assert isinstance(outcomes[0].error, CallFailed)
    assert "ended by signal 9, most likely for want of memory" in str(outcomes[0].error)
    assert (outcomes[1].error, outcomes[2].error) == (None, None)
    assert len(list(tmp_path.glob("tried-0-*"))) == ATTEMPTS


def test_an_item_that_always_fails_is_told_in_words(pool: Pool, tmp_path: Path) -> None:
    outcomes = {o.item[0]: o for o in pool.run(poison, tmp_path, [(0,), (1,)])}
    assert str(outcomes[0].error) == "StrangeError: no\nsuch thing"  # of a class that cannot be pickled
    assert len(remember(tmp_path)) == ATTEMPTS
    assert outcomes[1].value == 1


def test_other_versions_are_refused_at_once(monkeypatch: pytest.MonkeyPatch, pool: Pool, tmp_path: Path) -> None:
    monkeypatch.setattr(tasks, "versions", lambda: {"glasso": "0.0.1", "torch": "1.0"})
    with pytest.raises(ConfigError, match=r"has glasso 0\.0\.1, and this process has"):
        list(pool.run(poison, tmp_path, [(1,)]))
    assert remember(tmp_path) == []


def test_a_call_is_made_in_the_folder_of_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call = Call.of(own_variable, "GLASSO_TEST_PLACE")
    monkeypatch.chdir(os.path.dirname(__file__))
    perform(call, (0,))
    assert os.getcwd() == str(tmp_path)


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from support.calls import waits; from glasso_cli.engine.pool import Pool\n"
        f"if __name__ == '__main__': list(Pool([{{}}, {{}}]).run(waits, Path({str(tmp_path)!r}), [(0,), (1,)]))"
    )
    script = tmp_path / "driver.py"
    script.write_text(code)
    driver = subprocess.Popen([sys.executable, str(script)], env=plain_environment(), text=True)
    until(lambda: len(list(tmp_path.glob("pid-*"))) == 2, driver)
    pids = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert all(alive(pid) for pid in pids)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
    assert not any(alive(pid) for pid in pids)
