import io

import rich.console

from medr_jax import jsonl
from medr_jax.eval import formats, metrics, statistics, tables


def summaries(world):
    results = [
        metrics.grade(
            "model",
            world.trajectory(
                world.search("fbn1", "G1"),
                world.answer(text, "G1"),
                question=world.question(num_hops=hops),
            ),
            names=world.names,
            document_text=world.document_text,
        )
        for hops, text in [(2, "FBN1"), (3, "Stiff skin syndrome"), (3, "wrong")]
    ]
    return {"model": metrics.summarize("model", results)}


def test_cells_say_value_interval_and_n():
    assert tables.cell_text(statistics.wilson(8, 10)) == "0.800 [0.490–0.943] n=10"
    below = statistics.Cell(value=-0.1, low=-0.2, high=-0.01, n=9)
    assert tables.cell_text(below) == "-0.100 [-0.200, -0.010] n=9"
    assert tables.cell_text(None) == "not run"
    assert tables.cell_text(statistics.EMPTY) == "–"
    assert tables.cell_text(statistics.Cell(value=3.4, n=7), count=True) == "3.40 n=7"


def test_an_agent_without_results_is_not_run(world):
    table = tables.main_table(summaries(world), ["model", "oracle"])
    oracle = table.rows[1]
    assert oracle.label == "scripted expert: oracle (given the chain)"
    assert {table.text(oracle, column) for column in range(len(table.columns))} == {"not run"}


def test_hops_are_columns_in_order(world):
    table = tables.hops_table(summaries(world), ["model"])
    assert table.columns == ("2 hops", "3 hops", "all")
    assert [cell.value for cell in table.rows[0].cells] == [1.0, 0.5, 2 / 3]


def test_markdown_is_rectangular(world):
    markdown = formats.to_markdown(tables.main_table(summaries(world), ["model", "oracle"]))
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "0.667 [0.208–0.939] n=3" in markdown


def test_markdown_escapes_a_pipe(world):
    table = tables.Table(title="t", columns=("a|b",), rows=())
    assert "a\\|b" in formats.to_markdown(table)


def test_specialties_are_rows(world):
    table = tables.group_table(summaries(world)["model"], "specialty", "By specialty")
    assert [row.label for row in table.rows] == ["connective tissue"]
    assert "may belong to several specialties" in " ".join(table.notes)
    assert table.columns[-3:] == ("tool calls used", "words written", "words read")
    assert table.counts == (False, False, False, True, True, True)


def test_seeds_show_mean_and_range(world):
    base = summaries(world)["model"]
    by_seed = []
    for seed, share in enumerate((0.8, 0.9)):
        cell = statistics.Cell(value=share, n=100)
        groups = {"all": {"exact_match": cell}}
        by_seed.append(metrics.Summary(**{**fields(base), "groups": groups, "seed": seed}))
    table = tables.seeds_table(by_seed)
    assert table.text(table.rows[-1], 0) == "0.850 [0.800–0.900] n=2"


def fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_console_shows_markup_as_text(world):
    table = tables.Table(
        title="t", columns=("c",), rows=(tables.Row(label="[red]x[/red]", cells=(None,)),)
    )
    out = rich.console.Console(file=io.StringIO(), width=80)
    out.print(tables.to_rich(table))
    assert "[red]x[/red]" in out.file.getvalue()


def test_a_table_survives_json(world):
    table = tables.main_table(summaries(world), ["model", "oracle"])
    assert jsonl.decode(jsonl.encode(table), tables.Table) == table


def test_shown_tables_are_wide_in_a_file(world, capsys):
    tables.show(tables.standard(summaries(world), ["model", "oracle"]))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) > 100
    assert "Held-out questions" in printed and "not run" in printed
    assert "Trained model by specialty" in printed


def test_hops_are_rows_in_order_whatever_their_size(world):
    found = summaries(world)["model"]  # one question of two hops, two of three
    by_hops = tables.group_table(found, "hops", "By hops")
    assert [row.label for row in by_hops.rows] == ["2", "3"]
    wrong = tables.failures_table(found, "hops", "Wrong")
    assert [row.label for row in wrong.rows] == ["all", "2 hops", "3 hops"]
