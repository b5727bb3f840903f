"""All tables and figures from result files; nothing is run. In: records that grid wrote.

python -m experiments.tables artifacts/grid --study rl_study/study.json
"""

import argparse
from pathlib import Path

from medr_jax import console
from medr_jax.eval import arms, readme
from medr_jax.eval.render import Inputs, render


def main(arguments: list[str] | None = None) -> int:
    """Writes tables.md, .tex, .csv, errors.md and figures; exit code 2 on a wrong file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path("artifacts/grid"),
                        help="folder of the grid's records; files are written there")  # fmt: skip
    parser.add_argument("--study", type=Path, help="study.json of rl_study")
    parser.add_argument("--diagnosis", type=Path, help="diagnose.json of bench_diagnose")
    parser.add_argument("--benchmarks", type=Path, nargs="*", default=[],
                        help="result folders of evaluate_benchmark")  # fmt: skip
    parser.add_argument("--readme", type=Path, help="also rewrite the table of this Markdown file")
    given = parser.parse_args(arguments)
    try:
        for path in (given.study, given.diagnosis):
            if path is not None and not path.is_file():
                raise ValueError(f"{path}: no such file")
        inputs = Inputs(study=given.study, diagnosis=given.diagnosis, benchmarks=given.benchmarks)
        path = render(given.out, inputs)
        if given.readme:
            readme.rewrite(given.readme, arms.load(given.out))
    except ValueError as problem:
        console.error(str(problem))
        return 2
    console.say(f"tables       {path}, figures and .tex, .csv beside it")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
