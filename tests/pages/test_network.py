from medr_jax.pages.network import HEIGHT, WIDTH, LinkSpec, NodeSpec, network


def test_a_network_stays_in_its_frame_and_draws_the_chain_on_top():
    nodes = [
        NodeSpec(name="A disease with a name that is far too long", kind="disease", x=0, y=0,
                 role="entity"),
        NodeSpec(name="B", kind="gene", x=1, y=1, role="answer"),
        NodeSpec(name="C", kind="gene", x=0.5, y=0.5),
    ]  # fmt: skip
    links = [
        LinkSpec(source=0, target=1, relation="is linked to", on_chain=True),
        LinkSpec(source=0, target=2, relation="has"),
    ]
    drawn = network(nodes, links)
    assert all(0 < dot.x < WIDTH and 0 < dot.y < HEIGHT for dot in drawn.dots)
    assert [line.on_chain for line in drawn.lines] == [False, True]
    assert drawn.dots[0].label.endswith("…") and drawn.dots[2].label == ""
    assert drawn.dots[0].title == "A disease with a name that is far too long (disease)"
    assert drawn.text.startswith("3 entities and 2 relations.") and "is linked to B" in drawn.text


def test_labels_stay_in_the_frame_and_apart():
    names = [f"a name of some length {number}" for number in range(5)]
    nodes = [
        NodeSpec(name=name, kind="disease", x=number / 40, y=0.5, role="entity")
        for number, name in enumerate(names)
    ]
    dots = network(nodes, []).dots
    assert all(dot.label_x - 3.1 * len(dot.label) >= 0 for dot in dots)
    assert len({dot.label_y for dot in dots}) == 5  # near each other in x, so each in its own row
    assert min(abs(a.label_y - b.label_y) for a in dots for b in dots if a is not b) >= 10
    assert all(0 < dot.label_y < HEIGHT for dot in dots)
