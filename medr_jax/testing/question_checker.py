"""An independent checker of questions, written from the definitions (docs/method.md).

It knows the graph only as lists of entities and stated edges, works with plain dictionaries and
sets, and imports nothing of this package (a test sees to that). ``violations`` returns what is
wrong with a question; an accepted question has none.
"""

import re
from collections import defaultdict

POSITIVE = "positive"
ROOT = "HP:0000118"
DISEASE, PHENOTYPE, GENE = "disease", "phenotype", "gene"
FROM_DISEASE = {"associated_gene", "inherited_as", "has_onset", "has_course", "has_phenotype"}
MODE = r"\b(autosomal|x-linked|y-linked|dominant|recessive|mitochondrial|digenic)\b"
ONSET = r"\b(congenital|neonatal|infantile|childhood|juvenile|adult|antenatal|onset)\b"


class BruteForce:
    """All that there is to know about a graph, as sets."""

    def __init__(self, graph):
        self.entities = {one: graph.entity(one) for one in graph.entity_ids()}
        self.snapshot = graph.snapshot
        self.forward = defaultdict(set)  # (source, relation) -> targets
        self.backward = defaultdict(set)  # (target, relation) -> sources
        for source in self.entities:
            for edge in graph.edges_of(source):
                if edge.polarity == POSITIVE:
                    self.forward[edge.source, str(edge.relation)].add(edge.target)
                    self.backward[edge.target, str(edge.relation)].add(edge.source)
        self.above = {}
        self.having = defaultdict(set)  # term -> diseases with it or with a term below it
        for disease, entity in self.entities.items():
            if entity.kind == DISEASE:
                for term in self.forward[disease, "has_phenotype"]:
                    for one in self.lineage(term):
                        self.having[one].add(disease)
        self.branches = self.backward[ROOT, "is_a"]
        self.defined = defaultdict(set)  # text -> phenotypes whose definition begins with it
        for one, entity in self.entities.items():
            if entity.kind == PHENOTYPE and entity.definition:
                self.defined[plain(entity.definition)[:20]].add(one)

    def lineage(self, term):
        """The term and everything above it."""
        if term not in self.above:
            found, waiting = set(), [term]
            while waiting:
                one = waiting.pop()
                if one not in found:
                    found.add(one)
                    waiting.extend(self.forward[one, "is_a"])
            self.above[term] = found
        return self.above[term]

    def surrounded(self, text):
        """Terms that are a kind of the first name and have the second as a kind of theirs."""
        found = re.fullmatch("a kind of '(.*)' that includes '(.*)'", text)
        if not found:
            return set()
        above, below = (
            {one for one, entity in self.entities.items() if entity.name.replace('"', "'") == name}
            for name in found.groups()
        )
        return {
            one
            for one in self.entities
            if above & self.forward[one, "is_a"] and below & self.backward[one, "is_a"]
        }

    def kind(self, one):
        return str(self.entities[one].kind)

    def names(self, one):
        return (self.entities[one].name, *self.entities[one].synonyms)

    def answers(self, hop, source):
        """Everything that the hop's relation leads to from ``source``, under closure."""
        relation = str(hop.relation)
        if hop.inverse and relation == "has_phenotype":
            return set(self.having[source])
        if hop.inverse:
            return set(self.backward[source, relation])
        found = set(self.forward[source, relation])
        if hop.within_id:
            found = {one for one in found if hop.within_id in self.lineage(one)}
        return found

    def step(self, hop, source, previous):
        """The answers besides the entity that was just left (where it may be left out)."""
        both_ways = hop.inverse or str(hop.relation) == "associated_gene"
        return self.answers(hop, source) - ({previous} if both_ways else set())

    def reach(self, hops, start, functional):
        """Possible ends of the hops from ``start``; only of unambiguous steps if functional."""
        ends = {(start, "")}
        for hop in hops:
            following = set()
            for here, previous in ends:
                found = self.step(hop, here, previous)
                if functional and (len(found) != 1 or previous in found):
                    continue
                following |= {(one, here) for one in found if one != previous}
            ends = following
        return {end for end, _ in ends}


def plain(text):
    return " ".join(re.findall(r"\w+", text.lower()))


def mentions(text, name):
    return bool(plain(name)) and f" {plain(name)} " in f" {plain(text)} "


def violations(brute, question, family_split):
    """What is wrong with ``question``; ``family_split`` maps diseases and genes to splits."""
    chain, hops = question.chain, question.chain.hops
    start = hops[0].source_id if hops else question.answer_id
    end = hops[-1].target_id if hops else start
    entities = [start, *(hop.target_id for hop in hops)]
    found = [*_form(brute, question, start, end, entities)]
    found += _start(brute, chain, start, end)
    found += _hops(brute, hops, entities, end)
    found += _text(brute, question, entities, end)
    for one in entities:
        if brute.kind(one) in (DISEASE, GENE) and family_split[one] != question.split:
            found.append(f"{one} is of split {family_split[one]}")
    return found


def _form(brute, question, start, end, entities):
    if question.answer_id != end or question.answer != brute.entities[end].name:
        yield "the answer is not where the hops end"
    if question.answer_kind != brute.kind(end):
        yield "wrong kind of answer"
    if set(question.answer_aliases) != set(brute.entities[end].synonyms):
        yield "wrong aliases"
    if question.num_hops != len(question.chain.hops) + bool(question.chain.clues):
        yield "wrong number of hops"
    if question.num_hops < 1 or len(set(entities)) != len(entities):
        yield "no hop, or an entity twice"
    if question.chain.seed_id != start:
        yield "the chain does not begin at its seed"
    date = question.snapshot.split()[-1]
    if question.snapshot != brute.snapshot or date not in question.text:
        yield "the snapshot is not stated"


def _start(brute, chain, start, end):
    clues = chain.clues
    if not clues:
        if brute.kind(start) != GENE:
            yield "no clues, and no gene to start from"
        return
    if str(clues[0].relation) == "is_a":
        text = plain(clues[0].text)
        found = {
            one
            for one in brute.defined[text[:20]]
            if plain(brute.entities[one].definition).startswith(text)
        }
        if len(clues) != 1 or clues[0].entity_id != start or found != {start}:
            yield f"the definition fits {sorted(found)}"
        return
    sets = [brute.having[clue.entity_id] for clue in clues]
    if set.intersection(*sets) != {start}:
        yield "the clues fit another disease"
    for clue in clues:
        if str(clue.relation) != "has_phenotype" or clue.entity_id in brute.branches:
            yield "no clue of use"
        if clue.entity_id not in brute.forward[start, "has_phenotype"]:
            yield "a clue is not annotated"
        entity = brute.entities[clue.entity_id]
        texts = [one.replace('"', "'") for one in (entity.name, *entity.synonyms)]
        said = plain(entity.definition).startswith(plain(clue.text)) or clue.text in texts
        said = said or brute.surrounded(clue.text) == {clue.entity_id}
        if not said:
            yield f"{clue.text!r} does not say {clue.entity_id}"
    everything = {one for one, entity in brute.entities.items() if entity.kind == DISEASE}
    for number in range(len(clues)):
        rest = set.intersection(everything, *sets[:number], *sets[number + 1 :])
        for functional in (False, True):
            ends = set()
            for one in sorted(rest):
                ends |= brute.reach(chain.hops, one, functional)
                if len(ends) > 1:
                    break
            if len(ends) < 2 or end not in brute.reach(chain.hops, start, True):
                yield f"clue {number} can be left out (functional={functional})"


def _hops(brute, hops, entities, end):
    previous = ""
    for here, hop in zip(entities, hops, strict=False):
        if hop.source_id != here:
            yield "the hops do not connect"
        if brute.step(hop, here, previous) != {hop.target_id}:
            yield f"{hop.relation} from {here} does not lead to exactly {hop.target_id}"
        if hop.within_id and (hop.within_id == hop.target_id or not _below_root(brute, hop)):
            yield "the branch is no branch, or is the answer"
        previous = here
    for earlier in entities[:-2]:
        if brute.kind(earlier) == brute.kind(hops[-1].source_id):
            if end in brute.answers(hops[-1], earlier):
                yield "an earlier entity has the same answer"
            if hops[-1].within_id and earlier in brute.having[end]:
                yield "an earlier disease satisfies the answer"
        if any(end in brute.forward[earlier, relation] for relation in FROM_DISEASE):
            yield "an edge leads from an earlier entity to the answer"
    diseases = [one for one in entities if brute.kind(one) == DISEASE]
    for one in diseases:
        if brute.forward[one, "broader_than"] & set(diseases):
            yield "a disease and a narrower one in a chain"


def _below_root(brute, hop):
    return hop.within_id in brute.branches and ROOT in brute.lineage(hop.target_id)


def _text(brute, question, entities, end):
    clues = " | ".join(clue.text for clue in question.chain.clues)
    if any(mentions(question.text, name) for name in brute.names(end)):
        yield "the text names the answer"
    for one in entities[:-1]:
        if not question.chain.clues and one == entities[0]:
            continue
        if any(mentions(clues, name) for name in brute.names(one)):
            yield f"the clues name {one}"
    for clue in question.chain.clues:
        if clue.text not in question.text:
            yield "a clue is not said"
    last = question.chain.hops[-1] if question.chain.hops else None
    relation = str(last.relation) if last else ""
    if relation in ("inherited_as", "has_onset"):
        pattern = MODE if relation == "inherited_as" else ONSET
        said = (clues, *brute.names(last.source_id))
        if any(re.search(pattern, text.lower()) for text in said):
            yield "a word of the text or of a title gives the answer away"
    for hop in question.chain.hops:
        ends = {brute.kind(hop.source_id): hop.source_id, brute.kind(hop.target_id): hop.target_id}
        if set(ends) == {DISEASE, GENE}:
            gene = brute.entities[ends[GENE]].name
            if any(mentions(name, gene) for name in brute.names(ends[DISEASE])):
                yield "a title holds the gene's symbol"
    if brute.kind(end) == DISEASE and not question.chain.clues:
        gene = brute.entities[entities[0]].name
        if any(mentions(name, gene) for name in brute.names(end)):
            yield "the answer holds the symbol of the question"
