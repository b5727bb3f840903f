"""The formats that a graph can be read from, by name."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from medr_jax.graph.sources import cpic, hpo
from medr_jax.graph.sources.base import SourceRecords
from medr_jax.graph.sources.clinical_trials import read_clinical_trials
from medr_jax.graph.sources.cpic import read_cpic
from medr_jax.graph.sources.drug_label import read_drug_label
from medr_jax.graph.sources.hpo import read_hpo
from medr_jax.graph.sources.ontology import read_ontology
from medr_jax.graph.sources.orange_book import read_orange_book
from medr_jax.graph.sources.orphanet import read_orphanet
from medr_jax.graph.sources.primekg import read_primekg
from medr_jax.graph.sources.pubmed import read_pubmed
from medr_jax.graph.sources.triples import read_triples


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A reader of a file or folder, and where its data are when no path is given."""

    read: Callable[[Path], SourceRecords]
    package: Callable[[], Path] | None = None


FORMATS = {
    "hpo": Format(read=read_hpo, package=hpo.package_directory),
    "obo": Format(read=read_ontology),
    "primekg": Format(read=read_primekg),
    "cpic": Format(read=read_cpic, package=cpic.package_directory),
    "orphanet": Format(read=read_orphanet),
    "triples": Format(read=read_triples),
    "clinical_trials": Format(read=read_clinical_trials),
    "orange_book": Format(read=read_orange_book),
    "drug_label": Format(read=read_drug_label),
    "pubmed": Format(read=read_pubmed),
}
