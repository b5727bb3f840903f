import csv

import pytest

from medr_jax.eval.benchmarks import medbrowsecomp

ROWS_50 = [
    ["prompt", "gold", "Applicant_Full_Name_prompt"],
    ['"Which drug?\nAnswer as INGREDIENT: name."', "DRUGAMAB", "Ingredient"],
    ["When? Answer as DATE: YYYY-MM-DD.", "2024-12-04", "Patent"],
]
ROWS_605 = [["prompt", "gold", "task_name"], *ROWS_50[1:]]


def write(path, rows, encode=medbrowsecomp.encode_cell):
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([encode(cell) for cell in row] for row in rows)
        out.write("\n")  # the authors' writer ends with an empty line
    return path


def test_the_cells_follow_the_published_scheme():
    # header cell of the published file: base64 of "surpsw", which is "prompt" shifted by 3
    assert medbrowsecomp.encode_cell("prompt") == "c3VycHN3"
    assert medbrowsecomp.decode_cell("c3VycHN3") == "prompt"
    assert medbrowsecomp.decode_cell(medbrowsecomp.encode_cell("5 µg, α\n")) == "5 µg, α\n"


@pytest.mark.parametrize("rows", [ROWS_50, ROWS_605])
def test_both_files_are_read(rows, tmp_path):
    items = medbrowsecomp.load(write(tmp_path / "file.csv", rows))
    assert [item.gold for item in items] == ["DRUGAMAB", "2024-12-04"]
    assert items[0].question.startswith("Which drug?")
    assert [item.groups["task"] for item in items] == ["Ingredient", "Patent"]
    assert len({item.item_id for item in items}) == 2


def test_a_decoded_or_otherwise_encoded_file_is_refused(tmp_path):
    import base64

    with pytest.raises(ValueError, match="row 1: a cell is not base64 of shifted text"):
        medbrowsecomp.load(write(tmp_path / "plain.csv", ROWS_50, encode=str))
    only_base64 = write(
        tmp_path / "base64.csv",
        ROWS_50,
        encode=lambda cell: base64.b64encode(cell.encode()).decode(),
    )
    with pytest.raises(ValueError, match="no column 'prompt'"):
        medbrowsecomp.load(only_base64)


def test_the_labelled_value_is_graded(tmp_path):
    drug, date = medbrowsecomp.load(write(tmp_path / "file.csv", ROWS_605))
    assert medbrowsecomp.grade(drug, "INGREDIENT: drugamab").correct
    assert medbrowsecomp.grade(drug, "I looked it up.\n**INGREDIENT:** Drugamab").correct
    assert not medbrowsecomp.grade(drug, "INGREDIENT: DRUGAMAB OR OTHERMAB").correct
    assert not medbrowsecomp.grade(
        drug, "The drug DRUGAMAB was not it. INGREDIENT: UNKNOWN"
    ).correct
    assert medbrowsecomp.grade(date, "DATE: December 4, 2024").correct
    assert not medbrowsecomp.grade(date, "DATE: 2024-12").correct
