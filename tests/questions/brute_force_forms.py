"""An independent checker of the other forms, written from their definitions.

It knows the graph as lists of entities and edges only and uses nothing of ``medr_jax.questions``.
"""

import itertools
import math
import re
from collections import defaultdict

POSITIVE, EXCLUDED = "positive", "excluded"
NOT_A_FACT = {"contraindicated_in", "off_label_for", "retracted_by", "synergistic_with"}


def plain(text):
    return " ".join(re.findall(r"\w+", text.lower()))


def mentions(text, name):
    return bool(plain(name)) and f" {plain(name)} " in f" {plain(text)} "


class FactChecker:
    """Positive facts as sets, and what includes what."""

    def __init__(self, graph):
        self.entities = {one: graph.entity(one) for one in graph.entity_ids()}
        self.snapshot = graph.snapshot
        self.facts = defaultdict(set)  # (subject, relation) -> values
        self.relations = defaultdict(set)
        self.qualifiers = defaultdict(set)
        for source in self.entities:
            for edge in graph.edges_of(source):
                if edge.polarity == POSITIVE:
                    self.facts[source, str(edge.relation)].add(edge.target)
                    self.qualifiers[source, str(edge.relation), edge.target].add(edge.qualifier)
                self.relations[source].add(str(edge.relation))
        self.broader = defaultdict(set)
        for (source, relation), values in self.facts.items():
            if relation == "broader_than":
                for one in values:
                    self.broader[one].add(source)

    def kind(self, one):
        return str(self.entities[one].kind)

    def above(self, term):
        found, waiting = set(), [term]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.facts[one, "is_a"]
        return found

    def is_included(self, value, other):
        """Whether a statement of ``other`` is one of ``value``, too."""
        if value == other:
            return True
        kind, name, called = self.kind(value), self.entities[value].name, self.entities[other].name
        if kind != self.kind(other):
            return False
        if kind == "phenotype":
            return value in self.above(other)
        if kind == "disease":
            return value in self.broader[other]
        if kind == "drug":
            return plain(called).startswith(f"{plain(name)} ")
        return kind == "date" and called.startswith(f"{name}-")

    def satisfies(self, subject, clue):
        stated = self.facts[subject, str(clue.relation)]
        return any(self.is_included(clue.entity_id, one) for one in stated)

    def fitting(self, kind, clues):
        return {
            one
            for one in self.entities
            if self.kind(one) == kind and all(self.satisfies(one, clue) for clue in clues)
        }

    def reach(self, subject, hops):
        """What the hops' relations lead to, by kinds of the hops' own targets."""
        here = {subject}
        for hop in hops:
            if len(here) != 1:
                return set()
            (one,) = here
            here = set(self.facts[one, str(hop.relation)])
            if hop.target_id:
                here = {each for each in here if self.kind(each) == self.kind(hop.target_id)}
        return here


def fact_violations(checker, question):
    """What is wrong with a question about drugs, products, patents, trials or articles."""
    chain = question.chain
    subject, hops = chain.seed_id, chain.hops
    kind = checker.kind(subject)
    reached = checker.reach(subject, hops) if hops else {subject}
    members = {names[0] for names in question.answer_set or ()}
    gold = members or ({question.answer_id} if question.answer_id else set())
    found = []
    if reached != gold:
        found.append(f"the hops lead to {reached}, not to {gold}")
    if bool(gold) != bool(question.answer) or (len(gold) > 1) != bool(members):
        found.append("an answer that is none, or a set that is none")
    for step in (*chain.clues, *hops):
        if str(step.relation) in NOT_A_FACT:
            found.append(f"{step.relation} is no fact to ask about")
    for hop in hops:
        reserved = checker.qualifiers[hop.source_id, str(hop.relation), hop.target_id]
        if any("ESTIMATED" in one or "delist" in one for one in reserved):
            found.append("a date that is planned, or a listing that goes")
    if not gold and str(hops[-1].relation) in checker.relations[subject]:
        found.append("something is stated after all")
    if chain.clues:
        found += _clue_faults(checker, question, subject, kind, gold)
    elif not hops:
        found.append("neither clues nor hops")
    found += _fact_text(checker, question, subject, gold)
    return found


def _clue_faults(checker, question, subject, kind, gold):
    clues, hops = question.chain.clues, question.chain.hops
    if checker.fitting(kind, clues) != {subject}:
        yield "the clues fit somebody else"
    for left_out in clues:
        rest = [clue for clue in clues if clue is not left_out]
        ends = [checker.reach(one, hops) if hops else {one} for one in checker.fitting(kind, rest)]
        if not any(end and end != gold for end in ends):
            yield f"{left_out.text} can be left out"


def _fact_text(checker, question, subject, gold):
    for one in gold:
        entity = checker.entities[one]
        for name in (entity.name, *entity.synonyms, one.rpartition(":")[2]):
            if mentions(question.text, name):
                yield f"the text names {name}"
    quoted = " | ".join(clue.text for clue in question.chain.clues)
    if question.chain.clues and mentions(quoted, checker.entities[subject].name):
        yield "the clues name the subject"
    for clue in question.chain.clues:
        if clue.text not in question.text:
            yield "a clue is not said"
    for part in checker.snapshot.split("; "):
        if part not in question.text:
            yield "the snapshot is not stated"


def band_holds(affected, observed):
    """m of at least 10, and the 80% score interval of n/m inside one of HPO's bands."""
    z = 1.2816
    p, n = affected / observed, observed
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    bands = ((0, 0.05), (0.05, 0.3), (0.3, 0.8), (0.8, 1))
    inside = any(a <= max(0, centre - half) and min(1, centre + half) <= b for a, b in bands)
    return observed >= 10 and 0 < affected <= observed and inside


def feature_violations(brute, graph, question):
    """What is wrong with a question of counts, absences, genes or nothing about a disease.

    ``brute`` is a ``BruteForce`` of medr_jax.testing.question_checker.
    """
    chain = question.chain
    (hop,) = chain.hops
    disease = hop.source_id
    found = []

    def edges(one, relation="has_phenotype"):
        return [edge for edge in graph.edges_of(one) if str(edge.relation) == relation]

    def shown(one, term):
        counts = [
            (edge.num_observed, edge.num_affected)
            for edge in edges(one)
            if edge.target == term and edge.num_observed and edge.num_affected is not None
        ]
        return max(counts, default=None)

    def within(term):
        return not hop.within_id or hop.within_id in brute.lineage(term)

    def absences(one):
        seen = set().union(*(brute.lineage(t) for t in brute.forward[one, "has_phenotype"]), set())
        return {
            edge.target
            for edge in edges(one)
            if edge.polarity == EXCLUDED
            and within(edge.target)
            and edge.target not in seen
            and (edge.num_observed is None or edge.num_observed >= 10)
        }

    def answers(one):
        if question.form == "frequency":
            n, m = map(int, hop.count.split("/"))
            return {
                term
                for term in brute.forward[one, "has_phenotype"]
                if within(term) and shown(one, term) == (m, n)
            }
        if question.form == "absence":
            return absences(one)
        return set(brute.forward[one, str(hop.relation)])

    gold = {names[0] for names in question.answer_set or ()} or {question.answer_id} - {""}
    real = answers(disease)
    clues = [brute.having[clue.entity_id] for clue in chain.clues]
    if question.form == "unanswerable":
        if question.answer or gold or hop.target_id:
            found.append("it has an answer")
        if question.proof["unanswerable"] == "false premise":
            if set.intersection(*clues):
                found.append("somebody satisfies all clues")
            true = clues[:-1]
            if set.intersection(*true) != {disease} or disease in clues[-1]:
                found.append("the true clues do not pick out the disease, or the false is true")
        elif edges(disease, str(hop.relation)):
            found.append("it is stated")
    elif real != gold or (len(gold) > 1) != (question.form == "several_answers"):
        found.append(f"{question.form}: {real} and not {gold}")
    if question.form == "frequency":
        n, m = map(int, hop.count.split("/"))
        others = [t for t in brute.forward[disease, "has_phenotype"] if within(t)]
        if not band_holds(n, m) or len(others) < 2:
            found.append("too few observed, no band, or the count says nothing")
    if question.form == "absence":
        every = {e.target for e in edges(disease) if e.polarity == EXCLUDED and within(e.target)}
        if every != gold:
            found.append("something else is reported absent there")
    if question.proof.get("unanswerable") != "false premise" and clues:
        if set.intersection(*clues) != {disease}:
            found.append("the clues fit another disease")
        for number in range(len(clues)):
            rest = clues[:number] + clues[number + 1 :]
            fitting = (
                set.intersection(*rest)
                if rest
                else {one for one in brute.entities if brute.kind(one) == "disease"}
            )
            if not any(answers(one) and answers(one) != gold for one in sorted(fitting)):
                found.append(f"clue {number} can be left out")
    names = itertools.chain.from_iterable(brute.names(one) for one in gold)
    if any(mentions(question.text, name) for name in names):
        found.append("the text names an answer")
    said = " | ".join(clue.text for clue in chain.clues)
    if chain.clues and any(mentions(said, name) for name in brute.names(disease)):
        found.append("the clues name the disease")
    return found
