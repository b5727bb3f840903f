"""The decoder-only transformer, its creation on a mesh, and its cached path."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from medr_jax import sharding
from medr_jax.models.attention import Attention
from medr_jax.models.chunked_attention import KEPT
from medr_jax.models.config import ModelConfig, Remat
from medr_jax.models.kv_cache import Extension, KVCache
from medr_jax.models.kv_store import on_cpu
from medr_jax.models.layers import MLP, RMSNorm, rope_angles, weight
from medr_jax.models.precision import exactly

RESIDUAL = "residual"
"""Name of each layer's input, to the rematerialisation policies."""


class Block(nnx.Module):
    """x + attention(norm x), then x + mlp(norm x)."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        self.attention_norm = RMSNorm(config.embed_dim, "embed", config)
        self.attention = Attention(config, rngs)
        self.mlp_norm = RMSNorm(config.embed_dim, "embed", config)
        self.mlp = MLP(config, rngs)

    def __call__(
        self,
        x_BTD: Float[Array, "B T D"],
        rope: tuple[jax.Array, jax.Array],
        segment_ids_BT: Int[Array, "B T"],
    ) -> Float[Array, "B T D"]:
        """One layer over packed rows."""
        h = self.attention_norm(x_BTD)
        x_BTD = x_BTD + self.attention(h, rope, segment_ids_BT)
        x_BTD = x_BTD + self.mlp(self.mlp_norm(x_BTD))
        return sharding.constrain(x_BTD, "batch", "length", "activation")

    def extend(
        self,
        x_BTD: Float[Array, "B T D"],
        rope: tuple[jax.Array, jax.Array],
        new: Extension,
        layer: int | jax.Array,
        num_new_B: Int[Array, " B"],
    ) -> tuple[Float[Array, "B T D"], Extension]:
        """The same layer over new tokens of cached rows."""
        h = self.attention_norm(x_BTD)
        out, new = self.attention.extend(h, rope, new, layer, num_new_B)
        x_BTD = x_BTD + out
        return x_BTD + self.mlp(self.mlp_norm(x_BTD)), new


class Transformer(nnx.Module):
    """Token ids to hidden states; ``logits`` from those. Layers are stacked along axis 0."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        if config.vocab_size < 1:
            raise ValueError(
                "model.vocab_size=0; fill in the tokenizer's with "
                "dataclasses.replace(config, vocab_size=tokenizer.vocab_size)"
            )
        self.config = config
        V, D = config.vocab_size, config.embed_dim
        std = config.init_std or D**-0.5
        self.embedding = weight((V, D), ("vocab", "embed"), std, config, rngs)
        self.layers = _stacked(config, rngs)
        self.final_norm = RMSNorm(D, "embed", config)
        if not config.tied_embeddings:
            self.head = weight((V, D), ("vocab", "embed"), std, config, rngs)

    @exactly
    def __call__(
        self,
        token_ids_BT: Int[Array, "B T"],
        positions_BT: Int[Array, "B T"],
        segment_ids_BT: Int[Array, "B T"],
    ) -> Float[Array, "B T D"]:
        """Final hidden states of packed rows: causal within a segment; segment 0 is padding."""
        rope = rope_angles(positions_BT, self.config)

        def layer(x_BTD: jax.Array, block: Block, _: int | jax.Array) -> jax.Array:
            return block(checkpoint_name(x_BTD, RESIDUAL), rope, segment_ids_BT)

        x_BTD = sharding.constrain(self._embed(token_ids_BT), "batch", "length", "activation")
        x_BTD = self._run(layer, x_BTD, self.config.remat)
        return self.final_norm(x_BTD)

    def extend(
        self,
        token_ids_BT: Int[Array, "B T"],
        cache: KVCache,
        num_new_B: Int[Array, " B"],
        slots_B: Int[Array, " B"] | None = None,
    ) -> tuple[Float[Array, "B T D"], KVCache]:
        """Hidden states of new tokens, each row continuing its cache slot at its own length.

        Row b has ``num_new_B[b]`` real tokens, from column 0 on; the hidden states of its other
        columns mean nothing. Without ``slots_B``, row b is slot b.
        """
        new = cache.extension(token_ids_BT.shape[1], num_new_B > 0, slots_B)
        hidden_BTD, new = self.grow(token_ids_BT, new, num_new_B)
        return hidden_BTD, cache.commit(new)

    def layers_apart(self) -> list[nnx.State] | None:
        """The layers one by one, for a loop around ``grow``; None where that scans them.

        On a CPU a scan, or cutting them out at each step, copies each layer's weights. Beside
        the products of a single token that is most of the work.
        """
        if self.config.scan_layers and not on_cpu():
            return None
        return _unstack(nnx.split(self.layers)[1], self.config.num_layers)

    @exactly
    def grow(
        self,
        token_ids_BT: Int[Array, "B T"],
        new: Extension,
        num_new_B: Int[Array, " B"],
        apart: list[nnx.State] | None = None,
    ) -> tuple[Float[Array, "B T D"], Extension]:
        """``extend``, some tokens at a time: the cache stays as it is until it is committed to.

        Several columns only as an extension's first (see ``Extension.advance``). ``apart``: what
        ``layers_apart`` gave.
        """
        T = token_ids_BT.shape[1]
        rope = rope_angles(new.lengths_B[:, None] + jnp.arange(T), self.config)

        def layer(carry: tuple, block: Block, index: int | jax.Array) -> tuple:
            return block.extend(carry[0], rope, carry[1], index, num_new_B)

        carry = (self._embed(token_ids_BT), new)
        x_BTD, new = self._run(layer, carry, Remat.none, apart=apart)
        return self.final_norm(x_BTD), new.advance(T, num_new_B)

    @exactly
    def logits(self, hidden: Float[Array, "*batch D"]) -> Float[Array, "*batch V"]:
        """Unnormalised log-probabilities in float32."""
        table = self.embedding if self.config.tied_embeddings else self.head
        return jnp.einsum(
            "...D,VD->...V",
            hidden,
            table[...].astype(hidden.dtype),
            preferred_element_type=jnp.float32,
        )

    def _embed(self, token_ids_BT: Int[Array, "B T"]) -> Float[Array, "B T D"]:
        table_VD = self.embedding[...]
        if token_ids_BT.size > table_VD.shape[0]:
            # Less to move between devices than what is looked up, which would be split the
            # table's way first and then the batch's.
            table_VD = sharding.constrain(table_VD, "vocab", "activation")
        x_BTD = jnp.take(table_VD, token_ids_BT, axis=0).astype(self.config.dtype)
        if self.config.scale_embeddings:
            x_BTD = x_BTD * self.config.embed_dim**0.5
        return x_BTD

    def _run(
        self,
        layer: Callable[..., Any],
        carry: Any,
        remat: Remat,
        apart: list[nnx.State] | None = None,
    ) -> Any:
        """``carry = layer(carry, block, index)`` over the layers, scanned or unrolled."""
        graph, stacked = nnx.split(self.layers)
        scanned = self.config.scan_layers and apart is None

        def step(carry: Any, state: nnx.State, index: int | jax.Array) -> Any:
            return layer(carry, nnx.merge(graph, state), index)

        if remat is not Remat.none:
            # Inside a scan the loop itself keeps the compiler from undoing the recomputation.
            step = jax.checkpoint(step, policy=_saved(remat), prevent_cse=not scanned)
        if scanned:
            indices = jnp.arange(self.config.num_layers)
            return jax.lax.scan(lambda c, x: (step(c, *x), None), carry, (stacked, indices))[0]
        for index, state in enumerate(apart or _unstack(stacked, self.config.num_layers)):
            carry = step(carry, state, index)
        return carry


def _saved(remat: Remat) -> Callable[..., Any] | None:
    """What is kept for the backward pass; None = a layer's inputs only.

    Results of attention are kept with the matmuls: computing them again costs most in long rows.
    """
    policies = jax.checkpoint_policies
    if remat is Remat.dots:
        return policies.save_from_both_policies(
            policies.dots_with_no_batch_dims_saveable, policies.save_only_these_names(KEPT)
        )
    if remat is Remat.offload:
        return policies.save_and_offload_only_these_names(
            names_which_can_be_saved=[],
            names_which_can_be_offloaded=[RESIDUAL],
            offload_src="device",
            offload_dst="pinned_host",
        )
    return None


def _unstack(stacked: nnx.State, count: int) -> list[nnx.State]:
    """The layers one by one. A split's gradient is one concatenation; that of ``count`` slices
    would be as many padded arrays."""
    leaves, tree = jax.tree.flatten(stacked)
    parts = [jax.lax.split(leaf, (1,) * count) for leaf in leaves]
    return [jax.tree.unflatten(tree, [part[i][0] for part in parts]) for i in range(count)]


def _stacked(config: ModelConfig, rngs: nnx.Rngs) -> Block:
    @nnx.split_rngs(splits=config.num_layers)
    @nnx.vmap(transform_metadata={nnx.PARTITION_NAME: None})
    def make(rngs: nnx.Rngs) -> Block:
        return Block(config, rngs)

    return make(rngs)


def abstract_model(config: ModelConfig) -> Transformer:
    """The model with shapes in place of arrays: nothing is allocated."""
    return nnx.eval_shape(lambda: Transformer(config, nnx.Rngs(0)))


def create_model(config: ModelConfig, mesh: Mesh, seed: int) -> Transformer:
    """A freshly initialised model whose parameters are born sharded over the mesh."""
    graph, shapes = nnx.split(abstract_model(config))

    def init(rng: jax.Array) -> nnx.State:
        return nnx.state(Transformer(config, nnx.Rngs(params=rng)))

    with jax.set_mesh(mesh):
        made = jax.jit(init, out_shardings=sharding.shardings(shapes, mesh))
        return nnx.merge(graph, made(jax.random.key(seed)))


def num_parameters(config: ModelConfig) -> int:
    """Parameter count; a tied embedding counts once."""
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(abstract_model(config))))
