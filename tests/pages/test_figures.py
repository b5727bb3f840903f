from medr_jax.pages.figures import ClueSpec, StepSpec, chain_figure

LONG = (
    "an exceedingly long name of a syndrome with microcephaly, deafness and short stature, type 12"
)


def overlap(first, second):
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


def figure(num_clues, num_steps, name=LONG):
    return chain_figure(
        [ClueSpec(relation="has the phenotype", text=name)] * num_clues,
        [
            StepSpec(
                name=name,
                kind="disease",
                relation="leads to" if index else "",
                neighbours=[name] * 3,
                num_more=1200,
            )
            for index in range(num_steps)
        ],
    )


def test_boxes_never_overlap_and_stay_inside():
    for num_clues, num_steps in [(0, 1), (1, 1), (4, 5), (0, 3)]:
        drawn = figure(num_clues, num_steps)
        for index, box in enumerate(drawn.boxes):
            assert box.x >= 0 and box.x + box.width <= drawn.width
            assert box.y >= 0 and box.y + box.height <= drawn.height
            assert not any(overlap(box, other) for other in drawn.boxes[:index])


def test_text_fits_its_box():
    for box in figure(3, 3).boxes:
        assert max(map(len, box.lines)) * 5.9 <= box.width
        assert len(box.lines) * box.line_height < box.height


def test_the_last_entity_is_the_answer_and_arrows_point_down():
    drawn = figure(2, 3, name="x")
    roles = [box.role for box in drawn.boxes if box.role in ("entity", "answer")]
    assert roles == ["entity", "entity", "answer"]
    hops = [arrow for arrow in drawn.arrows if arrow.label]
    assert len(hops) == 2 and all(arrow.y1 < arrow.y2 for arrow in hops)


def test_words_say_the_same():
    drawn = chain_figure(
        [ClueSpec(relation="has the phenotype", text="tall stature")],
        [
            StepSpec(name="Marfan syndrome", kind="disease"),
            StepSpec(name="FBN1", kind="gene", relation="is associated with the gene"),
        ],
    )
    assert drawn.text == (
        "Clues: has the phenotype: tall stature. "
        "Chain: Marfan syndrome → is associated with the gene → FBN1."
    )
