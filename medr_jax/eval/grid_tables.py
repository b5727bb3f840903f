"""Tables of the grid: our questions, the tiny model, each arm beside the main one."""

from collections.abc import Mapping, Sequence

import msgspec

from medr_jax.eval import statistics
from medr_jax.eval.arms import ArmRecord, RetrievalRecord
from medr_jax.eval.config import AGENTS, EMPTIED, MODEL
from medr_jax.eval.metrics import Summary
from medr_jax.eval.statistics import EMPTY, Cell
from medr_jax.eval.tables import LABELS, Row, Table, failures_table, group_table

MAIN = "main"
CHECK = "tiny model, mechanism check"
_COLUMNS = {
    "exact match": ("all", "exact_match"),
    "evidence-supported": ("all", "supported_match"),
    "open-class answers": ("open", "exact_match"),
    "unseen names": ("unseen", "exact_match"),
    "queries that hit the next entity": ("all", "next_entity"),
    "tool calls": ("all", "num_calls"),
    "words written": ("all", "words_written"),
    "words read": ("all", "words_read"),
}
_COUNTS = tuple(
    metric in ("num_calls", "words_written", "words_read") for _, metric in _COLUMNS.values()
)
_SEEDS_NOTE = (
    "One seed: the 95% interval over questions and n, the questions. Several: mean, range over "
    "seeds and n, the seeds."
)


def grid_tables(
    records: Sequence[ArmRecord], retrieval: Sequence[RetrievalRecord], study: Mapping
) -> list[Table]:
    """All of ours, in order; what was not run says so, with the reason below its table."""
    arms = by_arm(records)
    tables = [main_table(arms), ablation_table(arms), rl_table(study), rl_differences(study)]
    tables.append(retrieval_table(retrieval))
    if summary := first_summary(arms.get(MAIN, ())):
        for prefix in ("hops", "specialty", "tool", "form"):
            tables.append(group_table(summary, prefix, f"Trained model ({CHECK}) by {prefix}"))
        title = "Wrong answers of the trained model"
        tables.append(failures_table(summary, "hops", f"{title}, by hops"))
        tables.append(failures_table(summary, "specialty", f"{title}, by specialty"))
    return tables


def by_arm(records: Sequence[ArmRecord]) -> dict[str, list[ArmRecord]]:
    """Arm -> its records by seed; the main arm first, then as given."""
    arms: dict[str, list[ArmRecord]] = {}
    for record in sorted(records, key=lambda one: (one.arm != MAIN, one.seed)):
        arms.setdefault(record.arm, []).append(record)
    return arms


def first_summary(records: Sequence[ArmRecord], agent: str = MODEL) -> Summary | None:
    """An agent's summary of the first seed that has one."""
    return next((r.summaries[agent] for r in records if agent in r.summaries), None)


def over_runs(records: Sequence[ArmRecord], agent: str, group: str, metric: str) -> Cell | None:
    """One number over the seeds that were run: see ``_SEEDS_NOTE``; None = not run."""
    found = [r.summaries[agent].groups.get(group, {}).get(metric, EMPTY)
             for r in records if agent in r.summaries]  # fmt: skip
    if not found:
        return None
    values = [cell.value for cell in found if cell.value is not None]
    return found[0] if len(found) == 1 else statistics.over_seeds(values)


def main_table(arms: Mapping[str, Sequence[ArmRecord]]) -> Table:
    """Every agent on hpo_multihop; the model's rows are checks of the mechanism."""
    records = arms.get(MAIN, ())
    trained = {MODEL, EMPTIED}
    rows = []
    for agent in AGENTS:
        label = LABELS[agent]
        used = records if agent in trained else records[:1]  # the others have no seed
        if agent in trained:
            label = f"{label} ({CHECK}; {_origin(used)})"
        rows.append(_row(label, used, agent))
    return Table(
        title="hpo_multihop, held-out questions",
        columns=tuple(_COLUMNS),
        rows=tuple(rows),
        counts=_COUNTS,
        notes=(_SEEDS_NOTE, *_reasons(records)),
    )


def ablation_table(arms: Mapping[str, Sequence[ArmRecord]]) -> Table:
    """Each arm, and its paired difference to the main one on the same questions and seeds."""
    main = arms.get(MAIN, ())
    rows = []
    for records in arms.values():
        cells = _row("", records, MODEL).cells
        label = f"{records[0].label} ({_origin(records)})"
        rows.append(Row(label=label, cells=(*cells[:4], difference(records, main), *cells[4:])))
    majority = _row("", main, "majority").cells if main else (None,) * len(_COLUMNS)
    rows.append(Row(label=LABELS["majority"], cells=(*majority[:4], EMPTY, *majority[4:])))
    columns = tuple(_COLUMNS)
    return Table(
        title=f"Ablations on hpo_multihop ({CHECK})",
        columns=(*columns[:4], "exact match minus main", *columns[4:]),
        rows=tuple(rows),
        counts=(*_COUNTS[:4], False, *_COUNTS[4:]),
        notes=(
            _SEEDS_NOTE,
            "Difference: same questions, same seeds, paired bootstrap over questions (95%).",
            *(reason for records in arms.values() for reason in _reasons(records)),
        ),
    )


def difference(records: Sequence[ArmRecord], main: Sequence[ArmRecord]) -> Cell | None:
    """Arm minus main over questions that both answered, each the mean over common seeds."""
    other = {record.seed: record.marks for record in main if record.marks}
    pairs = [(r.marks, other[r.seed]) for r in records if r.marks and r.seed in other]
    if not pairs or records is main:
        return EMPTY if records is main else None
    common = sorted(set.intersection(*(a.keys() & b.keys() for a, b in pairs)))
    first, second = (
        [sum(pair[side][name] for pair in pairs) / len(pairs) for name in common] for side in (0, 1)
    )
    return statistics.paired_difference(first, second)


def rl_table(study: Mapping) -> Table:
    """Arms of the RL study, read from its file."""
    return _study_table(
        study.get("arms", ()),
        ("greedy", "sampled", "sampled, supported", "tool calls"),
        f"Reinforcement learning and reward terms ({CHECK})",
        lambda one: one["label"],
    )


def rl_differences(study: Mapping) -> Table:
    """Paired differences of the RL study."""
    labels = {one["arm"]: one["label"] for one in study.get("arms", ())}
    return _study_table(
        study.get("differences", ()),
        ("greedy", "sampled", "sampled, supported", "tool calls"),
        f"The same, difference to what an arm is compared with ({CHECK})",
        lambda one: (
            f"{labels.get(one['arm'], one['arm'])} minus {labels.get(one['other'], one['other'])}"
        ),
    )


def retrieval_table(records: Sequence[RetrievalRecord]) -> Table:
    """Rankings of the same documents, no model."""
    rows = tuple(
        Row(label=one.label, cells=(None if one.reason else one.next_entity,)) for one in records
    )
    return Table(
        title="λ and ranking, retrieval only",
        columns=("expert's queries whose hits hold the next entity",),
        rows=rows or (Row(label="λ = 1.0, 0.4, 0.0", cells=(None,)),),
        notes=(
            "λ relevance + (1 - λ) authority; the paper's λ is 0.4. Every document of the embedded "
            "corpus has the same authority, and of equals the more relevant one comes first: no λ "
            "changes the order there.",
            *(f"{one.label}: not run, {one.reason}" for one in records if one.reason),
        ),
    )


def _study_table(rows, columns: Sequence[str], title: str, label) -> Table:
    found = []
    for one in rows:
        cells = one.get("cells", {})
        seeds = ", ".join(map(str, one.get("seeds", ())))
        shown = f"{label(one)} (seeds {seeds or '–'})"
        cell = [msgspec.convert(cells[c], Cell) if c in cells else None for c in columns]
        found.append(Row(label=shown, cells=tuple(cell)))
    notes = "Read from study.json of rl_study; 95% intervals over seeds, families and questions."
    return Table(
        title=title,
        columns=tuple(columns),
        rows=tuple(found) or (Row(label="rl_study", cells=(None,) * len(columns)),),
        counts=tuple(column == "tool calls" for column in columns),
        notes=(notes if found else "Not run: no study.json was given.",),
    )


def _row(label: str, records: Sequence[ArmRecord], agent: str) -> Row:
    cells = [over_runs(records, agent, group, metric) for group, metric in _COLUMNS.values()]
    return Row(label=label, cells=tuple(cells))


def _origin(records: Sequence[ArmRecord]) -> str:
    """Seeds and run ids of what was run."""
    run = [record for record in records if record.summaries]
    if not run:
        return "no seed"
    seeds = ", ".join(str(record.seed) for record in run)
    ids = ", ".join(record.run_id for record in run)
    return f"seed{'s' if len(run) > 1 else ''} {seeds}; run {ids}"


def _reasons(records: Sequence[ArmRecord]) -> list[str]:
    return [f"{r.label}, seed {r.seed}: not run, {r.reason}" for r in records if r.reason]
