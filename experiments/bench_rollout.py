"""Speed of the rollout engine beside a batch loop. Out: a table, rollout.json.

python -m experiments.bench_rollout experiment=quickstart sampling=rollouts
python -m experiments.bench_rollout experiment=quickstart rollouts.workloads=[long]
"""

from experiments._main import entry_point


@entry_point(
    "bench_rollout",
    "graph",
    "index",
    "tools",
    "diagnosis",
    "questions",
    "synthesis",
    "tokenizer",
    "agent",
    "model",
    "weights",
    "lora",
    "mesh",
    "optimizer",
    "training",
    "watch",
    "data",
    "sampling",
    "evaluation",
    "rollouts",
    "paths",
)
def main(config) -> None:
    """Measures both, prints the table and writes it beside the measurements."""
    from medr_jax.launch.rollouts.run import bench_rollouts

    bench_rollouts(config)


if __name__ == "__main__":
    main()
