"""How a relation is said in English.

Three styles say a chain. *Nested*: one question ("Which gene is associated with the disease
annotated with ...?"). *Steps*: sentences that state each entity without naming it, then the
question. *Walk*: an instruction where to go, then the question. All state what kind of thing
the answer is, and claim no more than the data: genes are "associated with" a disease, and
phenotypes, modes, onsets and courses are "annotated".
"""

from medr_jax.questions.hops import Form
from medr_jax.types import Kind

NOUNS = {
    Kind.DISEASE: "disease",
    Kind.GENE: "gene",
    Kind.PHENOTYPE: "phenotype",
}

ATTRIBUTIONS = ("According to {source}, ", "In {source}, ", "As stated in {source}, ")
ANNOTATED_SOURCE = "the {name} annotations of {date}"
ONTOLOGY_SOURCE = "the {name} release of {date}"  # for what definitions and parents alone say

# {clues}: the clues joined; {definition}: quoted; {gene}: a symbol.
START_NOUN_PHRASES = {
    "clues": ("the disease annotated with {clues}", "the only disease annotated with {clues}"),
    "definition": ("the phenotype described as {definition}",),
    "gene": ("the gene {gene}",),
}
START_SENTENCES = {
    "clues": (
        "one disease is annotated with {clues}",
        "exactly one disease is annotated with {clues}",
        "a single disease is annotated with {clues}",
    ),
    "definition": (
        "one phenotype is described as {definition}",
        "a phenotype is described as {definition}",
    ),
}
START_QUESTIONS = {
    "clues": (
        "which disease is annotated with {clues}?",
        "which is the only disease annotated with {clues}?",
        "what is the name of the disease annotated with {clues}?",
    ),
    "definition": (
        "which phenotype is described as {definition}?",
        "what is the name of the phenotype described as {definition}?",
    ),
}

# {it}: a phrase for where the hop starts; {other}: "other " or ""; {branch}: quoted.
NOUN_PHRASES = {
    Form.GENE: ("the only {other}gene associated with {it}",),
    Form.PHENOTYPE: ("the only phenotype under {branch} annotated for {it}",),
    Form.GENE_DISEASE: ("the only {other}disease associated with {it}",),
    Form.PHENOTYPE_DISEASE: ("the only {other}disease annotated with {it}",),
}
SENTENCES = {
    Form.GENE: (
        "exactly one {other}gene is associated with {it}",
        "{it} is associated with exactly one {other}gene",
    ),
    Form.PHENOTYPE: (
        "exactly one phenotype under {branch} is annotated for {it}",
        "{it} has exactly one annotated phenotype under {branch}",
    ),
    Form.GENE_DISEASE: (
        "exactly one {other}disease is associated with {it}",
        "{it} is associated with exactly one {other}disease",
    ),
    Form.PHENOTYPE_DISEASE: (
        "exactly one {other}disease is annotated with {it}",
        "{it} is annotated for exactly one {other}disease",
    ),
}
QUESTIONS = {
    Form.GENE: (
        "which {other}gene is associated with {it}?",
        "what is the only {other}gene associated with {it}?",
    ),
    Form.INHERITANCE: (
        "which mode of inheritance is annotated for {it}?",
        "what is the annotated mode of inheritance of {it}?",
    ),
    Form.ONSET: (
        "which age of onset is annotated for {it}?",
        "what is the annotated age of onset of {it}?",
    ),
    Form.COURSE: (
        "which clinical course is annotated for {it}?",
        "what is the annotated clinical course of {it}?",
    ),
    Form.PHENOTYPE: (
        "which phenotype under {branch} is annotated for {it}?",
        "what is the only phenotype under {branch} annotated for {it}?",
    ),
    Form.GENE_DISEASE: (
        "which {other}disease is associated with {it}?",
        "what is the only {other}disease associated with {it}?",
    ),
    Form.PHENOTYPE_DISEASE: (
        "which {other}disease is annotated with {it}?",
        "what is the only {other}disease annotated with {it}?",
    ),
    Form.PARENT: (
        "which phenotype is the parent term of {it}?",
        "what is the only parent term of {it}?",
    ),
}
ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ")
