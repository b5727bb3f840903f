"""A page of questions with subgraph, chain, clues, proof and trajectory. Out: graph.html.

python -m experiments.show_graph number=20 hops=[3,4]
python -m experiments.show_graph split=dev specialties=[neurology]
"""

from experiments._main import entry_point
from medr_jax import console


@entry_point(
    "show_graph",
    *("graph", "index", "tools", "diagnosis", "questions", "synthesis", "paths"),
)
def main(config) -> None:
    """Writes the page, making the dataset first when there is none."""
    from medr_jax.launch.graph_page import show_graph

    console.say(f"page         {show_graph(config)}")


if __name__ == "__main__":
    main()
