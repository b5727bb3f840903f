"""A corpus small enough to reason about, and what is needed to make others."""

import pytest

from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine

CORPUS = (
    Document(
        doc_id="D:1",
        kind="disease",
        title="Marfan syndrome",
        synonyms=("MFS1",),
        identifiers=("OMIM:154700",),
        segments=(
            "Definition: A disorder of the connective tissue. It affects the aorta.",
            "Associated genes: FBN1.",
            "Inheritance: Autosomal dominant inheritance.",
            "Abnormality of limbs: Arachnodactyly (14/15); Long toe; Pes planus.",
            "Abnormality of the eye: Ectopia lentis (8/9); Myopia.",
            "Reported absent: Cataract.",
        ),
    ),
    Document(
        doc_id="D:2",
        kind="disease",
        title="Neonatal Marfan syndrome",
        segments=(
            "Associated genes: FBN1.",
            "Abnormality of limbs: Arachnodactyly; Long fingers.",
            "Abnormality of the eye: Cataract; Megalocornea.",
        ),
    ),
    Document(
        doc_id="D:3",
        kind="disease",
        title="Short-rib dysplasia",
        segments=(
            "Inheritance: Autosomal recessive inheritance.",
            "Abnormality of head or neck: Broad nose; Short nose.",
            "Abnormality of the eye: Cataract; Myopia.",
        ),
    ),
    Document(
        doc_id="GENE:FBN1",
        kind="gene",
        title="FBN1",
        segments=("Associated diseases: Marfan syndrome; Neonatal Marfan syndrome.",),
    ),
    Document(
        doc_id="GENE:FBN2",
        kind="gene",
        title="FBN2",
        segments=("Associated diseases: Congenital contractural arachnodactyly.",),
    ),
    Document(
        doc_id="HP:0001166",
        kind="phenotype",
        title="Arachnodactyly",
        synonyms=("Spider fingers", "Long, slender fingers"),
        identifiers=("HP:0001166", "UMLS:C0003706"),
        segments=(
            "Definition: Abnormally long and slender fingers.",
            "Is a: Long fingers; Slender finger.",
        ),
    ),
    Document(
        doc_id="HP:0430142",
        kind="phenotype",
        title="Reduced circulating IL-6 concentration",
        synonyms=("Low β-form of interleukin 6",),
    ),
)


@pytest.fixture(scope="session")
def make_engine(tmp_path_factory):
    """Builds an index of documents in a fresh folder and opens it."""

    def make(documents, **config) -> SearchEngine:
        path = tmp_path_factory.mktemp("index")
        build_index(documents, path, IndexConfig(**config))
        return SearchEngine.open(path)

    return make


@pytest.fixture(scope="session")
def corpus() -> tuple[Document, ...]:
    return CORPUS


@pytest.fixture(scope="session")
def engine(make_engine) -> SearchEngine:
    return make_engine(CORPUS)
