"""The engine's logprobs are those of the trainer's packed forward pass, whatever the path."""

import pytest

from medr_jax.sampling.engine import EngineConfig
from medr_jax.testing.models import one_device
from medr_jax.testing.rollouts import logprob_differences, sampled_ledgers, speaking_model

TOLERANCE = 1e-4  # float32, whole model
QUESTIONS = ("which gene ?", "which is the disease with the longest name ?", "why ?")


@pytest.mark.parametrize(
    "changes",
    [
        # Prompts come in pieces, rows change places, a turn takes several dispatches.
        {"num_slots": 6, "decode_rows": [2], "prefill_widths": [8], "chunk_steps": 3},
        # Everything at once, of a tempered distribution.
        {"num_slots": 6, "temperature": 0.7},
    ],
)
def test_multi_turn_rollouts_have_the_trainer_s_logprobs(changes):
    model = speaking_model(num_layers=1, scan_layers=False)
    config = EngineConfig(**{"max_length": 768, "prefill_widths": [16, 64]} | changes)
    ledgers = sampled_ledgers(model, one_device(), config, QUESTIONS)
    assert min(ledger.num_turns for ledger in ledgers) == 4
    temperature = config.temperature
    differences = logprob_differences(
        model, one_device(), ledgers, row_length=768, temperature=temperature
    )
    # 6 rollouts of 4 turns; in float32 about 1e-6.
    assert len(differences) > 50
    assert differences.max() <= TOLERANCE
    wrong = logprob_differences(
        model, one_device(), ledgers, row_length=768, temperature=temperature + 0.1
    )
    assert wrong.max() > 100 * TOLERANCE  # the comparison can fail
