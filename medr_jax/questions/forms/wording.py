"""How the other forms are said in English.

A fact is said of a subject in three ways: as a verb phrase after "that" (a clue), as a question
for its only value, and as a question for all its values. No phrase claims more than its source:
a drug is "linked to" an enzyme, CPIC "pairs" a drug with a gene, whatever its level.
"""

from typing import NamedTuple

from medr_jax.types import Kind, Relation


class Fact(NamedTuple):
    """``verb`` follows "that"; ``question`` asks for one value; {it}: a phrase for the subject."""

    verb: str
    noun: str
    plural: str
    question: str


FACTS = {
    Relation.INDICATED_FOR: Fact(
        "is indicated for {value}", "indication", "indications", "for what is {it} indicated?"
    ),
    Relation.SIDE_EFFECT: Fact(
        "has the side effect {value}", "side effect", "side effects",
        "which side effect does {it} have?",
    ),
    Relation.DRUG_TARGET: Fact(
        "has the target {value}", "target", "targets", "which target does {it} have?"
    ),
    Relation.DRUG_ENZYME: Fact(
        "is linked to the enzyme {value}", "enzyme", "enzymes", "which enzyme is {it} linked to?"
    ),
    Relation.DRUG_CARRIER: Fact(
        "is linked to the carrier {value}", "carrier", "carriers",
        "which carrier is {it} linked to?",
    ),
    Relation.DRUG_TRANSPORTER: Fact(
        "is linked to the transporter {value}", "transporter", "transporters",
        "which transporter is {it} linked to?",
    ),
    Relation.DOSED_BY_GENE: Fact(
        "is paired by CPIC with the gene {value}", "pharmacogene", "pharmacogenes",
        "with which gene does CPIC pair {it}?",
    ),
    Relation.IN_CLASS: Fact(
        "belongs to the class {value}", "drug class", "drug classes",
        "to which drug class does {it} belong?",
    ),
    Relation.CONTAINS: Fact(
        "contains {value}", "active ingredient", "active ingredients",
        "which active ingredient does {it} contain?",
    ),
    Relation.MADE_BY: Fact(
        "has the applicant {value}", "applicant", "applicants",
        "which company is the applicant of {it}?",
    ),
    Relation.APPROVED_ON: Fact(
        "was approved on {value}", "approval date", "approval dates",
        "on which date was {it} approved?",
    ),
    Relation.PROTECTED_BY: Fact(
        "is protected by {value}", "{target}", "{targets}", "which {target} is listed for {it}?"
    ),
    Relation.EXPIRES_ON: Fact(
        "expires on {value}", "expiry date", "expiry dates", "on which date does {it} expire?"
    ),
    Relation.STUDIES: Fact(
        "studies {value}", "condition", "conditions", "which condition does {it} study?"
    ),
    Relation.TESTS: Fact(
        "tests {value}", "intervention", "interventions", "which intervention does {it} test?"
    ),
    Relation.SPONSORED_BY: Fact(
        "is sponsored by {value}", "lead sponsor", "lead sponsors",
        "who is the lead sponsor of {it}?",
    ),
    Relation.STARTED_ON: Fact(
        "has the start date {value}", "start date", "start dates", "when did {it} start?"
    ),
    Relation.COMPLETED_ON: Fact(
        "has the completion date {value}", "completion date", "completion dates",
        "when was {it} completed?",
    ),
    Relation.HAS_STATUS: Fact(
        "has the status {value}", "status", "statuses", "which status does {it} have?"
    ),
    Relation.HAS_PHASE: Fact(
        "has the phase {value}", "phase", "phases", "which phase does {it} have?"
    ),
    Relation.PUBLISHED_IN: Fact(
        "appeared in {value}", "journal", "journals", "in which journal did {it} appear?"
    ),
    Relation.PUBLISHED_ON: Fact(
        "has the publication date {value}", "publication date", "publication dates",
        "when was {it} published?",
    ),
    Relation.FIRST_AUTHOR: Fact(
        "has the first author {value}", "first author", "first authors",
        "who is the first author of {it}?",
    ),
    Relation.ABOUT: Fact(
        "is indexed with {value}", "index term", "index terms",
        "with which term is {it} indexed?",
    ),
    Relation.REPORTS_TRIAL: Fact(
        "reports the trial {value}", "reported trial", "reported trials",
        "which trial does {it} report?",
    ),
}  # fmt: skip
"""What may be a clue or a hop: never a contraindication, an off-label use or a retraction."""

ONE = ("{question}", "what is the only {noun} of {it}?", "which {noun} is stated for {it}?")
SEVERAL = (
    "which {plural} are stated for {it}?",
    "what are all {plural} of {it}?",
    "name all {plural} that are stated for {it}.",
)
NOUN_PHRASES = ("the only {noun} of {it}", "the only {noun} stated for {it}")

SUBJECTS = {
    Kind.DRUG: ("drug", "drugs"),
    Kind.PRODUCT: ("drug product", "drug products"),
    Kind.PATENT: ("patent", "patents"),
    Kind.EXCLUSIVITY: ("exclusivity", "exclusivities"),
    Kind.TRIAL: ("trial", "trials"),
    Kind.PUBLICATION: ("article", "articles"),
}
"""Whom facts are stated of, as singular and plural."""

NUMBERS = {
    Kind.PRODUCT: "application and product number",
    Kind.PATENT: "patent number",
    Kind.TRIAL: "NCT number",
    Kind.PUBLICATION: "PMID",
}
"""What an answer of the kind is asked by."""

WHICH = (
    "which {noun} {verbs}?",
    "which is the only {noun} that {verbs}?",
    "what is the only {noun} that {verbs}?",
)
STARTS = ("the {noun} that {verbs}", "the only {noun} that {verbs}")
STEPS = ("Exactly one {noun} {verbs}.", "One {noun} alone {verbs}.")

COUNTED = (
    "which phenotype under {branch} was reported in {affected} of {observed} published patients "
    "with {it}?",
    "among published patients with {it}, which phenotype under {branch} was found in {affected} "
    "of {observed}?",
    "which is the only phenotype under {branch} that {affected} of {observed} published patients "
    "with {it} had?",
)
ABSENT = (
    "which phenotype{under} is reported absent in {it}?",
    "which is the only phenotype{under} reported absent in {it}?",
    "which phenotype{under} is stated to be absent in {it}?",
)
GENES = (
    "which genes are associated with {it}?",
    "what are all genes associated with {it}?",
    "name all genes that are associated with {it}.",
)
