"""Weights out. In: a training folder or an imported one. Out: a Hugging Face folder.

python -m experiments.export_weights checkpoint=artifacts/sft/0123456789abcdef out=DIR
python -m experiments.export_weights checkpoint=LORA_RUN out=DIR adapters=true    # for PEFT
"""

from experiments._main import entry_point


@entry_point("export_weights", "mesh", "paths")
def main(config) -> None:
    """Writes ``out``: config, weights, tokenizer, chat template and where generation stops."""
    from medr_jax.launch.weights import export_weights

    export_weights(config)


if __name__ == "__main__":
    main()
