"""All questions of one form, seed by seed: the unit that shards."""

import collections
import itertools
import random
from collections.abc import Callable, Iterable, Sequence

from medr_jax.graph.rarity import seed_diseases
from medr_jax.questions.forms import facts, features
from medr_jax.questions.make import QuestionMaker
from medr_jax.types import Kind, Question, Relation

_BATCH = 128  # seeds between two looks at whether there is enough
_NEEDS = {
    "frequency": "HPO annotations with counts (format hpo)",
    "absence": "annotations of absence (format hpo or primekg)",
    "date": "clinical_trials, orange_book or pubmed",
    "identifier": "clinical_trials, orange_book or pubmed",
    "attribute": "clinical_trials, orange_book or pubmed",
    "drug": "primekg, cpic, orange_book or clinical_trials",
}


class FormMaker:
    """Makes questions of every form but ``forward_chain``.

    What a seed gives depends on the graph, the config and the seed's id only.
    """

    def __init__(self, maker: QuestionMaker) -> None:
        self.maker = maker
        self.rejections: collections.Counter[str] = collections.Counter()
        self.facts = facts.FactMaker(maker.graph, maker.config, maker.splits, self.rejections)
        self.features = features.FeatureMaker(maker, self.rejections)

    def seeds(self, form: str, split: str) -> list[str]:
        """Seeds of a form in a split, in seeded order.

        Diseases are those of the split and no susceptibility, somatic or similar entry; what a
        subject of facts gives belongs to the split of what answers it.

        Raises:
            ValueError: the graph has nothing to ask of this form about.
        """
        graph, found = self.maker.graph, []
        if form in features.FORMS:
            sparse, others = seed_diseases(graph)
            found += [
                one
                for one in sorted({*sparse, *others})
                if self.maker.splits.split_of(one) == split
            ]
        if form in facts.FORMS:
            found += self.facts.seeds()
        has_features = form in features.FORMS and Relation.HAS_PHENOTYPE in graph.relations
        if not has_features and not (form in facts.FORMS and found):
            raise ValueError(
                f"questions.forms.{form}: {graph.snapshot} states nothing for it; add a source: "
                f"{_NEEDS.get(form, 'any with diseases, drugs or trials')}"
            )
        random.Random(f"{form}:{self.maker.config.seed}").shuffle(found)
        return found

    def from_seed(self, form: str, seed_id: str, split: str) -> list[Question]:
        """Verified questions of one form that begin at ``seed_id``."""
        if self.maker.graph.entity(seed_id).kind is Kind.DISEASE:
            return self.features.from_seed(form, seed_id, split)
        return self.facts.from_seed(form, seed_id, split)


def take(
    seeds: Sequence[str], make: Callable[[str], Iterable[Question]], number: int
) -> list[Question]:
    """Up to ``number`` questions: the first of every seed, then the second of every seed, ...

    Seeds are asked in batches until their first questions are enough.
    """
    made: list[list[Question]] = []
    for first in range(0, len(seeds), _BATCH):
        made += [list(make(seed)) for seed in seeds[first : first + _BATCH]]
        if sum(map(bool, made)) >= number:
            break
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*made))
    return list({one.question_id: one for one in rounds if one is not None}.values())[:number]
