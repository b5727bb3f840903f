"""Pretrained weights in. In: a Hugging Face folder, a GGUF file or smollm2. Out: a checkpoint.

python -m experiments.import_weights source=DIR out=checkpoints/qwen
python -m experiments.sft model=qwen2_5_0_5b weights=checkpoint weights.path=checkpoints/qwen
"""

from experiments._main import entry_point


@entry_point("import_weights", "mesh", "paths")
def main(config) -> None:
    """Writes ``out``, which ``evaluate checkpoint=`` reads too."""
    from medr_jax.launch.weights import import_weights

    import_weights(config)


if __name__ == "__main__":
    main()
