"""What goes to another process is done there once it is read, and what went wrong there can be read here."""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from support.calls import StrangeError, own_variable

from glasso_cli.engine.tasks import Call, CallFailed, ProcessEnded, clean_up, in_words, perform, portable
from glasso_cli.errors import DiskError, InputError, MissingExtraError


def sent(error: BaseException) -> BaseException:
    """``error`` as it arrives in another process."""
    found: BaseException = pickle.loads(pickle.dumps(portable(error)))
    return found


def test_a_call_is_made_in_the_folder_of_its_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call = Call.of(own_variable, "GLASSO_TEST_PLACE")
    monkeypatch.chdir(os.path.dirname(__file__))
    perform(call, (0,))
    assert os.getcwd() == str(tmp_path)


def test_what_was_pickled_is_needed_once() -> None:
    call = Call.of(own_variable, "GLASSO_TEST_PLACE")
    first, later = perform(call, (0,)), replace(call, pickled=b"")
    assert perform(later, (1,)) == first
    perform(Call.of(own_variable, "GLASSO_OTHER"), (0,))
    with pytest.raises(EOFError):
        perform(later, (2,))
    perform(call, (0,))
    clean_up()
    with pytest.raises(EOFError):
        perform(later, (2,))


def test_what_a_user_can_fix_arrives_as_it_is() -> None:
    wrong = sent(InputError("Too few blocks.", "Give more."))
    assert isinstance(wrong, InputError)
    assert (wrong.message, wrong.hint) == ("Too few blocks.", "Give more.")
    assert isinstance(sent(DiskError("The disk is full.")), DiskError)
    assert isinstance(sent(ModuleNotFoundError("no", name="seaborn")), MissingExtraError)
    gone = sent(FileNotFoundError(errno.ENOENT, "No such file or directory", "some.npz", None, "other.npz"))
    assert isinstance(gone, FileNotFoundError)
    assert (gone.errno, gone.filename, gone.filename2) == (errno.ENOENT, "some.npz", "other.npz")
    assert type(sent(np_memory_error())) is MemoryError


def np_memory_error() -> MemoryError:
    import numpy as np

    with pytest.raises(MemoryError) as caught:
        np.empty((1 << 40, 1 << 10))
    return caught.value


@pytest.mark.parametrize(
    "error", [StrangeError("no", "thing"), ModuleNotFoundError("no own", name="own"), OSError("of a library")]
)
def test_a_bug_arrives_in_words_with_its_traceback(error: Exception) -> None:
    try:
        raise error
    except Exception as caught:
        arrived = sent(caught)
    assert isinstance(arrived, CallFailed)
    assert in_words(arrived) == f"{type(error).__name__}: {error}"
    report = "".join(traceback.format_exception(arrived))
    assert "in test_a_bug_arrives_in_words_with_its_traceback" in report
    again = pickle.loads(pickle.dumps(ProcessEnded("by signal 9")))
    assert type(again) is ProcessEnded
    assert str(again) == "by signal 9"
