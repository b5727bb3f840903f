"""SFT on packed trajectories. In: a dataset, made now if need be. Out: an Orbax checkpoint.

python -m experiments.sft experiment=quickstart
python -m experiments.sft -m optimizer.learning_rate=1e-3,3e-3 training.num_steps=20
python -m experiments.sft distributed=auto mesh=fsdp    # on every host of a TPU pod
"""

from experiments._main import entry_point
from medr_jax import console
from medr_jax.launch import training
from medr_jax.training import distributed


@entry_point(
    "sft",
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
    "distributed",
    "optimizer",
    "training",
    "watch",
    "data",
    "paths",
)
def main(config) -> None:
    """Trains, or goes on training; prints where losses and speed ended, and where it all is."""
    distributed.connect(config.distributed)
    _, run = training.sft(config)
    console.facts(run.manifest.counts)
    console.say(f"curve        {run.path / 'curve.png'}")


if __name__ == "__main__":
    main()
