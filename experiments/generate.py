"""One answer to one message. In: pretrained weights or a checkpoint. Out: text.

python -m experiments.generate prompt='What is Marfan syndrome?'
python -m experiments.generate weights=checkpoint weights.path=artifacts/sft/0123456789abcdef
"""

from experiments._main import entry_point


@entry_point("generate", "tokenizer", "model", "weights", "mesh", "sampling", "paths")
def main(config) -> None:
    """Prints what the model answers."""
    from medr_jax.launch.generate import generate

    print(generate(config))


if __name__ == "__main__":
    main()
