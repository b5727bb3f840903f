import errno
import json
import os
from types import SimpleNamespace

import pytest

from experiments import _main


def run(problem, tmp_path):
    def task(config):
        raise problem

    return _main._friendly(task, SimpleNamespace(run_dir=tmp_path), [])


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        (ValueError("training.num_steps=0: must be at least 1"), 2, "must be at least 1"),
        (KeyboardInterrupt(), 130, "run the same command to go on"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/y"), 2, "/x/y: Not a directory"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "name another file"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x/y.npz"),
            2,
            "no space left on the disk (/x/y.npz); free some and run the same command again",
        ),
        (
            OSError(errno.ENOSPC, "a checkpoint takes 9 bytes and 1 are free", "/x"),
            2,
            "the disk (/x): a checkpoint takes 9 bytes and 1 are free; free some",
        ),
    ],
)
def test_what_a_user_did_ends_in_one_line(problem, code, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(problem, tmp_path)
    assert stopped.value.code == code
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_a_run_is_recorded_by_its_own_name_whatever_process_it_is_in(tmp_path):
    with pytest.raises(SystemExit):
        run(ValueError("x"), tmp_path)
    # __main__ is pytest here, and the launcher in a process of a sweep.
    assert json.loads((tmp_path / "run.json").read_text())["command"] == (
        "python -m experiments.test_main"
    )


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    with pytest.raises(KeyError):
        run(KeyError("a bug"), tmp_path)
    with pytest.raises(OSError, match="denied"):
        run(OSError(errno.EACCES, "denied"), tmp_path)
