"""What an RL run takes from its config."""

import dataclasses
from types import SimpleNamespace

from medr_jax.agent.loop import AgentLimits
from medr_jax.launch.rl import _settings
from medr_jax.rl.config import RLConfig
from medr_jax.sampling.config import EngineConfig, Weights
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.watch import WatchConfig


def test_no_spike_stops_it_and_the_seed_is_the_noise_s():
    settings = _settings(
        SimpleNamespace(
            rl=RLConfig(),
            rl_optimizer=OptimizerConfig(),
            rl_training=TrainingConfig(seed=3),
            rl_sampling=EngineConfig(for_training=True),
            agent=AgentLimits(),
            watch=WatchConfig(spike_factor=10.0, peer_timeout_s=7.0),
        )
    )
    assert settings.watch == WatchConfig(spike_factor=0.0, peer_timeout_s=7.0)
    assert settings.sampling.seed == 3


def test_results_are_known_by_what_they_depend_on():
    sampling = EngineConfig(temperature=0.5)
    lying_elsewhere = dataclasses.replace(sampling, weights=Weights.as_trained)
    assert lying_elsewhere.identity() == sampling.identity()
    assert dataclasses.replace(sampling, seed=1).identity() != sampling.identity()
