"""The disease table as an artifact, and the two commands over it."""

import dataclasses
import functools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rich.console
import rich.table
from rich.text import Text

from medr_jax import console
from medr_jax.artifacts import Artifact, Outcome, code_version
from medr_jax.diagnosis.diagnose import Diagnosis, DiagnosisSource, Differential
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import read_statements
from medr_jax.diagnosis.table import build_table
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import record, stages
from medr_jax.retrieval.search import SearchEngine
from medr_jax.tools.config import ToolName
from medr_jax.tools.diagnose import contribution_text, score_name, summary
from medr_jax.tools.runtime import Sources
from medr_jax.types import Kind

_FILE_WIDTH = 160


def disease_table(config: SimpleNamespace, graph_artifact: Artifact | None = None) -> Artifact:
    """The table of ``config.diagnosis.table`` over the graph."""
    graph_artifact = graph_artifact or stages.graph(config)
    settings = config.diagnosis.table

    def build(path: Path) -> Outcome:
        graph = stages.load_graph(graph_artifact)
        ontology = Ontology.from_graph(graph)
        statements = read_statements(graph, ontology)
        if settings.database:
            statements = statements.of_database(settings.database)
        diseases = tuple(graph.entity_ids(Kind.DISEASE))
        table = build_table(statements, diseases, ontology, settings)
        table.save(path)
        counts = {"diseases": len(table), "stated_pairs": len(table.pair_terms)}
        return Outcome(content_hash=table.content_hash, counts=counts)

    return stages.run_stage(
        config,
        "diagnosis",
        settings={"table": settings},
        inputs={"graph": graph_artifact.content_hash},
        version=code_version("medr_jax.diagnosis"),
        build=build,
        shown=("diseases", "stated_pairs"),
    )


def source(config: SimpleNamespace, graph_artifact: Artifact | None = None) -> DiagnosisSource:
    """Where the table of the config lies; it is made if missing."""
    table = disease_table(config, graph_artifact)
    return DiagnosisSource(table_path=str(table.path), config=config.diagnosis)


def load_diagnosis(config: SimpleNamespace) -> Diagnosis:
    """What answers; graph and table are made if missing."""
    graph_artifact = stages.graph(config)
    return source(config, graph_artifact).open(stages.load_graph(graph_artifact))


def of_tools(
    config: SimpleNamespace, graph_artifact: Artifact | None = None
) -> DiagnosisSource | None:
    """The source that the ``diagnose`` tool needs; None where ``config.tools`` does not list it."""
    if ToolName.diagnose not in config.tools.names:
        return None
    return source(config, graph_artifact)


def settings(config: SimpleNamespace) -> dict[str, Any]:
    """What stages that call tools add to their keys: nothing without the ``diagnose`` tool."""
    listed = ToolName.diagnose in config.tools.names
    return {"diagnosis": config.diagnosis} if listed else {}


def tool_sources(
    config: SimpleNamespace, engine: SearchEngine, graph: KnowledgeGraph | None = None
) -> Sources:
    """What the tools of ``config.tools`` look things up in; opened when a tool first needs it."""

    @functools.cache
    def knowledge() -> KnowledgeGraph:
        return graph or stages.load_graph(stages.graph(config))

    return Sources(
        engine=engine, graph=knowledge, diagnosis=lambda: source(config).open(knowledge())
    )


def diagnose(config: SimpleNamespace) -> Differential:
    """The differential of ``config.findings`` and ``config.absent``, printed."""
    result = load_diagnosis(config).differential(config.findings, config.absent)
    show(result)
    return result


def show(result: Differential) -> None:
    """A table of the candidates, each finding's log-odds beside what it rests on."""
    out = rich.console.Console(highlight=False)
    if not out.is_terminal:
        out = rich.console.Console(highlight=False, width=_FILE_WIDTH)
    shown = rich.table.Table(show_lines=True)
    for column, justify in (
        ("disease", "left"),
        (score_name(result), "right"),
        ("log-odds", "right"),
        ("each finding's log-odds, and what it rests on", "left"),
    ):
        shown.add_column(column, justify=justify, overflow="fold")
    for candidate in result.candidates:
        weighed = "\n".join(map(contribution_text, candidate.contributions))
        shown.add_row(
            Text(f"{candidate.name}\n{candidate.disease_id}"),
            f"{candidate.share:.3f}",
            f"{candidate.log_odds:+.1f}",
            Text(weighed),
        )
    out.print(shown)
    out.print(Text(summary(result)))


def bench_diagnose(config: SimpleNamespace) -> Path:
    """Runs ``config.bench_diagnosis`` and writes ``diagnose.md`` and ``diagnose.json``."""
    from medr_jax.eval.diagnosis import report
    from medr_jax.eval.diagnosis.run import Bench

    graph = stages.load_graph(stages.graph(config))
    bench = Bench(graph, config.bench_diagnosis, config.diagnosis)
    results = []
    for task in config.bench_diagnosis.tasks:
        with console.stage(task.value) as line:
            results.append(bench.run(task))
            line["patients"] = results[-1].num_patients
    folder = Path(config.out) if config.out else config.run_dir
    folder.mkdir(parents=True, exist_ok=True)
    facts = record.environment() | {
        "command": command(),
        "snapshot": graph.snapshot,
        "config": {
            "bench": dataclasses.asdict(config.bench_diagnosis),
            "diagnosis": dataclasses.asdict(config.diagnosis),
        },
    }
    report.write(folder, results, facts)
    console.say(f"results      {folder / report.MARKDOWN}")
    return folder


def command() -> str:
    """How the benchmark was started, without the paths of this machine."""
    kept = [word for word in sys.argv[1:] if not word.startswith(("paths.", "hydra.", "out="))]
    return " ".join(["python -m experiments.bench_diagnose", *kept])
