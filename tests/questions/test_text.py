import pytest

from medr_jax.questions.text import mentions, words


def test_words_are_singular_and_folded():
    assert words("Café-au-lait SPOTS, 2 Teeth") == ("café", "au", "lait", "spot", "2", "tooth")
    assert words("Pes planus, ptosis, abscess") == ("pes", "planus", "ptosis", "abscess")


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("cataracts of both eyes", "Cataract", True),
        ("subcataract", "Cataract", False),  # a substring search would say yes
        ("the gene FBN1.", "FBN1", True),
        ("the gene FBN10.", "FBN1", False),
        ("nuclear cataract", "cataract nuclear", False),
        ("anything", "", False),
        ("anything", "?!", False),
    ],
)
def test_mentions_compares_whole_words(text, name, found):
    assert mentions(text, name) is found
