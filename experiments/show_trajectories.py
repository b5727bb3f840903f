"""An RL run's dumped rollouts as a page. In: a run with rl.dump_every. Out: trajectories.html.

python -m experiments.show_trajectories artifacts/rl/0123456789abcdef
python -m experiments.show_trajectories runs/rl/2026-11-02_10-00-00_000000 --iterations 0 39
"""

import argparse
from pathlib import Path

from medr_jax import console


def main(arguments: list[str] | None = None) -> int:
    """Writes the page; exit code 2 when there are no rollouts to show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="an RL run's folder, or one dump")
    parser.add_argument(
        "--iterations", type=int, nargs="+", default=[], help="default: the first and the last"
    )
    parser.add_argument("--groups", type=int, default=8, help="of each iteration (default: 8)")
    parser.add_argument("--out", type=Path, help="default: trajectories.html in the run's folder")
    options = parser.parse_args(arguments)
    from medr_jax.launch import trajectory_page

    try:
        if options.groups < 1:
            raise ValueError(f"--groups {options.groups}: must be at least 1")
        source = trajectory_page.find(options.run)
        out = options.out or source.folder / trajectory_page.PAGE
        page = trajectory_page.write_page(
            source, out, iterations=options.iterations, num_groups=options.groups
        )
    except ValueError as problem:
        console.error(str(problem))
        return 2
    console.say(f"page         {page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
