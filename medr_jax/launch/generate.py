"""One answer of a model to one message, by the engine that rollouts use."""

from types import SimpleNamespace

from medr_jax.models import pretrained
from medr_jax.sampling.engine import Engine
from medr_jax.sft import start
from medr_jax.sharding import make_mesh
from medr_jax.tokens import chatml
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import get_protocol
from medr_jax.training.compile_cache import enable_compile_cache


def generate(config: SimpleNamespace) -> str:
    """What the model of ``config.weights`` says to ``config.prompt``, without tools.

    Raises:
        ValueError: no weights, weights that do not fit ``config.model``, or a protocol without
            plain conversation.
    """
    if not config.weights.given:
        raise ValueError("weights=scratch: random weights have nothing to say; use weights=gguf")
    protocol = get_protocol(config.tokenizer.protocol)
    if protocol.name != chatml.ChatmlProtocol.name:
        raise ValueError(f"tokenizer.protocol={protocol.name}: only chatml can chat")
    enable_compile_cache(config.paths.compile_cache)
    mesh = make_mesh(config.mesh)
    model_config = start.model_config(config.weights, config.model, protocol.name)
    model = start.first_model(config.weights, model_config, mesh, seed=0)
    tokenizer = pretrained.load_tokenizer(config.weights)
    engine = Engine(
        model,
        config.sampling,
        mesh=mesh,
        stop_ids=protocol.stop_ids(tokenizer),
        pad_id=protocol.pad_id(tokenizer),
    )
    prompt, _ = Ledger(tokenizer, protocol).encode(chatml.chat(config.prompt, config.system))
    handle = engine.open("chat")
    engine.extend(handle, prompt, config.max_tokens)
    while engine.step():
        pass
    said = engine.result(handle).token_ids
    return tokenizer.decode(token for token in said if token not in engine.stop_ids).strip()
