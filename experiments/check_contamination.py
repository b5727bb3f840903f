"""What a benchmark shares with our training text: entities and runs of words. Shows no text.

python -m experiments.check_contamination experiment=quickstart benchmark=pubmedqa \\
    path=ori_pqal.json
"""

from experiments._main import entry_point
from medr_jax import console, jsonl


@entry_point(
    "check_contamination", "graph", "index", "tools", "diagnosis", "questions", "synthesis", "paths"
)
def main(config) -> None:
    """Prints the counts, what is shared most, and where the whole list of ids lies."""
    from medr_jax.launch.benchmark import check_contamination

    found = check_contamination(config)
    console.facts(
        {
            "questions": found.num_items,
            "whose question or answer has an entity that training names": found.num_with_entity,
            "whose answer is such an entity": found.num_with_answer,
            f"with a run of {found.n} words in common": found.num_with_ngram,
            "mean share of a question's runs in common": found.mean_ngram_share,
        }
    )
    console.say("entities that most questions share with the training text")
    for entity in found.entities[: config.num_shown]:
        console.say(f"  {entity.entity_id}  {entity.name}  {entity.num_items} questions")
    closest = sorted(found.items, key=lambda item: (-item.ngram_share, item.item_id))
    if found.num_with_ngram:
        console.say("questions with the largest share of runs in common")
    for item in closest[: min(config.num_shown, found.num_with_ngram)]:
        console.say(f"  {item.item_id}  {item.ngram_share:.3f}  {len(item.entity_ids)} entities")
    path = config.run_dir / "contamination.json"
    jsonl.write(path, [found])
    console.say(f"all of them, by id: {path}")


if __name__ == "__main__":
    main()
