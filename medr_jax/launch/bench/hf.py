"""Hugging Face transformers on torch in the benchmark (extra "parity")."""

import time
from typing import Any

import torch
import transformers

from medr_jax.launch.bench.job import ADAMW, Bench, Job, prompts, train_tokens


def train(job: Job) -> Bench:
    """Forward, backward, clipping and fused AdamW, eager, with scaled-dot-product attention."""
    torch.set_num_threads(job.threads)
    model = _load(job).train()
    optimizer = torch.optim.AdamW(
        _decay_groups(model),
        lr=ADAMW.learning_rate,
        betas=(ADAMW.b1, ADAMW.b2),
        eps=ADAMW.eps,
        fused=True,
    )
    token_ids = torch.from_numpy(train_tokens(job)).long().to(model.device)

    def run(count: int) -> float:
        first = None
        for _ in range(count):
            with _autocast(job):
                loss = model(token_ids, labels=token_ids, use_cache=False).loss
            first = loss.detach() if first is None else first
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), ADAMW.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        _wait()
        return float(first)

    return Bench(run=run, tokens=token_ids.numel(), facts=_facts(model), **_memory())


def decode(job: Job) -> Bench:
    """``generate``, greedy; of the dynamic and the static cache the one that was faster."""
    torch.set_num_threads(job.threads)
    model = _load(job).eval()
    token_ids = torch.from_numpy(prompts(job)).long().to(model.device)
    options = {
        "max_new_tokens": job.bench.new_tokens,
        "do_sample": False,
        "eos_token_id": None,  # nothing stops early
        "pad_token_id": 0,
        "suppress_tokens": [0],  # ours never samples padding
        "attention_mask": torch.ones_like(token_ids),
    }

    def generate(cache: str) -> torch.Tensor:
        with torch.no_grad(), _autocast(job):
            out = model.generate(token_ids, cache_implementation=cache, **options)
        _wait()
        return out[0, token_ids.shape[1] :]

    cache = _faster(generate, ("dynamic", "static"))

    def run(count: int) -> list[int]:
        for _ in range(count):
            tokens = generate(cache)
        return tokens.tolist()

    facts = _facts(model) | {"cache": cache}
    tokens = token_ids.shape[0] * job.bench.new_tokens
    return Bench(run=run, tokens=tokens, facts=facts, **_memory())


def _load(job: Job) -> Any:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = transformers.AutoModelForCausalLM.from_pretrained(
        job.weights, dtype=torch.float32, attn_implementation="sdpa"
    )
    return model.to(device)


def _decay_groups(model: Any) -> list[dict[str, Any]]:
    """Weight decay on the matrices of layers only, as ours has it."""
    decayed, others = [], []
    for name, parameter in model.named_parameters():
        (decayed if parameter.ndim == 2 and ".layers." in name else others).append(parameter)
    return [
        {"params": decayed, "weight_decay": ADAMW.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _faster(generate: Any, caches: tuple[str, ...]) -> str:
    seconds = {}
    for cache in caches:
        generate(cache)
        start = time.process_time()
        generate(cache)
        seconds[cache] = time.process_time() - start
    return min(seconds, key=seconds.__getitem__)


def _autocast(job: Job) -> Any:
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(kind, torch.bfloat16, enabled=job.model.dtype == "bfloat16")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _facts(model: Any) -> dict[str, Any]:
    return {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _memory() -> dict[str, Any]:
    return {"peak_memory": torch.cuda.max_memory_allocated} if torch.cuda.is_available() else {}
