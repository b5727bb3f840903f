"""One trajectory of the dataset with its loss mask in colour. In: a dataset and a tokenizer.

python -m experiments.show_mask number=3 split=train
"""

import itertools

import rich.console

from experiments._main import entry_point
from medr_jax.data.tfds_builder import read_metadata, read_trajectories
from medr_jax.launch import stages
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.show import show
from medr_jax.tokens.tokenizer import Tokenizer


@entry_point(
    "show_mask",
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
    """Prints trajectory ``number`` (from 0) of ``split``: what is trained on and what is not."""
    if config.number < 0:
        raise ValueError(f"number={config.number}: trajectories are counted from 0")
    dataset = stages.synthesize(config)
    tokenizer = Tokenizer.load(stages.tokenizer(config, dataset).path)
    trajectories = read_trajectories(dataset.path / "dataset", config.split)
    chosen = next(itertools.islice(trajectories, config.number, None), None)
    if chosen is None:
        raise ValueError(f"number={config.number}: split {config.split} has fewer trajectories")
    schemas = read_metadata(dataset.path / "dataset")["tool_schemas"]
    protocol = get_protocol(config.tokenizer.protocol)
    ledger = ledger_from_trajectory(chosen, tokenizer, protocol, schemas)
    show(ledger, tokenizer, rich.console.Console())


if __name__ == "__main__":
    main()
