"""Names that stand for one entity, and for no other."""

import collections
from collections.abc import Iterable, Mapping

from medr_jax.grading.forms import Form, forms
from medr_jax.types import Entity


class SynonymTable:
    """Entities by any of their names, compared by ``forms``.

    A name that several entities share ("MS") identifies none of them. Only whole answers are
    looked up: a synonym inside a longer text is left alone.
    """

    def __init__(self, names: Mapping[str, Iterable[str]]):
        """``names``: entity id -> its names."""
        owners: dict[Form, set[str]] = collections.defaultdict(set)
        for entity_id, its_names in names.items():
            for name in its_names:
                for form in forms(name):
                    owners[form].add(entity_id)
        self._owner = {form: next(iter(ids)) for form, ids in owners.items() if len(ids) == 1}

    @classmethod
    def of(cls, entities: Iterable[Entity]) -> "SynonymTable":
        """The table of a graph's entities: names and EXACT synonyms."""
        return cls({entity.id: (entity.name, *entity.synonyms) for entity in entities})

    def entity_id(self, text: str) -> str | None:
        """The one entity that ``text`` names; None when there is none or more than one."""
        found = {self._owner[form] for form in forms(text) if form in self._owner}
        return found.pop() if len(found) == 1 else None

    def same(self, first: str, second: str) -> bool:
        """Whether both texts name the same entity."""
        found = self.entity_id(first)
        return found is not None and found == self.entity_id(second)


NO_SYNONYMS = SynonymTable({})
