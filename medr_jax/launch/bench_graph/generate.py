"""A seeded set in PrimeKG's layout and proportions, with made-up names.

Shares of node types and relations are those of the published graph (Chandak et al. 2023,
tables 1 and 2); who is linked to whom is drawn with heavy-tailed weights.
"""

from pathlib import Path

import numpy as np

_NODES = {  # type -> (share of the nodes, source, how its ids look)
    "biological_process": (28_642, "GO", "{}"),
    "gene/protein": (27_671, "NCBI", "{}"),
    "disease": (17_080, "MONDO", "9{}"),
    "effect/phenotype": (15_311, "HPO", "{}"),
    "anatomy": (14_035, "UBERON", "{}"),
    "molecular_function": (11_169, "GO", "1{:06}"),
    "drug": (7_957, "DrugBank", "DB{:06}"),
    "cellular_component": (4_176, "GO", "2{:06}"),
    "pathway": (2_516, "REACTOME", "R-HSA-{}"),
    "exposure": (818, "CTD", "C{:06}"),
}
_EDGES = (  # relation, shown, from, to, share of the edges
    ("anatomy_protein_present", "expression present", "gene/protein", "anatomy", 1_518_203),
    ("drug_drug", "synergistic interaction", "drug", "drug", 1_336_314),
    ("protein_protein", "ppi", "gene/protein", "gene/protein", 321_075),
    (
        *("disease_phenotype_positive", "phenotype present"),
        *("disease", "effect/phenotype", 150_317),
    ),
    (
        *("bioprocess_protein", "interacts with"),
        *("gene/protein", "biological_process", 144_805),
    ),
    (
        *("cellcomp_protein", "interacts with"),
        *("gene/protein", "cellular_component", 83_402),
    ),
    ("disease_protein", "associated with", "disease", "gene/protein", 80_411),
    (
        *("molfunc_protein", "interacts with"),
        *("gene/protein", "molecular_function", 69_530),
    ),
    ("drug_effect", "side effect", "drug", "effect/phenotype", 64_784),
    (
        *("bioprocess_bioprocess", "parent-child"),
        *("biological_process", "biological_process", 52_886),
    ),
    ("pathway_protein", "interacts with", "gene/protein", "pathway", 42_646),
    ("disease_disease", "parent-child", "disease", "disease", 32_194),
    ("contraindication", "contraindication", "drug", "disease", 30_675),
    ("drug_protein", "target", "drug", "gene/protein", 16_380),
    ("anatomy_protein_absent", "expression absent", "gene/protein", "anatomy", 19_887),
    (
        *("phenotype_phenotype", "parent-child"),
        *("effect/phenotype", "effect/phenotype", 18_736),
    ),
    ("anatomy_anatomy", "parent-child", "anatomy", "anatomy", 14_032),
    ("indication", "indication", "drug", "disease", 9_388),
    ("phenotype_protein", "associated with", "effect/phenotype", "gene/protein", 3_330),
    ("off-label use", "off-label use", "drug", "disease", 2_568),
    (
        *("disease_phenotype_negative", "phenotype absent"),
        *("disease", "effect/phenotype", 1_193),
    ),
)
_TAIL = 0.6  # weight of the k-th node of a type: (k + 10) ** -_TAIL


def generate_primekg(folder: Path, *, seed: int, num_nodes: int, num_edges: int) -> None:
    """Writes ``nodes.csv`` and ``edges.csv``, every edge in both directions as PrimeKG has it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    first, size = _write_nodes(folder / "nodes.csv", num_nodes)
    total = sum(share for *_, share in _EDGES)
    with (folder / "edges.csv").open("w", encoding="utf-8") as out:
        out.write("relation,display_relation,x_index,y_index\n")
        for relation, shown, source, target, share in _EDGES:
            wanted = max(1, round(num_edges * share / total))
            pairs = _pairs(rng, size[source], size[target], wanted)
            x, y = pairs[:, 0] + first[source], pairs[:, 1] + first[target]
            head = f"{relation},{shown},"
            for a, b in ((x, y), (y, x)):
                rows = zip(a.tolist(), b.tolist(), strict=True)
                out.write("".join([f"{head}{one},{other}\n" for one, other in rows]))


def _write_nodes(path: Path, num_nodes: int) -> tuple[dict[str, int], dict[str, int]]:
    """First index and number of nodes of each type."""
    total = sum(share for share, *_ in _NODES.values())
    first, size = {}, {}
    index = 0
    with path.open("w", encoding="utf-8") as out:
        out.write("node_index,node_id,node_type,node_name,node_source\n")
        for kind, (share, source, pattern) in _NODES.items():
            first[kind], size[kind] = index, max(3, round(num_nodes * share / total))
            for number in range(1, size[kind] + 1):
                name = f"{kind.split('/')[-1].replace('_', ' ')} no. {number}"
                out.write(f"{index},{pattern.format(number)},{kind},{name},{source}\n")
                index += 1
    return first, size


def _pairs(rng: np.random.Generator, sources: int, targets: int, wanted: int) -> np.ndarray:
    """Distinct pairs of different numbers, drawn with heavy-tailed weights."""
    cumulative = [
        np.cumsum((rng.permutation(number) + 10.0) ** -_TAIL) for number in (sources, targets)
    ]
    found = np.empty(0, dtype=np.int64)
    for _ in range(40):
        draws = [
            np.searchsorted(one, rng.random(wanted) * one[-1], side="right") for one in cumulative
        ]
        if sources == targets:  # may be one type: keep a pair once, in one direction
            draws = [np.minimum(*draws), np.maximum(*draws)]
        different = draws[0] != draws[1] if sources == targets else np.ones(wanted, dtype=bool)
        keys = draws[0][different] * targets + draws[1][different]
        found = np.unique(np.concatenate([found, keys]))
        if len(found) >= wanted:
            break
    found = np.sort(rng.permutation(found)[:wanted])
    return np.column_stack([found // targets, found % targets])
