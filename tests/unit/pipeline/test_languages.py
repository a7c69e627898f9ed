"""prompt.language: instructions and refusal in the language of the documents, and replies in it are read."""

import pytest

from raft_exp import prompts
from raft_exp.core.errors import ConfigError
from raft_exp.core.schema import identity
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.prompts import lenient
from raft_exp.prompts.refusals import abstained
from tests.helpers.composing import compose

CODES = sorted(file.stem for file in (conf_dir() / "prompt" / "languages").glob("*.yaml"))
ANSWERED = {
    "de": ("Antwort: Paris", "Die Passagen sagen nichts dazu."),
    "fr": ("Réponse : Paris", "Je ne sais pas."),
    "es": ("Respuesta: Paris", "No lo sé. No se menciona."),
    "zh": ("答案：Paris", "无法确定。"),
    "ja": ("答え：Paris", "分かりません。"),
    "ar": ("الإجابة: Paris", "لا أعرف."),
    "hi": ("उत्तर: Paris", "मुझे पता नहीं।"),
}


def test_all_languages_are_shipped():
    assert sorted(ANSWERED) == CODES


@pytest.mark.parametrize("option", ["default", "brief", "json_reply"])
@pytest.mark.parametrize("code", CODES)
def test_every_word_of_the_prompt_is_in_the_language(code, option):
    english = parse(compose(f"prompt={option}")).prompt
    own = parse(compose(f"prompt={option}", f"prompt.language={code}")).prompt
    for name in ("system", "answer_instruction", "reason_instruction", "refusal"):
        assert getattr(own, name) != getattr(english, name)
        for mark in (prompts.ANSWER, prompts.REASON, prompts.BEGIN_QUOTE, prompts.END_QUOTE, '"answer"', '"reason"'):
            assert (mark in getattr(own, name)) == (mark in getattr(english, name)), (name, mark)
    assert own.reply_format == english.reply_format


@pytest.mark.parametrize("code", CODES)
def test_refusals_and_answers_in_the_language_are_read(code):
    refusal = parse(compose(f"prompt.language={code}")).prompt.refusal
    answer, other = ANSWERED[code]
    assert abstained(refusal, refusal)
    assert abstained(refusal, ""), "recognised without the study's own words too"
    assert abstained(other, "")
    assert lenient.extract(answer) == "Paris"
    assert lenient.extract(f"##{answer}") == "Paris"
    assert not abstained("Paris", refusal)


def test_own_words_stay():
    own = parse(compose("prompt.language=de", "prompt.system=Mine.")).prompt
    assert own.system == "Mine."
    assert own.refusal.startswith("Die Passagen")


def test_a_prompt_in_english_keeps_its_key():
    assert "language" not in identity(parse(compose()).prompt)


def test_other_languages_are_refused():
    with pytest.raises(ConfigError, match=r"^prompt\.language: got 'xx'; "):
        compose("prompt.language=xx")
    with pytest.raises(ConfigError, match=r"^prompt\.language: got 'de', but the wordings .* are English"):
        compose("prompt.language=de", "evaluation.prompts=auto")
