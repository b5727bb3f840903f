import multiprocessing.context
import os

import pytest

from medr_jax import jsonl
from medr_jax.trajectories.crew import Crew, finished
from medr_jax.types import Record


class Sum(Record):
    total: int
    process: int


class SumJob(Record):
    path: str
    numbers: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.numbers)

    def run(self, bench: "Bench") -> Sum:
        if 13 in self.numbers:
            os._exit(1)  # as when the system kills a process for its memory
        if 7 in self.numbers:
            raise ValueError("seven")
        return Sum(total=bench.base + sum(self.numbers), process=os.getpid())


class Bench:
    base = 0

    def warm_up(self) -> None:
        self.base = 100


def warm() -> Bench:
    bench = Bench()
    bench.warm_up()
    return bench


def jobs(folder, *parts):
    return [SumJob(path=str(folder / f"{i}.json"), numbers=part) for i, part in enumerate(parts)]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_results_are_files_whoever_works(tmp_path, num_workers):
    todo = jobs(tmp_path, (1, 2), (3,), (4, 5))
    advanced = []
    with Crew(warm, num_workers, here=warm()) as crew:
        crew.run(todo, advanced.append)
    results = [finished(tmp_path / f"{i}.json", Sum) for i in range(3)]
    assert sorted(advanced) == [1, 2, 2]
    assert [result.total for result in results] == [103, 103, 109]
    assert (os.getpid() in {result.process for result in results}) == (num_workers == 1)


def test_workers_start_in_a_process_of_a_sweep(tmp_path, monkeypatch):
    class Loky(multiprocessing.context.SpawnContext):
        _name = "loky"  # what joblib makes the default in its processes; others do not know it

    default = multiprocessing.context._default_context
    monkeypatch.setattr(default, "_actual_context", Loky())
    with Crew(warm, 2, here=warm()) as crew:
        crew.run(jobs(tmp_path, (1,), (2,)), lambda size: None)
    assert [finished(tmp_path / f"{i}.json", Sum).total for i in range(2)] == [101, 102]


def test_an_unreadable_result_is_to_be_redone(tmp_path):
    path = tmp_path / "0.json"
    assert finished(path, Sum) is None
    jsonl.write(path, [Sum(total=1, process=2)])
    assert finished(path, Sum) == Sum(total=1, process=2)
    path.write_bytes(path.read_bytes()[:5])
    assert finished(path, Sum) is None
    path.write_bytes(b"")
    assert finished(path, Sum) is None


def test_errors_of_jobs_come_back_and_dead_workers_have_a_remedy(tmp_path):
    with pytest.raises(ValueError, match="seven"), Crew(warm, 2, here=warm()) as crew:
        crew.run(jobs(tmp_path, (1,), (7,)), print)
    with pytest.raises(ValueError, match="num_workers=1"), Crew(warm, 2, here=warm()) as crew:
        crew.run(jobs(tmp_path, (1,), (13,)), print)
