"""P(phenotype | disease) of every disease under the ontology's closure, as sparse columns."""

import dataclasses
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from medr_jax.diagnosis.config import TableConfig
from medr_jax.diagnosis.ontology import Closure, Ontology
from medr_jax.diagnosis.statements import Statements

FILE = "table.npz"


@dataclasses.dataclass(kw_only=True, slots=True)
class Columns:
    """For every term the diseases that have a value, ascending, and the values."""

    starts: Int[np.ndarray, "N+1"]
    rows: Int[np.ndarray, "Z"]
    values: Float[np.ndarray, "Z"]

    def of(self, term: int) -> tuple[Int[np.ndarray, "K"], Float[np.ndarray, "K"]]:
        """Rows and values of one term."""
        part = slice(self.starts[term], self.starts[term + 1])
        return self.rows[part], self.values[part]

    def sums(self) -> Float[np.ndarray, "N"]:
        """The total of every term."""
        totals = np.concatenate([[0.0], np.cumsum(self.values)])
        return totals[self.starts[1:]] - totals[self.starts[:-1]]

    def dense_row(self, row: int) -> Float[np.ndarray, "N"]:
        """One disease's value of every term, 0 where it has none."""
        found = np.flatnonzero(self.rows == row)
        dense = np.zeros(len(self.starts) - 1)
        dense[np.searchsorted(self.starts, found, side="right") - 1] = self.values[found]
        return dense


@dataclasses.dataclass(kw_only=True, slots=True)
class DiseaseTable:
    """R diseases with at least one stated phenotype, over the N terms of an ontology.

    ``frequency`` is the posterior mean of P(term | disease). A stated pair has
    Beta(s μ + Σ affected, s (1 - μ) + Σ (observed - affected)) over its statements, with
    μ = ``prior_frequency`` and s = ``prior_individuals``. A term above stated ones has the
    greatest frequency below it (LIRICAL, Robinson et al. 2020, doi:10.1016/j.ajhg.2020.06.021):
    whoever has the narrower finding has the broader one, and how findings occur together is
    unknown. ``excluded`` holds pairs of which every statement is an absence.
    """

    ontology: Ontology
    disease_ids: tuple[str, ...]
    frequency: Columns
    excluded: Columns
    pair_starts: Int[np.ndarray, "R+1"]  # stated pairs of each disease, by term
    pair_terms: Int[np.ndarray, "P"]
    pair_betas: Float[np.ndarray, "P 2"]

    def __len__(self) -> int:
        return len(self.disease_ids)

    @property
    def background(self) -> Float[np.ndarray, "N"]:
        """P(term) of a patient with any of the diseases alike; see ``background_rate``."""
        return background_rate(self.frequency.sums(), len(self))

    def terms_of(self, row: int) -> Int[np.ndarray, "K"]:
        """Terms that are stated of a disease, ascending."""
        return self.pair_terms[self.pair_starts[row] : self.pair_starts[row + 1]]

    def beta_of(self, row: int, term: int) -> tuple[float, float] | None:
        """The posterior of a stated pair, None where the pair is not stated."""
        terms = self.terms_of(row)
        place = int(np.searchsorted(terms, term))
        if place == len(terms) or terms[place] != term:
            return None
        alpha, beta = self.pair_betas[self.pair_starts[row] + place]
        return float(alpha), float(beta)

    @property
    def recorded(self) -> Float[np.ndarray, "R"]:
        """How many of its stated phenotypes a patient of each disease has on average."""
        mean = self.pair_betas[:, 0] / self.pair_betas.sum(axis=1)
        totals = np.concatenate([[0.0], np.cumsum(mean)])[self.pair_starts]
        return np.diff(totals)

    @property
    def content_hash(self) -> str:
        """sha256 over all arrays: equal content, equal hash."""
        sha = hashlib.sha256()
        for name, array in sorted(self._arrays().items()):
            sha.update(f"{name} {array.dtype.str} {array.shape}".encode())
            sha.update(array.tobytes())
        return sha.hexdigest()

    def save(self, folder: Path) -> None:
        """Writes ``table.npz``."""
        packed = io.BytesIO()
        np.savez_compressed(packed, **self._arrays())
        (folder / FILE).write_bytes(packed.getvalue())

    def _arrays(self) -> dict[str, np.ndarray]:
        arrays = {
            "disease_ids": np.array(self.disease_ids),
            "term_ids": np.array(self.ontology.term_ids),
            "ancestor_starts": self.ontology.ancestors.starts,
            "ancestors": self.ontology.ancestors.members,
            "pair_starts": self.pair_starts,
            "pair_terms": self.pair_terms,
            "pair_betas": self.pair_betas,
        }
        for name in ("frequency", "excluded"):
            for part in ("starts", "rows", "values"):
                arrays[f"{name}_{part}"] = getattr(getattr(self, name), part)
        return arrays

    @classmethod
    def load(cls, folder: Path) -> "DiseaseTable":
        """Reads what ``save`` wrote. Raises ValueError when it is missing or damaged."""
        path = Path(folder) / FILE
        if not path.is_file():
            raise ValueError(f"{path}: no such file; build the table again")
        try:
            with np.load(path, allow_pickle=False) as packed:
                found = {name: packed[name] for name in packed.files}
            columns = {
                name: Columns(
                    **{part: found[f"{name}_{part}"] for part in ("starts", "rows", "values")}
                )
                for name in ("frequency", "excluded")
            }
            above = Closure(starts=found["ancestor_starts"], members=found["ancestors"])
            return cls(
                ontology=Ontology(tuple(found["term_ids"].tolist()), above),
                disease_ids=tuple(found["disease_ids"].tolist()),
                pair_starts=found["pair_starts"],
                pair_terms=found["pair_terms"],
                pair_betas=found["pair_betas"],
                **columns,
            )
        except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: damaged ({error!r}); delete the folder and build the table again"
            ) from error


def background_rate(sums: Float[np.ndarray, "N"], num_diseases: int) -> Float[np.ndarray, "N"]:
    """(Σ over diseases of P(term | disease) + 1/2) / (R + 1): never 0, never 1."""
    return (sums + 0.5) / (num_diseases + 1)


def build_table(
    statements: Statements,
    disease_ids: tuple[str, ...],
    ontology: Ontology,
    config: TableConfig,
) -> DiseaseTable:
    """The table of some statements; ``disease_ids`` names their rows.

    Diseases of which no phenotype is stated as present are left out. Rows may also stand for
    variants of one disease, as when a paper's statements are held out for each of its patients.
    """
    keys = statements.rows * len(ontology) + statements.terms
    pairs, inverse = np.unique(keys, return_inverse=True)
    affected = np.bincount(inverse, statements.affected, len(pairs))
    observed = np.bincount(inverse, statements.observed, len(pairs))
    present = np.bincount(inverse, ~statements.excluded, len(pairs)) > 0
    alpha = config.prior_individuals * config.prior_frequency + affected
    beta = config.prior_individuals * (1 - config.prior_frequency) + observed - affected
    mean = alpha / (alpha + beta)
    rows, terms = np.divmod(pairs, len(ontology))

    kept_rows = np.unique(rows[present])
    renumbered = np.full(len(disease_ids), -1, dtype=np.int64)
    renumbered[kept_rows] = np.arange(len(kept_rows))
    rows = renumbered[rows]
    absent = ~present & (rows >= 0)
    return DiseaseTable(
        ontology=ontology,
        disease_ids=tuple(disease_ids[row] for row in kept_rows),
        frequency=_lifted(rows[present], terms[present], mean[present], ontology),
        excluded=_columns(rows[absent], terms[absent], mean[absent], ontology),
        pair_starts=np.searchsorted(rows[present], np.arange(len(kept_rows) + 1)),
        pair_terms=terms[present],
        pair_betas=np.stack([alpha, beta], axis=1)[present],
    )


def _lifted(rows: np.ndarray, terms: np.ndarray, values: np.ndarray, ontology: Ontology) -> Columns:
    """Columns in which every term has the greatest value of the stated terms below it."""
    counts = ontology.ancestors.counts()[terms]
    first = np.repeat(ontology.ancestors.starts[terms], counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    above = ontology.ancestors.members[first + offset]
    return _columns(np.repeat(rows, counts), above, np.repeat(values, counts), ontology)


def _columns(
    rows: np.ndarray, terms: np.ndarray, values: np.ndarray, ontology: Ontology
) -> Columns:
    """One entry for each (term, row), the greatest value where there are several."""
    num_rows = int(rows.max(initial=-1)) + 1
    keys = terms * max(num_rows, 1) + rows
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    best = np.maximum.reduceat(values[order], firsts) if len(firsts) else values
    terms, rows = np.divmod(keys[firsts], max(num_rows, 1))
    return Columns(
        starts=np.searchsorted(terms, np.arange(len(ontology) + 1)), rows=rows, values=best
    )
