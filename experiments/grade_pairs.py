"""How far the answer grader agrees with labelled pairs. In: a JSONL file of pairs. Out: a report.

python -m experiments.grade_pairs tests/grading/data/medical_pairs.jsonl \
    --synonyms tests/grading/data/synonyms.jsonl
"""

import argparse
from pathlib import Path

from medr_jax import console
from medr_jax.grading import agreement
from medr_jax.grading.synonyms import NO_SYNONYMS


def main(arguments: list[str] | None = None) -> int:
    """Prints the report; exit code 2 when a file cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, help="prediction, gold, kind, label, note per line")
    parser.add_argument("--synonyms", type=Path, help="id, names per line")
    options = parser.parse_args(arguments)
    try:
        pairs = agreement.read_pairs(options.pairs)
        table = agreement.read_synonyms(options.synonyms) if options.synonyms else NO_SYNONYMS
        found = agreement.measure(pairs, table)
    except ValueError as problem:
        console.error(str(problem))
        return 2
    print(agreement.report(pairs, found), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
