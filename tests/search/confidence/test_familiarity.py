"""Which wordings are known."""

import pytest

from epf.search.confidence.familiarity import Novelty, Wordings

KNOWN = [
    f"{name} has {n} {things}. How many {things} are left?"
    for name in ("Tom", "Ann")
    for n in (3, 8)
    for things in ("cups", "pens")
]
WORDINGS = Wordings.of(KNOWN)


@pytest.mark.parametrize(
    ("problem", "n_novel"),
    [
        pytest.param("Tom has 3 cups. How many cups are left?", 0, id="known"),
        pytest.param("Ann has 999 PENS. How many pens are left?", 0, id="other numbers and letters"),
        pytest.param("Tom has 3 cups. How many lions are left?", 3, id="an unknown word is in three triples"),
        pytest.param("How many cups has Tom?", 6, id="known words in another order"),
        pytest.param("17 * 24 = ?", 6, id="nothing is known"),
        pytest.param("小明有10个苹果", 4, id="another script"),
    ],
)
def test_novel_triples(problem: str, n_novel: int) -> None:
    assert WORDINGS.novelty(problem).n_novel == n_novel


def test_every_text_has_a_triple_at_least() -> None:
    assert WORDINGS.novelty("") == Novelty(1, 1)


def test_rare_words_are_not_known() -> None:
    assert "tom" in WORDINGS.words
    assert "tom" not in Wordings.of(KNOWN[:2]).words
