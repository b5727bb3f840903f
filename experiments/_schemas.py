"""Config groups and the dataclasses that own their fields. Only this file knows ConfigStore."""

import importlib
import os
from pathlib import Path

from hydra.core.config_store import ConfigStore

SCHEMAS = {
    "graph": "medr_jax.graph.build:GraphConfig",
    "graph_bench": "medr_jax.launch.bench_graph.config:GraphBenchConfig",
    "index": "medr_jax.retrieval.config:IndexConfig",
    "tools": "medr_jax.tools.config:ToolsConfig",
    "diagnosis": "medr_jax.diagnosis.config:DiagnosisConfig",
    "bench_diagnosis": "medr_jax.eval.diagnosis.config:BenchDiagnoseConfig",
    "tokenizer": "medr_jax.tokens.tokenizer:TokenizerConfig",
    "questions": "medr_jax.questions.generate:QuestionConfig",
    "synthesis": "medr_jax.trajectories.config:SynthesisConfig",
    "model": "medr_jax.models.config:ModelConfig",
    "weights": "medr_jax.models.pretrained:WeightsConfig",
    "lora": "medr_jax.models.lora:LoraConfig",
    "mesh": "medr_jax.sharding:MeshConfig",
    "distributed": "medr_jax.training.distributed:DistributedConfig",
    "optimizer": "medr_jax.training.optimizer:OptimizerConfig",
    "training": "medr_jax.training.loop:TrainingConfig",
    "watch": "medr_jax.training.watch:WatchConfig",
    "data": "medr_jax.loader.pipeline:DataConfig",
    "agent": "medr_jax.agent.loop:AgentLimits",
    "sampling": "medr_jax.sampling.config:EngineConfig",
    "rl": "medr_jax.rl.config:RLConfig",
    "study": "medr_jax.launch.study.config:StudyConfig",
    "compile": "medr_jax.launch.compile.check:CompileConfig",
    "bench": "medr_jax.launch.bench.job:BenchConfig",
    "loop_bench": "medr_jax.launch.bench.loop:LoopBenchConfig",
    "retrieval_bench": "medr_jax.launch.retrieval_bench.config:RetrievalBenchConfig",
    "rollouts": "medr_jax.launch.rollouts.config:RolloutBenchConfig",
    "evaluation": "medr_jax.eval.evaluate:EvaluationConfig",
    "endpoint": "medr_jax.endpoint.config:EndpointConfig",
    "teacher": "medr_jax.trajectories.teacher:TeacherConfig",
    "agents": "medr_jax.eval.agents:EndpointAgentsConfig",
    "serving": "medr_jax.serving.config:ServingConfig",
    "serving_bench": "medr_jax.launch.serving_bench.config:ServingBenchConfig",
    "judge": "medr_jax.endpoint.config:EndpointConfig",
    "grid": "medr_jax.launch.grid.config:GridConfig",
    "paths": "medr_jax.launch.stages:PathsConfig",
}
"""Group -> the dataclass of its fields. Imported only for the groups that a stage uses, so a
stage without a model starts without JAX."""


def register(*groups: str) -> None:
    """Stores ``<group>/schema``, from which ``configs/<group>/*.yaml`` inherit.

    Groups that the command does not read get an empty one, so that an experiment may set them.
    """
    store = ConfigStore.instance()
    for group, where in SCHEMAS.items():
        module, name = where.split(":")
        node = getattr(importlib.import_module(module), name) if group in groups else {}
        store.store(group=group, name="schema", node=node)


def config_dir() -> str:
    """``$MEDR_CONFIG_DIR``, else the checkout's ``configs``, else the copy in the wheel."""
    if override := os.environ.get("MEDR_CONFIG_DIR"):
        if not Path(override).is_dir():
            raise SystemExit(f"error: MEDR_CONFIG_DIR={override} is not a folder")
        return str(Path(override).resolve())
    here = Path(__file__).resolve().parent
    for candidate in (here.parent / "configs", here / "_configs"):
        if (candidate / "build_graph.yaml").is_file():
            return str(candidate)
    raise SystemExit("error: no configs folder; set MEDR_CONFIG_DIR to one")
