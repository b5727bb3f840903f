"""Files in the formats of the Orange Book, ClinicalTrials.gov, PrimeKG and PubMed, made up."""

import json
import random
from pathlib import Path

import pytest

from medr_jax.graph.build import GraphConfig, SourceConfig, build_graph

SYLLABLES = ["ba", "ce", "di", "fo", "gu", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"]
MONTHS = ["Jan", "Mar", "May", "Jul", "Sep", "Nov"]
KG_HEADER = (
    "relation,display_relation,x_index,x_id,x_type,x_name,x_source,"
    "y_index,y_id,y_type,y_name,y_source\n"
)


class Names:
    """Different made-up words, the same ones every time."""

    def __init__(self):
        self.rng = random.Random(3)
        self.used = set()

    def __call__(self, ending=""):
        while True:
            word = "".join(self.rng.choices(SYLLABLES, k=4)).capitalize() + ending
            if word not in self.used:
                self.used.add(word)
                return word


def write_orange_book(folder: Path, name: Names, drugs: list[str]) -> None:
    """24 products of 12 applications; some have two patents, half an exclusivity."""
    folder.mkdir()
    rng = random.Random(1)
    companies = [name(" Inc") for _ in range(4)]
    products = [
        "Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~"
        "Approval_Date~RLD~RS~Type~Applicant_Full_Name"
    ]
    patents = [
        "Appl_Type~Appl_No~Product_No~Patent_No~Patent_Expire_Date_Text~Drug_Substance_Flag~"
        "Drug_Product_Flag~Patent_Use_Code~Delist_Flag~Submission_Date"
    ]
    exclusivities = ["Appl_Type~Appl_No~Product_No~Exclusivity_Code~Exclusivity_Date"]
    for number in range(24):
        key = f"N~{21000 + number // 2:06d}~{1 + number % 2:03d}"
        ingredients = "; ".join(rng.sample(drugs, 1 + number % 2)).upper()
        year = 1995 + number // 3
        products.append(
            f"{ingredients}~TABLET;ORAL~{name().upper()}~X~{5 * (1 + number % 2)}MG~{key}~~"
            f"{MONTHS[number % 6]} {1 + number}, {year}~Yes~Yes~RX~{rng.choice(companies)}"
        )
        for patent in range(1 + number % 3 // 2):
            day = f"{MONTHS[(number + patent) % 6]} {1 + number}, {2030 + number % 5}"
            patents.append(f"{key}~{7000000 + 10 * number + patent}~{day}~~~~~")
        if number % 2:
            day = f"{MONTHS[number % 6]} {2 + number}, {2027 + number % 3}"
            exclusivities.append(f"{key}~NCE~{day}")
    for file, lines in (
        ("products.txt", products), ("patent.txt", patents), ("exclusivity.txt", exclusivities),
    ):  # fmt: skip
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_trials(path: Path, name: Names, drugs: list[str], diseases: list[str]) -> None:
    """24 trials; a quarter gives no phase."""
    rng = random.Random(2)
    sponsors = [name(" University") for _ in range(5)]
    studies = []
    for number in range(24):
        studies.append(
            {
                "protocolSection": {
                    "identificationModule": {
                        "nctId": f"NCT{4000000 + number:08d}",
                        "briefTitle": f"The {name()} study",
                    },
                    "statusModule": {
                        "overallStatus": rng.choice(["COMPLETED", "RECRUITING"]),
                        "startDateStruct": {"date": f"{2010 + number % 7}-{1 + number % 12:02d}"},
                    },
                    "designModule": {"phases": [f"PHASE{1 + number % 3}"] if number % 4 else []},
                    "conditionsModule": {"conditions": [rng.choice(diseases)]},
                    "armsInterventionsModule": {
                        "interventions": [
                            {"type": "DRUG", "name": drug}
                            for drug in rng.sample(drugs, 1 + number % 2)
                        ]
                    },
                    "sponsorCollaboratorsModule": {"leadSponsor": {"name": rng.choice(sponsors)}},
                }
            }
        )
    path.write_text(json.dumps({"studies": studies}), encoding="utf-8")


def write_primekg(path: Path, name: Names, drugs: list[str], diseases: list[str]) -> None:
    """Every drug with an indication or two, targets, an enzyme and side effects."""
    rng = random.Random(4)
    lines = [KG_HEADER]

    def node(number, node_id, kind, called, source):
        return f"{number},{node_id},{kind},{called},{source}"

    effects = [
        node(300 + i, 9000100 + i, "effect/phenotype", name(" pain"), "HPO") for i in range(9)
    ]
    genes = [
        node(400 + i, 77000 + i, "gene/protein", f"QZ{name().upper()[:4]}{i}", "NCBI")
        for i in range(9)
    ]
    for number, drug in enumerate(drugs):
        one = node(number, f"DB{90000 + number}", "drug", drug, "DrugBank")
        picked = rng.sample(range(len(diseases)), 1 + number % 2)
        rows = [
            ("indication,indication", node(200 + i, 99000 + i, "disease", diseases[i], "MONDO"))
            for i in picked
        ]
        rows += [("drug_protein,target", gene) for gene in rng.sample(genes, 1 + number % 3)]
        rows += [("drug_protein,enzyme", rng.choice(genes))] if number % 3 else []
        rows += [("drug_effect,side effect", one) for one in rng.sample(effects, 2)]
        for head, other in rows:
            lines += [f"{head},{one},{other}\n", f"{head},{other},{one}\n"]
    path.write_text("".join(lines), encoding="utf-8")


def write_pubmed(path: Path, name: Names) -> None:
    """12 articles on six index terms, in four journals."""
    rng = random.Random(5)
    terms = [name() for _ in range(6)]
    journals = [f"Annals of {name()}" for _ in range(4)]
    articles = []
    for number in range(12):
        headings = "".join(
            f'<MeshHeading><DescriptorName UI="D{900000 + i}" MajorTopicYN="N">{terms[i]}'
            "</DescriptorName></MeshHeading>"
            for i in rng.sample(range(6), 2)
        )
        articles.append(
            f"<PubmedArticle><MedlineCitation><PMID>{5000000 + number}</PMID><Article><Journal>"
            f"<JournalIssue><PubDate><Year>{2001 + number}</Year><Month>May</Month></PubDate>"
            f"</JournalIssue><Title>{rng.choice(journals)}</Title></Journal>"
            f"<ArticleTitle>On {name()}.</ArticleTitle><AuthorList><Author><LastName>{name()}"
            "</LastName><ForeName>Ann</ForeName></Author></AuthorList></Article>"
            f"<MeshHeadingList>{headings}</MeshHeadingList></MedlineCitation></PubmedArticle>"
        )
    text = f"<PubmedArticleSet>{''.join(articles)}</PubmedArticleSet>"
    path.write_text(f'<?xml version="1.0"?>{text}', encoding="utf-8")


@pytest.fixture(scope="session")
def fact_sources(tmp_path_factory) -> dict[str, Path]:
    """Format -> file or folder."""
    folder = tmp_path_factory.mktemp("facts")
    name = Names()
    drugs = [name("in") for _ in range(16)]
    diseases = [name(" syndrome") for _ in range(8)]
    paths = {
        "orange_book": folder / "orange", "clinical_trials": folder / "studies.json",
        "primekg": folder / "kg.csv", "pubmed": folder / "articles.xml",
    }  # fmt: skip
    write_orange_book(paths["orange_book"], name, drugs)
    write_trials(paths["clinical_trials"], name, drugs, diseases)
    write_primekg(paths["primekg"], name, drugs, diseases)
    write_pubmed(paths["pubmed"], name)
    return paths


@pytest.fixture(scope="session")
def fact_graph(fact_sources):
    """All four in one graph."""
    sources = [SourceConfig(format=name, path=str(path)) for name, path in fact_sources.items()]
    return build_graph(GraphConfig(sources=sources))
