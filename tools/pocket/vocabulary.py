"""The tokenizer of the pocket model.

It has one token for each common word and for each syllable of the generated names, and bytes for other text. So an
unseen name consists of two or three known tokens.
"""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from raft_exp.corpora.almanac import names, phrasing

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS, EOS = "<s>", "</s>"
MARKERS = ("##Answer:", "##Reason:", "##begin_quote##", "##end_quote##")
# Words of prompts, and common words that the almanac's sentences do not have.
PLAIN = """
You answer questions Where passages are given rely on them some of may not help Passage Question paragraph Answer
Reason the in form answer reason from quoting between and to hold do say again Again about The study year name a an
yes no maybe is are was were be been it its this that these those he she they his her their who whom whose what when
where which why how all any both each few more most other such only own same so than too very can will just should now
then also there here up down out on off over under into with without by for at as but if or because until while after
before above below during first last old new large small good great long little high different early late young
important public people man woman child world life day time way thing place work hand part number point home water
room mother father area money story fact month lot right book eye job word business side kind head house friend hour
game line end member law car city community president team minute idea body information back parent face others level
office door health person art war history party result change morning road king queen land sea hill mountain forest
field night light sun moon star north south east west made make take give find think tell become leave feel put bring
begin keep hold write stand hear let mean set meet run pay sit speak lie lead read grow lose fall send build
understand draw break spend cut rise drive buy wear choose therefore so since says said tells told according reads
states shows asked asks one two three four five six seven eight nine ten Then So Thus Hence It This That They He She
In On At By For Of And But Or If As To What Which Who When Where How Why Yes No Maybe
"""
_DIGITS = [f"{number:02d}" for number in range(100)]
_PUNCTUATION = [
    ".",
    ",",
    "?",
    "!",
    ":",
    ";",
    "'",
    '"',
    "-",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "/",
    "#",
    "##",
    "\n",
    "\n\n",
    " (",
    ")\n",
    ".\n",
    "?\n",
    ".\n\n",
    "paragraph",
    " {",
    "}\n",
]
_WORD = re.compile(r"[A-Za-z]+|\{")


def pieces() -> list[str]:
    """Returns all tokens except bytes and control tokens, in a fixed order."""
    words = set(PLAIN.split()) | set(_phrasing_words())
    pieces = [*MARKERS, *(f" {marker}" for marker in MARKERS), *_PUNCTUATION, "answer", "reason"]
    pieces += [f" {start}" for start in names.STARTS] + names.STARTS + names.ENDS
    pieces += [f" {name}" for name in names.GIVEN] + names.GIVEN
    pieces += [f" {digits}" for digits in _DIGITS] + _DIGITS + [f" {digit}" for digit in "0123456789"]
    pieces += [f" {word}" for word in sorted(words)] + [word for word in sorted(words) if word[0].isupper()]
    return list(dict.fromkeys(pieces))


def _phrasing_words() -> Iterator[str]:
    """Yields the words of all sentence templates and values of the almanac, for studies and for pre-training."""
    for text in _phrasing_texts():
        bare = re.sub(r"\{\w\}", " ", text)
        yield from (word for word in _WORD.findall(bare) if word != "{")


def _phrasing_texts() -> Iterator[str]:
    for facts in phrasing.KINDS.values():
        for fact in facts:
            yield from (fact.values, fact.topic)
            for forms in (fact.say, fact.ask, fact.role, fact.compare):
                yield from _all(forms)
    for forms in (phrasing.AIM, phrasing.SIZE, phrasing.HEAD, phrasing.VERDICT, *phrasing.OUTCOMES.values()):
        yield from _all(forms)
    yield from (*phrasing.REMEDIES, *phrasing.COMPLAINTS)


def _all(forms: phrasing.Forms | None) -> Iterable[str]:
    return () if forms is None else (*forms.both, *forms.study, *forms.practice)


def build_tokenizer() -> "Tokenizer":
    """Returns a Unigram tokenizer that splits text into as few tokens as possible; a byte token counts as three."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    scores = {BOS: 0.0, EOS: 0.0}
    scores |= dict.fromkeys(sorted(pre_tokenizers.ByteLevel.alphabet()), -3.0)
    scores |= {"".join(part for part, _ in to_bytes.pre_tokenize_str(piece)): -1.0 for piece in pieces()}
    tokenizer = Tokenizer(models.Unigram(list(scores.items())))
    tokenizer.pre_tokenizer = to_bytes
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(BOS, special=True), AddedToken(EOS, special=True)])
    return tokenizer
