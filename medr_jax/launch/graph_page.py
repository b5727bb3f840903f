"""A page of questions: subgraph, chain, clues, proof and trajectory of each, with filters."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from medr_jax.artifacts import Artifact
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval.examples import trajectory_view
from medr_jax.eval.question_graph import question_figure, said
from medr_jax.grading import match
from medr_jax.graph.columns import RELATIONS
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.sampling import Sampler, SubgraphLimits
from medr_jax.launch import stages
from medr_jax.pages import render
from medr_jax.pages.filters import Filters, filter_style, filter_views, keys_of
from medr_jax.pages.network import LinkSpec, Network, NodeSpec, network
from medr_jax.pages.views import FilterView, GraphPageView, QuestionView
from medr_jax.types import Question, Status, Trajectory

PAGE = "graph.html"
CAVEATS = (
    "Questions and documents come from one curated graph in a dated snapshot: what it does not "
    "state is unknown, not false.",
    "The trajectory is that of the scripted expert, which is given the chain.",
)
_SURROUNDINGS = SubgraphLimits(max_entities=40, max_degree=200, max_branches=5, max_distance=2)
TITLES = _HOPS, _SPECIALTIES = "Hops", "Specialty"


def show_graph(config: SimpleNamespace) -> Path:
    """Writes the page of ``config.number`` questions of ``config.split`` into the run's folder.

    ``config.hops`` and ``config.specialties`` choose them; empty = any.

    Raises:
        ValueError: no question of the split is left.
    """
    graph_artifact = stages.graph(config)
    dataset = stages.synthesize(config, graph_artifact)
    graph = stages.load_graph(graph_artifact)
    rows = list(itertools.islice(_chosen(dataset, config), config.number))
    if not rows:
        raise ValueError(
            f"split {config.split} has no question with hops={list(config.hops)} and "
            f"specialties={list(config.specialties)}; leave one of them empty"
        )
    filters = _filters([row.question for row in rows])
    page = render.render(
        "graph.html.j2",
        extra_style=filter_style(filters, "question"),
        page=_view(graph, dataset, rows, filters, config.split),
    )
    path = Path(config.run_dir) / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def _chosen(dataset: Artifact, config: SimpleNamespace) -> Iterator[Trajectory]:
    for row in read_trajectories(dataset.path / "dataset", config.split):
        question = row.question
        fits = not config.hops or question.num_hops in config.hops
        if fits and (not config.specialties or {*config.specialties} & {*question.specialties}):
            yield row


def _values(question: Question) -> dict[str, list[str]]:
    """What a question can be filtered by."""
    specialties = [name.replace("_", " ") for name in question.specialties]
    return {_HOPS: [str(question.num_hops)], _SPECIALTIES: specialties or ["none"]}


def _filters(questions: Sequence[Question]) -> dict[str, list[FilterView]]:
    values = [_values(question) for question in questions]
    return filter_views(
        {title: [one for found in values for one in found[title]] for title in TITLES}
    )


def _view(
    graph: KnowledgeGraph,
    dataset: Artifact,
    rows: Sequence[Trajectory],
    filters: Mapping[str, Sequence[FilterView]],
    split: str,
) -> GraphPageView:
    sampler = Sampler(graph, _SURROUNDINGS)
    counts = {name: str(value) for name, value in dataset.manifest.counts.items()}
    return GraphPageView(
        title=f"Questions of {graph.snapshot}",
        lead=f"{len(rows)} questions of the split {split}, each with the part of the graph that "
        "it comes from, its proof, and how the scripted expert answers it.",
        caveats=CAVEATS,
        filters=filters,
        questions=[_question(graph, sampler, row, filters) for row in rows],
        facts={
            "Graph": {
                "snapshot": graph.snapshot,
                "licences": "; ".join(graph.licences),
                "content hash": graph.content_hash[:16],
            },
            "Dataset": counts,
        },
    )


def _question(
    graph: KnowledgeGraph,
    sampler: Sampler,
    row: Trajectory,
    filters: Filters,
) -> QuestionView:
    question = row.question
    view = trajectory_view(
        row, verdict=f"{row.form} trajectory", right=row.status is Status.OK, agent=row.policy
    )
    return QuestionView(
        anchor=question.question_id,
        keys=keys_of(filters, _values(question)),
        text=question.text,
        answer=question.answer,
        facts=f"{question.question_id} · {question.form.replace('_', ' ')} · {view.facts}",
        figure=question_figure(question, graph),
        network=_network(graph, sampler, question),
        clues=[
            (said(clue.relation), clue.text, f"{graph.entity(clue.entity_id).name}")
            for clue in question.chain.clues
        ],
        proof=[
            ("chain proven longest", "yes" if question.chain.optimal else "no, budget hit"),
            *((name.replace("_", " "), _shown(value)) for name, value in question.proof.items()),
        ],
        rollout=view,
    )


def _shown(value: int | str | list[int]) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value) or "–"


def _network(graph: KnowledgeGraph, sampler: Sampler, question: Question) -> Network | None:
    """The chain's first entity with its surroundings, and the chain and clues in any case."""
    chain = match.entity_ids(question.chain, question.answer_id)
    clues = [clue.entity_id for clue in question.chain.clues]
    near = sampler.around(chain[0], np.random.default_rng(0))
    ids = list(graph.entity_ids())
    around = [ids[position] for position in near.positions.tolist()]
    everyone = list(dict.fromkeys([*around, *clues, *chain]))
    number = {entity_id: i for i, entity_id in enumerate(everyone)}
    pairs = {
        (number[around[source]], number[around[target]]): (RELATIONS[code].value, False)
        for source, target, code, inverse in zip(
            near.sources.tolist(), near.targets.tolist(), near.relations.tolist(),
            near.inverses.tolist(), strict=True,
        )
        if not inverse
    }  # fmt: skip
    for clue in question.chain.clues:
        if clue.entity_id != chain[0]:
            pairs[number[chain[0]], number[clue.entity_id]] = (said(clue.relation), True)
    for hop in question.chain.hops:
        if not hop.target_id:
            continue  # what is asked for is not stated
        pairs.pop((number[hop.target_id], number[hop.source_id]), None)
        ends = number[hop.source_id], number[hop.target_id]
        pairs[ends] = (said(hop.relation, inverse=hop.inverse), True)
    answer_role = {} if question.is_unanswerable else {chain[-1]: "answer"}
    roles = dict.fromkeys(clues, "clue") | dict.fromkeys(chain, "entity") | answer_role
    places = _layout(len(everyone), sorted(pairs))
    nodes = [
        NodeSpec(
            name=graph.entity(one).name, kind=graph.entity(one).kind.value, x=x, y=y,
            role=roles.get(one, ""),
        )
        for one, (x, y) in zip(everyone, places, strict=True)
    ]  # fmt: skip
    links = [
        LinkSpec(source=a, target=b, relation=name, on_chain=on_chain)
        for (a, b), (name, on_chain) in sorted(pairs.items())
    ]
    return network(nodes, links)


def _layout(number: int, pairs: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Places in the unit square, by Kamada and Kawai from a circle: no chance in it."""
    import igraph as ig

    drawn = ig.Graph(n=number, edges=pairs)
    circle = drawn.layout_circle().coords
    coordinates = np.array(drawn.layout_kamada_kawai(seed=circle).coords)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    unit = (coordinates - low) / np.maximum(high - low, 1e-9)
    return [(float(x), float(y)) for x, y in unit]
