import pytest

from medr_jax.questions.config import QuestionConfig


def test_defaults_are_valid_and_sizes_follow_weights():
    config = QuestionConfig(num_test=40, hop_weights=[1.0, 3.0])
    assert config.max_hops == 2
    assert config.sizes_by_hops("test") == [10.0, 30.0]
    with pytest.raises(ValueError, match="split='tset'"):
        config.size("tset")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hop_weights", []),
        ("hop_weights", [0.0, 0.0]),
        ("clue_weights", [1.0]),
        ("clue_weights", [-1.0, 1.0, 1.0]),
        ("start_weights", {"clue": 1.0}),
        ("level_weights", {"name": 0.0}),
        ("style_weights", {"rhyme": 1.0}),
        ("open_answer_share", 1.5),
        ("seeds", "rare"),
        ("questions_per_seed", [1]),
        ("test_fraction", 0.95),
    ],
)
def test_a_wrong_value_is_named(field, value):
    with pytest.raises(ValueError, match=field):
        QuestionConfig(**{field: value})


def test_forms_share_the_size():
    config = QuestionConfig(num_train=100, forms={"forward_chain": 3.0, "date": 1.0, "drug": 0.0})
    assert config.form_sizes("train") == {"date": 25}
    assert config.for_chains().size("train") == 75
    only = QuestionConfig(num_train=100, forms={"forward_chain": 0.0, "date": 1.0})
    assert only.for_chains().size("train") == 0
    default = QuestionConfig()
    assert default.for_chains() is default and not default.form_sizes("train")
    with pytest.raises(ValueError, match="questions.forms"):
        QuestionConfig(forms={"dates": 1.0})
