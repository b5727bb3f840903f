import errno
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
        (OSError(errno.ENOSPC, "No space left", "/x/y.npz"), 2, "no space left on the disk"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x/y"), 2, "/x/y: Not a directory"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "name another file"),
    ],
)
def test_what_a_user_did_ends_in_one_line(problem, code, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(problem, tmp_path)
    assert stopped.value.code == code
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    with pytest.raises(KeyError):
        run(KeyError("a bug"), tmp_path)
    with pytest.raises(OSError, match="denied"):
        run(OSError(errno.EACCES, "denied"), tmp_path)
