"""Why a question may not be asked: it is ambiguous, says too much, or can be cut short."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.hops import FORMS, Form, HopFinder, Step
from medr_jax.questions.kin import Kinship
from medr_jax.questions.text import mentions, mentions_any, words
from medr_jax.types import Hop, Kind


class Reason(StrEnum):
    """Why a draft was rejected; what the summary counts."""

    FEW_CLUES = "no clue set is unique"
    SPARE_CLUES = "every unique clue set has a spare or telling clue"
    NO_DEFINITION = "no usable definition"
    SHARED_NAME = "an entity's name is another's too"
    KIN_MATCH = "a broader, narrower or sibling disease may be meant by the clues"
    KIN_HOP = "a hop leads to a disease of the same series or a broader or narrower one"
    BYPASS = "an earlier entity leads to the answer"
    NAME_GIVEAWAY = "an entity's name gives away a hop"
    CLUE_GIVEAWAY = "the text gives away the answer"
    NAMED = "the text names the answer or a hidden entity"


_MODE_WORDS = (
    "autosomal dominant recessive semidominant codominant pseudoautosomal xlinked ylinked x-linked "
    "y-linked mitochondrial sporadic mosaic mosaicism maternal paternal imprinting digenic "
    "oligogenic polygenic multifactorial somatic sex-limited hemizygous homozygous heterozygous"
)
_ONSET_WORDS = (
    "congenital neonatal neonate newborn birth perinatal infantile infant infancy childhood child "
    "juvenile adolescent adolescence teenage adult adulthood antenatal prenatal fetal foetal fetus "
    "embryonal embryonic trimester pediatric elderly senile late early onset young old age"
)
_COURSE_WORDS = (
    "progressive progression slowly rapidly nonprogressive static episodic intermittent acute "
    "chronic subacute insidious fluctuating recurrent relapsing stable death lethal fatal "
    "mortality stillbirth miscarriage abortion cluster self-limiting"
)
GIVEAWAYS = {
    Form.INHERITANCE: tuple(_MODE_WORDS.split()),
    Form.ONSET: tuple(_ONSET_WORDS.split()),
    Form.COURSE: tuple(_COURSE_WORDS.split()),
}
"""Words that answer, or nearly answer, a question of the form."""

COMMON_WORDS = frozenset(
    words(
        "syndrome type types with without and due disease disorder disorders congenital familial "
        "hereditary primary secondary multiple related abnormality abnormal abnormally severe mild "
        "moderate isolated early late onset progressive defect deficiency anomaly anomalies "
        "increased decreased reduced elevated absent from into than that this which other form "
        "infantile juvenile childhood adult neonatal acute chronic recurrent complete partial "
        "bilateral unilateral generalized localized diffuse limb body level levels function "
        "impaired impairment upper lower left right distal proximal small large short long high "
        "normal presence characterized associated feature features part region system more less"
    )
)
"""Words that a clue and a disease's name may share without pointing at each other."""


class Verifier:
    """Checks that need no more than the graph; each returns the reason or None."""

    def __init__(self, graph: KnowledgeGraph, finder: HopFinder, kinship: Kinship) -> None:
        self.graph = graph
        self.closure = finder.closure
        self.finder = finder
        self.kinship = kinship

    def names(self, entity_id: str) -> tuple[str, ...]:
        """Name and synonyms."""
        entity = self.graph.entity(entity_id)
        return (entity.name, *entity.synonyms)

    def check_hops(self, start_id: str, hops: Sequence[Hop]) -> Reason | None:
        """What is wrong with a chain whatever its clues are."""
        entities = [start_id, *(hop.target_id for hop in hops)]
        if any(self.graph.same_name(one) for one in entities):
            return Reason.SHARED_NAME
        if any(self.kinship.are_kin(*pair) for pair in _pairs_of_diseases(self.graph, entities)):
            return Reason.KIN_HOP
        if any(self._name_gives_away(hop) for hop in hops):
            return Reason.NAME_GIVEAWAY
        if len(hops) > 1 and self._bypassed(entities, hops[-1]):
            return Reason.BYPASS
        return None

    def check_text(
        self, text: str, clue_texts: Sequence[str], start_id: str, hops: Sequence[Hop]
    ) -> Reason | None:
        """Whether the text names what it must not, or gives the answer away."""
        named_start = not clue_texts
        answer_id = hops[-1].target_id if hops else start_id
        hidden = [hop.target_id for hop in hops[:-1]]
        if not named_start:
            hidden.append(start_id)
        if mentions_any(text, self.names(answer_id)):
            return Reason.NAMED
        said = " | ".join(clue_texts)
        if any(mentions_any(said, self.names(one)) for one in hidden):
            return Reason.NAMED
        if hops and any(mentions(said, word) for word in GIVEAWAYS.get(_form(hops[-1]), ())):
            return Reason.CLUE_GIVEAWAY
        if any(self.clue_gives_away(one, answer_id) for one in clue_texts):
            return Reason.CLUE_GIVEAWAY
        if named_start and mentions_any(" | ".join(self.names(answer_id)), self.names(start_id)):
            return Reason.CLUE_GIVEAWAY
        return None

    def clue_gives_away(self, clue_text: str, answer_id: str) -> bool:
        """Whether a clue points at the answer by its words.

        For a disease: they share a word that is not a common one (an eponym, a cardinal
        feature in the title). For a phenotype: one's name stands in the other's.
        """
        kind = self.graph.entity(answer_id).kind
        if kind is Kind.DISEASE:
            return bool(
                self._telling_words((clue_text,)) & self._telling_words(self.names(answer_id))
            )
        if kind is Kind.PHENOTYPE:
            return any(mentions(name, clue_text) for name in self.names(answer_id))
        return False

    def implies(self, clue_id: str, answer_id: str) -> bool:
        """Whether a clue and a phenotype that is asked for stand above one another."""
        if self.graph.entity(answer_id).kind is not Kind.PHENOTYPE:
            return False
        above_clue, above_answer = map(self.graph.ancestors, (clue_id, answer_id))
        return answer_id in above_clue or clue_id in above_answer

    def in_title(self, clue_text: str, disease_id: str) -> bool:
        """Whether a clue's name stands in the disease's name, or the other way round."""
        return any(
            mentions(name, clue_text) or mentions(clue_text, name)
            for name in self.names(disease_id)
        )

    def _name_gives_away(self, hop: Hop) -> bool:
        """Whether the source's name tells the target, or the other way round for a gene."""
        form = _form(hop)
        names = self.names(hop.source_id)
        if form in GIVEAWAYS:
            return any(mentions_any(name, GIVEAWAYS[form]) for name in names)
        targets = self.names(hop.target_id)
        if form in (Form.GENE, Form.PHENOTYPE):
            return any(mentions_any(name, targets) for name in names)
        if form in (Form.GENE_DISEASE, Form.PHENOTYPE_DISEASE):
            return any(mentions_any(target, names) for target in targets)
        return False

    def _bypassed(self, entities: Sequence[str], last: Hop) -> bool:
        """Whether an entity before the last hop's source leads to the answer already.

        Either the last question asked of it has the answer among its own answers (under
        closure), or an edge joins the two.
        """
        step = Step.of(last)
        kind = self.graph.entity(last.source_id).kind
        for earlier in entities[:-2]:
            same_kind = self.graph.entity(earlier).kind is kind
            if same_kind and last.target_id in self.finder.candidates(earlier, step):
                return True
            if step.form is Form.PHENOTYPE and same_kind:
                satisfied = self.closure.mask(last.target_id) & self.closure.mask_of((earlier,))
                if satisfied:
                    return True
            if self._linked(earlier, last.target_id):
                return True
        return False

    def _linked(self, one: str, other: str) -> bool:
        near, ends = self.graph.adjacency, (self.graph.position(one), self.graph.position(other))
        return near.linked(*ends) or near.linked(*ends[::-1])

    def _telling_words(self, texts: Iterable[str]) -> frozenset[str]:
        found = {word for text in texts for word in words(text)}
        return frozenset(
            word for word in found - COMMON_WORDS if len(word) > 3 and not word.isdecimal()
        )


def _form(hop: Hop) -> Form:
    return FORMS[hop.relation, hop.inverse]


def _pairs_of_diseases(graph: KnowledgeGraph, entities: Sequence[str]) -> Iterable[tuple[str, str]]:
    diseases = [one for one in entities if graph.entity(one).kind is Kind.DISEASE]
    return ((a, b) for i, a in enumerate(diseases) for b in diseases[:i])
