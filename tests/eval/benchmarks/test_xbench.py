import csv

import pytest

from medr_jax.eval.benchmarks import xbench
from medr_jax.eval.benchmarks.base import BenchmarkItem
from medr_jax.grading.judge import Judge

CANARY = "canary-7"


def write(path, canary_of=lambda row: CANARY):
    rows = [("1", "哪一年？", "2019"), ("2", "哪种药物？", "二甲双胍")]
    with path.open("w", newline="", encoding="utf-8-sig") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "prompt", "answer", "reference_steps", "canary"])
        for number, prompt, answer in rows:
            cells = (xbench.encode(prompt, CANARY), xbench.encode(answer, CANARY))
            writer.writerow([number, *cells, "", canary_of(number)])
    return path


def test_the_cells_follow_the_published_scheme():
    # "A" is 0x41, "c" is 0x63: 0x22, which is "Ig==" in base64
    assert xbench.encode("A", "c") == "Ig=="
    # "B" is 0x42, "d" is 0x64: 0x26 follows; with the first character alone it would be 0x21
    assert xbench.encode("AB", "cd") == "IiY="
    assert xbench.decode(xbench.encode("二甲双胍 500 mg", CANARY), CANARY) == "二甲双胍 500 mg"


def test_rows_are_decoded_with_their_canary(tmp_path):
    items = xbench.load(write(tmp_path / "DeepSearch.csv"))
    assert [(item.item_id, item.gold) for item in items] == [("1", "2019"), ("2", "二甲双胍")]
    assert items[0].question == "哪一年？"


@pytest.mark.parametrize("canary", ["", "another"])
def test_a_wrong_canary_is_refused(tmp_path, canary):
    with pytest.raises(ValueError, match=r"row 3 is .*canary.*expected the CSV of xBench"):
        xbench.load(write(tmp_path / "x.csv", lambda row: CANARY if row == "1" else canary))


ITEM = BenchmarkItem(item_id="2", question="哪种药物？", gold="二甲双胍")


def test_the_final_answer_is_graded():
    assert xbench.grade(ITEM, "思考……\n最终答案:二甲双胍").correct
    assert xbench.grade(ITEM, "最终答案：二甲双胍。").correct
    assert not xbench.grade(ITEM, "最终答案:格列本脲").correct
    assert not xbench.grade(ITEM, "二甲双胍不是答案。最终答案:不知道").correct


def test_the_judge_is_asked_in_chinese_only_where_the_answer_differs(tmp_path):
    class Completer:
        model, asked = "m", []

        def complete(self, messages, schema):
            self.asked.append(messages[1]["content"])
            return {"extracted_answer": "甲福明", "reasoning": "同一种药物", "correct": True}

    completer = Completer()
    judge = Judge(completer, tmp_path / "verdicts.jsonl")
    assert xbench.grade_with(judge, ITEM, "最终答案:二甲双胍").rule == "exact"
    assert not completer.asked
    judged = xbench.grade_with(judge, ITEM, "最终答案:甲福明")
    assert judged.correct and judged.judge == "m judge-v1"
    assert "请判断" in completer.asked[0]
