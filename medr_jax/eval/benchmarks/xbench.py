"""xBench-DeepSearch (xbench.org, arXiv:2506.13651): Chinese questions for search agents.

The authors publish a CSV whose ``prompt`` and ``answer`` are base64 of UTF-8 bytes XORed with
the row's own ``canary``, repeated. They grade in Chinese: an exact final answer is right, any
other goes to an LLM judge.
"""

import base64
import binascii
import itertools
import os
import re

from medr_jax.eval.benchmarks import base as shared
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import answers
from medr_jax.grading.grade import Grade
from medr_jax.grading.judge import Judge

EXPECTED = (
    "the CSV of xBench-DeepSearch with columns id, prompt, answer and canary, where prompt and "
    "answer are base64 of UTF-8 text XORed with the row's canary"
)
_FINAL = re.compile(r"最终答案\s*[:：]\s*(?P<answer>.+)")
INSTRUCTIONS = (
    "请判断候选回答的最终答案与参考答案是否一致。先提取最终答案；没有明确最终答案的回答判为不正确。"
    "不要自己解题，也不要替与参考答案不同的答案辩护。数值题允许可以接受的微小误差；"
    "任何其他不一致、含糊或不等价的情况都判为不正确。"
)
"""The authors' standard in our words; the judge fills a schema instead of writing a verdict."""


def encode(text: str, canary: str) -> str:
    """A cell as the authors write it."""
    return base64.b64encode(_xor(text.encode(), canary)).decode()


def decode(cell: str, canary: str) -> str:
    """The text of a cell. Raises ValueError when the encoding or the canary does not fit."""
    if not canary:
        raise ValueError("without a canary")
    try:
        return _xor(base64.b64decode(cell, validate=True), canary).decode("utf-8")
    except (binascii.Error, UnicodeError, ValueError):
        raise ValueError("not base64 of text XORed with the canary") from None


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The decoded questions, ids as published."""
    header, *rows = shared.read_csv(path, EXPECTED) or [[]]
    if missing := {"id", "prompt", "answer", "canary"} - set(header):
        raise ValueError(f"{path}: no column {sorted(missing)} in {header}; expected {EXPECTED}")
    items = []
    for number, row in enumerate(rows, start=2):
        cells = dict(itertools.zip_longest(header, row[: len(header)], fillvalue=""))
        try:
            question, gold = (decode(cells[name], cells["canary"]) for name in ("prompt", "answer"))
        except ValueError as problem:
            raise ValueError(f"{path}: row {number} is {problem}; expected {EXPECTED}") from None
        items.append(BenchmarkItem(item_id=cells["id"], question=question, gold=gold.strip()))
    return shared.checked(items, path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """By rule, without a judge: a lower bound of the official score."""
    return answers.grade(final_answer(prediction), item.gold)


def grade_with(judge: Judge, item: BenchmarkItem, prediction: str) -> Grade:
    """The official order: an exact final answer is right, the judge decides on others."""
    if final_answer(prediction) == item.gold:
        return Grade.of(True, "exact")
    return judge.grade(item.question, item.gold, prediction, instructions=INSTRUCTIONS)


def final_answer(prediction: str) -> str:
    """What stands behind the last "最终答案:", else the whole prediction."""
    found = _FINAL.findall(prediction)
    return (found[-1] if found else prediction).strip()


def _xor(data: bytes, key: str) -> bytes:
    repeated = itertools.cycle(key.encode())
    return bytes(byte ^ next(repeated) for byte in data)


BENCHMARK = Benchmark(
    name="xbench_deepsearch",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="xBench-DeepSearch, arXiv:2506.13651",
    rule="exact final answer or match by meaning; with a judge: exact, else the judge in Chinese",
    judged=grade_with,
)
