"""What the training loop costs beside the bare step. Out: the input stall, bench_loop.json.

python -m experiments.bench_loop experiment=quickstart
python -m experiments.bench_loop experiment=smollm2_sft loop_bench.window=5 loop_bench.rounds=4
"""

from experiments._main import entry_point

GROUPS = (
    *(
        "graph",
        "index",
        "tools",
        "diagnosis",
        "questions",
        "synthesis",
        "tokenizer",
        "model",
        "weights",
    ),
    *("lora", "mesh", "optimizer", "training", "watch", "data", "loop_bench", "paths"),
)


@entry_point("bench_loop", *GROUPS)
def main(config) -> None:
    """Makes the dataset if need be, then measures."""
    from medr_jax.launch.bench.loop import bench_loop

    bench_loop(config)


if __name__ == "__main__":
    main()
