"""Does a step fit a TPU slice? In: configs. Out: the TPU compiler's answer. Needs no TPU.

python -m experiments.compile_check model=qwen2_5_32b topology=v5p-128
python -m experiments.compile_check topology=v5e:4x4 compile.programs=[sft] mesh.fsdp=16
python -m experiments.compile_check matrix=results/compile_check
"""

from pathlib import Path

from experiments._main import entry_point
from medr_jax import console
from medr_jax.launch.compile import check, matrix, report

RESULTS = "check.jsonl"


@entry_point(
    "compile_check",
    "model",
    "mesh",
    "optimizer",
    "training",
    "data",
    "sampling",
    "rl",
    "compile",
    "paths",
)
def main(config) -> None:
    """Compiles the asked programs, prints what came of it; exit code 1 where one does not fit."""
    if config.matrix:
        answers = matrix.run_matrix(config, Path(config.matrix))
        console.say(report.markdown(answers))
        return
    answers = check.check(config)
    report.show(answers)
    report.write_answers(config.run_dir / RESULTS, answers)
    console.say(f"\nJSON         {config.run_dir / RESULTS}")
    if any(answer.verdict != "fits" for answer in answers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
