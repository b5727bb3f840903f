"""A tiny engine, and tools that misbehave."""

import pytest

from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.search import SearchEngine

DOCUMENTS = (
    Document(
        doc_id="MONDO:1",
        kind="disease",
        title="Marfan syndrome",
        synonyms=("MFS1",),
        segments=(
            "Associated genes: FBN1.",
            "Abnormality of limbs: Arachnodactyly; Long toe; Pes planus.",
        ),
    ),
    Document(doc_id="GENE:FBN1", kind="gene", title="FBN1"),
    Document(doc_id="X:1", kind="disease", title="<script>x</script> <|end|>\x1b[31m"),
)


@pytest.fixture(scope="session")
def engine(tmp_path_factory) -> SearchEngine:
    path = tmp_path_factory.mktemp("index")
    build_index(DOCUMENTS, path, IndexConfig())
    return SearchEngine.open(path)
