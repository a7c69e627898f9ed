"""prompt.language: instructions and refusal in the language of the documents, and replies in it are read."""

import pytest

from raft_exp import prompts
from raft_exp.core.errors import ConfigError
from raft_exp.core.records import Passage
from raft_exp.core.schema import identity
from raft_exp.pipeline.config import conf_dir
from raft_exp.pipeline.parsing import parse
from raft_exp.prompts import lenient
from raft_exp.prompts.refusals import abstained
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected
from raft_exp.tasks.task import Prompts
from raft_exp.teachers import gate
from raft_exp.teachers.model import OpenaiTeacher
from raft_exp.teachers.tasks import QuestionTask
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


def teacher(*overrides: str) -> OpenaiTeacher:
    found = parse(compose(*TEACHER, *overrides)).teacher
    assert isinstance(found, OpenaiTeacher)
    return found


def questions_task(code: str) -> QuestionTask:
    task = teacher(f"prompt.language={code}").questions
    assert task
    return task


TEACHER = ("teacher=openai", "teacher.base_url=http://127.0.0.1:9/v1", "teacher.model=m-2024-01-01")


@pytest.mark.parametrize("code", CODES)
def test_every_task_of_the_teacher_is_in_the_language(code):
    english, own = teacher(), teacher(f"prompt.language={code}")
    passage = Passage("p", "d", "T", "Velmor.", "", ["Velmor."], "")
    more = {"question": "Q?", "answer": "A", "answers": ["A"], "explanation": "E", "n": 3}
    for task in ("targets", "questions", "check"):
        said, plain = (Prompts(getattr(of, task), str).messages([passage], ["r"], **more) for of in (own, english))
        for one, other in zip(said, plain, strict=True):
            assert one["role"] == other["role"]
            assert one["content"] != other["content"]
            for mark in ("##Reason:", "##Answer:", "##begin_quote##", "##end_quote##", "unanswerable", "Velmor.", "Q?"):
                assert (mark in one["content"]) == (mark in other["content"]), (task, mark)
            assert not {"the", "Write", "Use"} & set(one["content"].split()), (task, one["content"])
    assert identity(own.targets) | {"system": "", "prompt": "", "again": ""} == identity(english.targets) | {
        "system": "",
        "prompt": "",
        "again": "",
    }


@pytest.mark.parametrize("code", CODES)
def test_a_plural_and_a_single_question_are_asked_for(code):
    task = questions_task(code)
    passage = Passage("p", "d", "T", "Velmor.", "", ["Velmor."], "")
    one, three = (Prompts(task, str).messages([passage], [], n=n)[-1]["content"] for n in (1, 3))
    assert one != three
    assert "3" in three


def test_own_tasks_and_the_notebooks_stay():
    changed = teacher("prompt.language=de", "teacher.targets.prompt=Mine.").targets
    assert changed
    assert (changed.prompt, changed.system) == (
        "Mine.",
        "You write model answers that teach how to reason from passages.",
    )
    notebook = "task@teacher.targets=five_sentences"
    assert teacher(notebook, "prompt.language=de").targets == teacher(notebook).targets


def test_a_language_without_tasks_is_refused_where_a_model_teaches(tmp_path):
    (tmp_path / "prompt" / "languages").mkdir(parents=True)
    text = (conf_dir() / "prompt" / "languages" / "de.yaml").read_text()
    (tmp_path / "prompt" / "languages" / "nl.yaml").write_text(text)
    assert parse(compose("prompt.language=nl", own=tmp_path)).prompt.language == "nl"
    with pytest.raises(ConfigError, match=r"^prompt\.language: got 'nl', but .* write conf/task/languages/nl\.yaml"):
        compose(*TEACHER, "prompt.language=nl", own=tmp_path)


PAIRS = {
    "de": (
        "Frage: Wann wurde Velmor gegründet?\nAntwort: 1802",
        "Frage: Was sagt der Text über Velmor?\nAntwort: 1802",
    ),
    "fr": (
        "Question : Quand Velmor fut-elle fondée ?\nRéponse : 1802",
        "Question : Que dit le texte ?\nRéponse : 1802",
    ),
    "es": ("Pregunta: ¿Cuándo se fundó Velmor?\nRespuesta: 1802", "Pregunta: ¿Qué dice el texto?\nRespuesta: 1802"),
    "zh": ("问题：日本文化何时传入？\n答案：1802年", "问题：这段文字说了什么？\n答案：1802年"),
    "ja": (
        "質問：ベルモアはいつ設立されましたか。\n答え：1802年",
        "質問：この文章は何を述べていますか？\n答え：1802年",
    ),
    "ar": ("السؤال: متى تأسست مدينة فيلمور؟\nالإجابة: 1802", "السؤال: ماذا يقول النص عنها؟\nالإجابة: 1802"),
    "hi": ("प्रश्न: वेलमोर कब बना था?\nउत्तर: 1802", "प्रश्न: इस अनुच्छेद में क्या लिखा है?\nउत्तर: 1802"),
}


@pytest.mark.parametrize("code", CODES)
def test_written_questions_are_read_and_checked_in_the_language(code):
    task = questions_task(code)
    good, vague = (gate.pairs(task, LedgerEntry(reply, "stop", 1, 1, 0.1, None)) for reply in PAIRS[code])
    assert isinstance(good, tuple)
    assert len(good[0]) == 1
    assert isinstance(vague, Rejected)
    assert vague.reason == "points_at_passage"
