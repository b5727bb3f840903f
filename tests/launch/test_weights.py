"""A Hugging Face folder in, ours, and out again."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from medr_jax.launch.weights import export_weights, import_weights
from medr_jax.models import hf_weights
from medr_jax.sft.policy import load_policy
from medr_jax.sharding import MeshConfig
from medr_jax.testing import gguf
from medr_jax.testing.models import small_config, small_model, whole_rows
from medr_jax.testing.tokens import byte_tokenizer
from medr_jax.tokens import hf_export
from medr_jax.training.checkpoint import Checkpoints

TOKENIZER = byte_tokenizer("chatml")
CONFIG = small_config(
    short_conv_width=0, qk_norm=False, vocab_size=TOKENIZER.vocab_size + 3, max_length=2048
)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A bfloat16 checkpoint in two files, with a tokenizer and files of its own."""
    folder = tmp_path_factory.mktemp("hf") / "theirs"
    model = small_model(dataclasses.replace(CONFIG, param_dtype="bfloat16"))
    ids = hf_export.token_ids(TOKENIZER, "chatml")
    folder.mkdir()
    hf_weights.write(model, folder, max_file_bytes=40_000, token_ids=ids)
    hf_export.write_serving_files(folder, TOKENIZER, "chatml", max_length=2048)
    (folder / "generation_config.json").write_text('{"temperature": 0.7}')
    return folder


@pytest.fixture(scope="module")
def imported(theirs, tmp_path_factory):
    return import_weights(settings(source=theirs, out=tmp_path_factory.mktemp("in") / "ours"))


def settings(**values) -> SimpleNamespace:
    given = {name: str(value) for name, value in values.items()}
    defaults = {"protocol": "chatml", "dtype": "float32", "param_dtype": "", "mesh": MeshConfig()}
    defaults |= {"adapters": False}
    return SimpleNamespace(**{**defaults, **given})


def tensors(folder: Path) -> dict[str, np.ndarray]:
    files = sorted(folder.glob("*.safetensors"))
    return {k: v for file in files for k, v in safetensors.numpy.load_file(file).items()}


def test_in_and_out_again_is_bit_equal(theirs, imported, tmp_path):
    out = export_weights(settings(checkpoint=imported, out=tmp_path / "out", dtype=""))
    before, after = tensors(theirs), tensors(out)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype
        np.testing.assert_array_equal(after[name], tensor)
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (out / name).read_bytes() == (theirs / name).read_bytes()
    assert json.loads((out / "config.json").read_text()) == json.loads(
        (theirs / "config.json").read_text()
    )


def test_an_imported_folder_is_a_policy(imported):
    policy = load_policy(imported)
    assert policy.protocol == "chatml"
    assert policy.tokenizer.content_hash == TOKENIZER.content_hash
    assert policy.params["embedding"][...].dtype == jnp.bfloat16


def test_a_gguf_file_is_imported_though_its_tokenizer_writes_calls_as_text(tmp_path):
    pytest.importorskip("gguf")
    model = small_model(dataclasses.replace(CONFIG, vocab_size=261, qkv_bias=False))
    metadata = gguf.model_metadata(model) | gguf.tokenizer_metadata()
    file = gguf.write_gguf(tmp_path / "x.gguf", metadata, gguf.model_tensors(model))
    policy = load_policy(import_weights(settings(source=file, out=tmp_path / "ours")))
    assert not policy.tokenizer.has_control("<tool_call>")
    # Unless q and k were un-permuted, these two would be each other's rows in another order.
    for got, expected in zip(
        jax.tree.leaves(policy.params), jax.tree.leaves(nnx.state(model)), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_mistakes_are_named(theirs, imported, tmp_path):
    with pytest.raises(ValueError, match="source is empty"):
        import_weights(settings(source="", out=tmp_path / "x"))
    with pytest.raises(ValueError, match="no control token '<|call|>'"):
        import_weights(settings(source=theirs, out=tmp_path / "x", protocol="compact"))
    with pytest.raises(ValueError, match="is there already"):
        import_weights(settings(source=theirs, out=imported))
    with pytest.raises(ValueError, match="dtype=int8"):
        export_weights(settings(checkpoint=imported, out=tmp_path / "x", dtype="int8"))
    with pytest.raises(ValueError, match=r"model\.json"):
        export_weights(settings(checkpoint=theirs, out=tmp_path / "x"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parity
def test_an_export_is_served_by_transformers(imported, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    out = export_weights(settings(checkpoint=imported, out=tmp_path / "out", dtype="float32"))
    model = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    prompt = [{"role": "user", "content": "Which gene?"}]
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nWhich gene?<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert ids[0] == TOKENIZER.control("<|im_start|>") == ids[-len("assistant\n") - 1]
    ours = load_policy(imported).model
    rows = jnp.asarray([ids], jnp.int32)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits.numpy()
    np.testing.assert_allclose(ours.logits(ours(rows, *whole_rows(rows))), expected, atol=1e-4)
    assert model.config.eos_token_id == TOKENIZER.control("<|im_end|>")


def test_read_meta_needs_no_arrays(imported):
    checkpoints = Checkpoints(imported / "checkpoints", read_only=True)
    try:
        meta = checkpoints.read_meta()
    finally:
        checkpoints.close()
    assert meta["fingerprints"]["params"] and meta["identity"]["weights"]
