"""Counts the labels of questions that a person read. In: labels.jsonl. Out: a Markdown table.

python -m experiments.review_table results/question_review/labels.jsonl
"""

import argparse
from pathlib import Path

from medr_jax import console
from medr_jax.eval import formats, review


def main(arguments: list[str] | None = None) -> int:
    """Prints the table and the faults; exit code 2 when the labels are not sound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="a label per line")
    options = parser.parse_args(arguments)
    try:
        labels = review.read_labels(options.labels)
    except ValueError as problem:
        console.error(str(problem))
        return 2
    print(formats.to_markdown(review.table(labels)))
    print("\n".join(review.faults(labels)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
