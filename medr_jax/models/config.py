"""Everything that tells one decoder-only transformer from another."""

from dataclasses import dataclass
from enum import Enum


class Activation(Enum):
    """The MLP's non-linearity: ``silu`` gates (SwiGLU), ``relu2`` does not."""

    silu = "silu"
    relu2 = "relu2"


class RopeScaling(Enum):
    """How rotary frequencies are stretched beyond the length a model was pretrained on."""

    none = "none"
    llama3 = "llama3"


class Remat(Enum):
    """What the backward pass recomputes of a layer, from the least memory to the most:

    ``offload`` all, and the layers' inputs wait in the host's memory; ``full`` all; ``dots`` all
    but matmuls and attention; ``none`` nothing.
    """

    none = "none"
    dots = "dots"
    full = "full"
    offload = "offload"


class AttentionBackend(Enum):
    """How attention is computed; every one gives the same.

    ``einsum`` scores all keys at once; ``blocked`` lets a block of queries see only keys before
    its end, which saves up to half of the work; ``chunked`` needs memory for one chunk of scores
    only, so it is for long rows; ``splash`` is the TPU's kernel, ``cudnn`` the GPU's. ``auto``
    takes the kernel of the mesh's devices where it fits the shapes, else goes by the length.
    """

    auto = "auto"
    einsum = "einsum"
    blocked = "blocked"
    chunked = "chunked"
    splash = "splash"
    cudnn = "cudnn"


RUNTIME_FIELDS = (
    *("dtype", "param_dtype", "attention", "remat", "scan_layers", "max_length", "init_std"),
)
"""Fields of ``ModelConfig`` that do not change what given weights compute: whoever loads the
weights chooses them. All others must agree with what the weights say of themselves."""


# unsafe_hash: a config is part of a module's static structure, which jit hashes.
@dataclass(kw_only=True, slots=True, unsafe_hash=True)
class ModelConfig:
    """A Llama/Qwen-style decoder. The defaults are the tiny model's, less its vocabulary."""

    vocab_size: int = 0  # 0 = the tokenizer's; the caller fills it in with dataclasses.replace
    max_length: int = 1024  # longest sequence the model is meant for
    num_layers: int = 4
    embed_dim: int = 128
    num_heads: int = 2
    num_kv_heads: int = 2  # each serves num_heads / num_kv_heads query heads
    head_dim: int = 64
    mlp_dim: int = 512
    activation: Activation = Activation.silu
    qkv_bias: bool = False
    qk_norm: bool = False  # RMSNorm of each query and key head (Qwen3)
    tied_embeddings: bool = True
    scale_embeddings: bool = False  # embeddings times sqrt(embed_dim)
    norm_eps: float = 1e-6
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling = RopeScaling.none
    rope_factor: float = 8.0
    rope_low_freq_factor: float = 1.0
    rope_high_freq_factor: float = 4.0
    rope_original_length: int = 8192
    short_conv_width: int = 0  # taps of the causal convolutions before attention; 0 = none
    init_std: float = 0.0  # 0 = 1/sqrt(fan_in), embeddings 1/sqrt(embed_dim)
    dtype: str = "float32"  # of activations and matmuls
    param_dtype: str = "float32"  # of stored parameters
    attention: AttentionBackend = AttentionBackend.auto
    scan_layers: bool = True  # False compiles each layer by itself: slower to compile
    remat: Remat = Remat.none

    def __post_init__(self) -> None:
        for name in (
            *("max_length", "num_layers", "embed_dim", "num_heads", "num_kv_heads"),
            *("head_dim", "mlp_dim"),
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"model.{name}={getattr(self, name)}; it must be at least 1")
        for name in ("vocab_size", "short_conv_width", "init_std"):
            if getattr(self, name) < 0:
                raise ValueError(f"model.{name}={getattr(self, name)}; it must not be negative")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"model.num_kv_heads={self.num_kv_heads} must divide num_heads={self.num_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"model.head_dim={self.head_dim} must be even: RoPE rotates pairs")
        for name in ("dtype", "param_dtype"):
            if getattr(self, name) not in ("float32", "bfloat16"):
                raise ValueError(f"model.{name}={getattr(self, name)}; use float32 or bfloat16")
