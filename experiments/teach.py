"""Trajectories by an LLM teacher. In: an OpenAI-compatible endpoint. Out: a TFDS dataset.

python -m experiments.teach endpoint.model=NAME endpoint.base_url=http://localhost:8000/v1
python -m experiments.teach endpoint.model=NAME endpoint.api_key_env=MY_KEY \
    endpoint.budget_tokens=2000000 teacher.max_questions=100
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "teach",
    *(
        "graph",
        "index",
        "tools",
        "diagnosis",
        "questions",
        "synthesis",
        "endpoint",
        "teacher",
        "paths",
    ),
)
def main(config) -> None:
    """Asks the teacher what it has not been asked yet; says where the dataset's card is."""
    from medr_jax.launch.teach import teach

    artifact = teach(config)
    console.facts(artifact.manifest.counts)
    console.say(f"card         {artifact.path / 'card.md'}")


if __name__ == "__main__":
    main()
