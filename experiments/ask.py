"""A question to an agent. In: a checkpoint or an endpoint. Out: its search, live, and an answer.

python -m experiments.ask "Which gene is associated with ...?" experiment=quickstart \
    checkpoint=artifacts/sft/0123456789abcdef
python -m experiments.ask "Which gene is associated with ...?" endpoint.model=NAME evidence=true
"""

import re
import sys

import rich.console

from experiments._main import entry_point

_OVERRIDE = re.compile(r"-|[+~]{0,2}[\w./@]+=\S|~[\w./@]+$")


@entry_point(
    "ask",
    *("graph", "index", "tools", "diagnosis", "agent", "mesh", "sampling", "endpoint", "paths"),
)
def main(config) -> None:
    """Prints the research as it happens, then the answer with its citations, or that none is."""
    from medr_jax.launch.ask import ask

    ask(config, rich.console.Console(highlight=False))


def as_overrides(arguments: list[str]) -> list[str]:
    """The arguments with plain text made an override that Hydra reads as that text."""
    return [one if _OVERRIDE.match(one) else f"question={_quoted(one)}" for one in arguments]


def _quoted(text: str) -> str:
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)  # backslashes count before a quote only
    text = re.sub(r"(\\+)$", r"\1\1", text)
    return "'" + text.replace("${", r"\${") + "'"


if __name__ == "__main__":
    sys.argv[1:] = as_overrides(sys.argv[1:])
    main()
