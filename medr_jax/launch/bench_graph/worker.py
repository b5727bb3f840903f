"""One measurement in a process of its own: load a graph, then search chains. Prints JSON.

python -m medr_jax.launch.bench_graph.worker ours|networkx FOLDER JOB.json
"""

import gc
import json
import pickle
import sys
import time
from pathlib import Path

import numpy as np

from medr_jax.graph.chains import ChainFinder
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.sampling import Sampler, SubgraphLimits
from medr_jax.launch.bench_graph.networkx_side import NetworkxSearch
from medr_jax.types import Relation

OURS, NETWORKX = "ours", "networkx"
PICKLE = "networkx.pickle"
RELATIONS = (
    *(Relation.HAS_PHENOTYPE, Relation.ASSOCIATED_GENE, Relation.PHENOTYPE_GENE),
    *(Relation.INDICATED_FOR, Relation.DRUG_TARGET, Relation.PARTICIPATES_IN),
    Relation.PROTEIN_INTERACTION,
)
"""What chains walk: typed relations only, never a contraindication or an off-label use."""


def resident_bytes() -> tuple[int, int]:
    """(resident now, highest so far) of this process, from /proc."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = dict(line.split(":", 1) for line in status.splitlines())
    now, high = (int(found[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
    return now, high


def measure(side: str, folder: Path, job: dict) -> dict:
    """CPU seconds and bytes of loading, the same of the chains, and the chains."""
    if side == NETWORKX:
        import networkx  # noqa: F401  (its import is not part of the load)
    before, _ = resident_bytes()
    start = time.process_time()
    if side == OURS:
        graph = KnowledgeGraph.load(folder / "graph")
    else:
        gc.disable()  # as a user in a hurry would: collection doubles the time
        with (folder / PICKLE).open("rb") as packed:
            graph = pickle.load(packed)
        gc.enable()
    seconds = time.process_time() - start
    loaded, _ = resident_bytes()
    search = _ours(graph, job) if side == OURS else _networkx(graph, job)
    start = time.process_time()
    chains = [search(number, seed) for number, seed in enumerate(job["seeds"])]
    chain_seconds = time.process_time() - start
    after, highest = resident_bytes()
    return {
        "load_s": seconds,
        "load_bytes": loaded - before,
        "chains_s": chain_seconds,
        "bytes_after_chains": after - before,
        "peak_bytes": highest - before,
        "chains": chains,
    }


def _limits(job: dict) -> dict[str, int]:
    return {"max_hops": job["max_hops"], "max_expansions": job["max_expansions"]}


def _ours(graph: KnowledgeGraph, job: dict):
    sampler = Sampler(graph, SubgraphLimits(), RELATIONS)
    ids = graph.entity_ids()

    def search(number: int, seed: int):
        rng = np.random.default_rng((job["seed"], number))
        near = sampler.around(ids[seed], rng)
        found = ChainFinder.of_neighbourhood(near, rng).longest(0, **_limits(job))
        return near.positions[list(found.vertices)].tolist(), found.optimal

    return search


def _networkx(graph, job: dict):
    chains = NetworkxSearch(graph, RELATIONS, SubgraphLimits())

    def search(number: int, seed: int):
        rng = np.random.default_rng((job["seed"], number))
        return chains.chain(seed, rng, **_limits(job))

    return search


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in (OURS, NETWORKX):
        raise SystemExit(f"usage: python -m {__spec__.name} ours|networkx FOLDER JOB.json")
    asked = json.loads(Path(sys.argv[3]).read_text(encoding="utf-8"))
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), asked)))
