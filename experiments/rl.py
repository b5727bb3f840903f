"""RL over live tool use. In: a checkpoint, trained now if need be. Out: a checkpoint, a report.

python -m experiments.rl experiment=quickstart_rl
python -m experiments.rl experiment=quickstart_rl rl=dapo rl_training.num_steps=40
python -m experiments.rl experiment=quickstart_rl sample_only=true checkpoint=artifacts/sft/0123
python -m experiments.rl experiment=quickstart_rl replay=artifacts/rl/0123456789abcdef
python -m experiments.rl distributed=auto mesh=fsdp    # on every host; then experiments.evaluate
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "rl",
    *("graph", "index", "tools", "diagnosis", "questions", "synthesis", "tokenizer", "agent"),
    *("model", "weights", "lora", "mesh", "distributed", "optimizer", "training", "watch", "data"),
    *("sampling", "evaluation", "paths", "rl"),
)
def main(config) -> None:
    """Trains, or goes on training; then says what it gained. Or only samples."""
    from medr_jax.launch import rl
    from medr_jax.training import distributed

    distributed.connect(config.distributed)
    if config.sample_only:
        console.say(f"rollouts     {rl.sample(config)}")
        return
    start, run = rl.rl(config)
    console.facts(run.manifest.counts)
    console.say(f"metrics      {run.path / 'metrics.jsonl'}")
    if config.compare and config.distributed.alone:
        rl.compare(config, start, run.path)


if __name__ == "__main__":
    main()
