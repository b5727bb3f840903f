"""Byte-level BPE tokenizer. In: the training split's text. Out: a tokenizer artifact.

python -m experiments.tokenizer tokenizer.vocab_size=4096
"""

from experiments._main import entry_point
from medr_jax.launch import stages


@entry_point(
    "tokenizer",
    *(
        "graph",
        "index",
        "tools",
        "diagnosis",
        "questions",
        "synthesis",
        "tokenizer",
        "weights",
        "paths",
    ),
)
def main(config) -> None:
    """Trains or reuses the tokenizer, making the dataset first when there is none.

    With ``weights=hf`` and the like it is the one that came with the weights.
    """
    stages.tokenizer(config)


if __name__ == "__main__":
    main()
