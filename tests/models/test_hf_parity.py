"""Logits and gradients equal those of ``transformers`` on tiny random models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models import hf_weights
from medr_jax.models.hf_config import from_hf_config
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.tensor_files import ArraySource
from medr_jax.testing.models import one_device, whole_rows

pytestmark = pytest.mark.parity

SIZES = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "attn_implementation": "eager",
    "initializer_range": 0.2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
CASES = {
    "qwen2 gqa tied": ("Qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen2 mha untied": ("Qwen2", {"num_key_value_heads": 4, "tie_word_embeddings": False}),
    "qwen3 gqa untied": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 16}),
    "qwen3 mqa tied": (
        "Qwen3",
        {"num_key_value_heads": 1, "head_dim": 8, "tie_word_embeddings": True},
    ),
    "llama rope scaling": ("Llama", {"num_key_value_heads": 2, "rope_parameters": LLAMA3}),
    "llama tied": ("Llama", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
}


def reference(family: str, changes: dict):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **changes})
    model = getattr(transformers, f"{family}ForCausalLM")(config).float().eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            # Biases start at 0 and norms at 1, where a wrong mapping would not show.
            if tensor.ndim == 1:
                tensor.add_(0.2 * torch.randn_like(tensor))
            assert tensor.dtype == torch.float32, name
    return torch, model


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "-"))
def pair(request):
    torch, theirs = reference(*CASES[request.param])
    config = from_hf_config(theirs.config.to_diff_dict())
    tensors = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    return torch, theirs, hf_weights.from_hf(config, ArraySource(tensors), one_device())


def test_logits(pair):
    torch, theirs, ours = pair
    tokens = np.random.default_rng(0).integers(0, SIZES["vocab_size"], (2, 100))
    with torch.no_grad():
        expected = theirs(torch.tensor(tokens)).logits.numpy()
    ids = jnp.asarray(tokens, jnp.int32)
    got = ours.logits(ours(ids, *whole_rows(ids)))
    assert np.abs(expected).max() > 1  # logits of about 0 would agree whatever is wrong
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_gradients(pair):
    torch, theirs, ours = pair
    tokens = np.random.default_rng(1).integers(0, SIZES["vocab_size"], (2, 40))
    theirs.zero_grad()
    theirs(torch.tensor(tokens), labels=torch.tensor(tokens)).loss.backward()
    expected = {name: p.grad.numpy() for name, p in theirs.named_parameters()}
    ids = jnp.asarray(tokens, jnp.int32)
    graph, params = nnx.split(ours)

    def loss(params):
        model = nnx.merge(graph, params)
        states = model(ids, *whole_rows(ids))
        return -jnp.mean(token_logprobs(model, states[:, :-1], ids[:, 1:], chunk_size=16))

    got = dict(hf_weights.to_hf(ours.config, jax.grad(loss)(params)))
    assert got.keys() == expected.keys()
    # A bias on the keys of q.k shifts all scores of a query alike but for rotation: its
    # gradient is small, so it is compared with the gradient of its own weight matrix.
    for name, gradient in expected.items():
        scale = np.linalg.norm(gradient)
        assert np.linalg.norm(got[name] - gradient) <= 1e-4 * max(scale, 1e-3), name


def test_export_loads_in_transformers_with_the_same_logits(pair, tmp_path):
    torch, theirs, ours = pair
    hf_weights.save(ours, tmp_path, max_file_bytes=50_000)
    loaded = type(theirs).from_pretrained(tmp_path, attn_implementation="eager").float().eval()
    tokens = torch.tensor(np.random.default_rng(2).integers(0, SIZES["vocab_size"], (1, 60)))
    with torch.no_grad():
        np.testing.assert_allclose(
            loaded(tokens).logits.numpy(), theirs(tokens).logits.numpy(), atol=1e-5
        )
    for name, tensor in theirs.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), tensor.numpy())
