"""A differential diagnosis, each finding's weight shown. In: HPO ids. Out: a table.

python -m experiments.diagnose findings="[HP:0001166,HP:0000518]" absent="[HP:0000545]"
"""

from experiments._main import entry_point
from medr_jax.launch import diagnosis


@entry_point("diagnose", "graph", "diagnosis", "paths")
def main(config) -> None:
    """Prints the best candidates. Research software, not medical advice."""
    diagnosis.diagnose(config)


if __name__ == "__main__":
    main()
