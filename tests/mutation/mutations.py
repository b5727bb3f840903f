"""Bugs that training code is prone to, each as a change of one file, and who must notice.

``old`` stands exactly once in ``file``; ``tests`` are what is run with ``new`` in its place.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One bug."""

    name: str
    file: str  # below the repository's root
    changes: tuple[tuple[str, str], ...]  # (old, new)
    tests: tuple[str, ...]  # at least one of them must fail


LOGPROBS = "medr_jax/models/logprobs.py"
PACKING = "medr_jax/data/packing.py"
STEP = "medr_jax/training/step.py"

MUTATIONS = (
    Mutation(
        "mask off by one",
        PACKING,
        (("loss_mask=_scatter(shape, predictor,", "loss_mask=_scatter(shape, to[follows],"),),
        ("tests/data/test_packing.py",),
    ),
    Mutation(
        "end-of-turn unmasked",
        "medr_jax/tokens/protocol.py",
        (("Role.ANSWER, Role.CITE, Role.END})", "Role.ANSWER, Role.CITE})"),),
        ("tests/data/test_packing.py", "tests/tokens/test_ledger.py"),
    ),
    Mutation(
        "mean of means",
        STEP,
        (
            (
                "        return grads, ratios\n\n    num_micro",
                '        count = ratios["loss"].count\n'
                "        return jax.tree.map(lambda grad: grad / count, grads), ratios\n\n"
                "    num_micro",
            ),
            (
                'count = jnp.maximum(ratios["loss"].count, jnp.finfo(jnp.float32).tiny)',
                "count = num_micro",
            ),
        ),
        ("tests/training/test_step.py",),
    ),
    Mutation(
        "label shift",
        PACKING,
        (("target_ids=_scatter(shape, predictor,", "target_ids=_scatter(shape, to[follows],"),),
        ("tests/data/test_packing.py",),
    ),
    Mutation(
        "wrong denominator under packing",
        "medr_jax/sft/loss.py",
        (
            (
                "Ratio(jnp.sum(part * nll), jnp.sum(part))",
                "Ratio(jnp.sum(part * nll), jnp.float32(part.size))",
            ),
        ),
        ("tests/sft/test_loss.py",),
    ),
    Mutation(
        "segment leak in attention",
        "medr_jax/models/attention_backends.py",
        (
            (
                "same = query_segments[:, start:end, None] == segments[:, None, :seen]",
                "same = segments[:, None, :seen] > 0",
            ),
        ),
        ("tests/models/test_attention_backends.py", "tests/models/test_transformer.py"),
    ),
    Mutation(
        "position not reset",
        PACKING,
        (
            (
                "positions=_scatter(shape, to, within, np.int32)",
                "positions=_scatter(shape, to, to % row_length, np.int32)",
            ),
        ),
        ("tests/data/test_packing.py",),
    ),
    Mutation(
        "weight decay on norms",
        "medr_jax/training/optimizer.py",
        (
            (
                'return len(axes) > 1 and "embed" in axes and',
                'return "embed" in axes and',
            ),
        ),
        ("tests/training/test_optimizer.py",),
    ),
    Mutation(
        "clip before accumulate",
        STEP,
        (
            (
                "        return grads, ratios\n\n    num_micro",
                "        scale = jnp.minimum(1.0, 1.0 / optax.tree.norm(grads))\n"
                "        return jax.tree.map(lambda grad: grad * scale, grads), ratios\n\n"
                "    num_micro",
            ),
        ),
        ("tests/training/test_step.py",),
    ),
    Mutation(
        "stale iterator on resume",
        "medr_jax/training/loop.py",
        (("            self._task.source.set_state(restored.data)\n", ""),),
        ("tests/training/test_loop.py",),
    ),
    Mutation(
        "RNG reused in every step",
        STEP,
        (
            (
                "jax.random.fold_in(jax.random.wrap_key_data(state.rng), state.step)",
                "jax.random.wrap_key_data(state.rng)",
            ),
        ),
        ("tests/training/test_step.py",),
    ),
    Mutation(
        "RNG started anew on resume",
        "medr_jax/training/checkpoint.py",
        (
            (
                "state = dataclasses.replace(state, frozen=template.frozen)",
                "state = dataclasses.replace(\n"
                "                state, frozen=template.frozen,\n"
                "                rng=jax.random.key_data(jax.random.key(int(state.step))),\n"
                "            )",
            ),
        ),
        ("tests/training/test_loop.py",),
    ),
    Mutation(
        "un-donated buffers",
        STEP,
        (("jax.jit(step, donate_argnums=0, out_shardings", "jax.jit(step, out_shardings"),),
        ("tests/training/test_step.py",),
    ),
    Mutation(
        "frozen weights in the optimizer",
        "medr_jax/models/lora.py",
        (("return nnx.split(model, AdapterParam, ...)", "return (*nnx.split(model), ())"),),
        ("tests/models/test_lora.py",),
    ),
    Mutation(
        "observation cut in two",
        PACKING,
        (("return int(ends[ends <= row_length].max(initial=0))", "return row_length"),),
        ("tests/data/test_packing.py",),
    ),
    Mutation(
        "losses put back at other positions",
        LOGPROBS,
        (
            (
                "jax.vmap(_permuted)(values_NT, place_NT, order_NT)",
                "jax.vmap(_permuted)(values_NT, order_NT, place_NT)",
            ),
        ),
        ("tests/models/test_logprobs.py", "tests/sft/test_loss.py"),
    ),
    Mutation(
        "gradients put back at other positions",
        LOGPROBS,
        (("(gradient[place], None, None)", "(gradient, None, None)"),),
        ("tests/models/test_logprobs.py", "tests/sft/test_loss.py"),
    ),
    Mutation(
        "last chunk of trained positions left out",
        LOGPROBS,
        (
            (
                "used = -(-jnp.max(jnp.sum(mask_NT, axis=1)) // length)",
                "used = jnp.max(jnp.sum(mask_NT, axis=1)) // length",
            ),
        ),
        ("tests/models/test_logprobs.py", "tests/sft/test_loss.py"),
    ),
)
