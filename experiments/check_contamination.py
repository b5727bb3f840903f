"""What a benchmark shares with our training text: entities and runs of words. Shows no text.

python -m experiments.check_contamination experiment=quickstart benchmark=pubmedqa \\
    path=ori_pqal.json
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "check_contamination", "graph", "index", "tools", "diagnosis", "questions", "synthesis", "paths"
)
def main(config) -> None:
    """Prints the counts and the ids of the questions that share most."""
    from medr_jax.launch.benchmark import check_contamination

    found = check_contamination(config)
    console.facts(
        {
            "questions": found.num_items,
            "with an entity that training names": found.num_with_entity,
            "whose answer training names": found.num_with_answer,
            f"with a run of {found.n} words in common": found.num_with_ngram,
            "mean share of runs in common": found.mean_ngram_share,
        }
    )
    closest = sorted(found.items, key=lambda item: (-item.ngram_share, item.item_id))
    for item in closest[: config.num_shown]:
        console.say(f"  {item.item_id}  {item.ngram_share:.3f}  {len(item.entity_ids)} entities")


if __name__ == "__main__":
    main()
