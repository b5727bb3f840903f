"""A table of training runs. In: run directories, or sweeps of them. Out: Markdown, a plot.

Runs that differ in their seed only are also shown together: mean and 95% interval.

python -m experiments.compare runs/sft-sweep/2026-11-02_10-00-00 --plot losses.png
"""

import argparse
from pathlib import Path

from medr_jax import console
from medr_jax.training import compare


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit code 2 when a path holds no run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run directories or sweeps")
    parser.add_argument("--plot", type=Path, help="also draw the losses (.png or .svg)")
    parser.add_argument("--stage", default="sft", help="whose metrics (default: sft)")
    options = parser.parse_args(arguments)
    try:
        paths = compare.find_runs(options.runs)
        runs = [compare.summarize_run(path, options.stage) for path in paths]
    except ValueError as problem:
        console.error(str(problem))
        return 2
    print(compare.comparison_table(runs))
    if over_seeds := compare.seeds_table(runs):
        print(f"\nRuns that differ in their seed only:\n\n{over_seeds}")
    if options.plot:
        compare.plot_comparison(runs, options.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
