"""Patterns of refusals to answer. They match plain words: lower case, single spaces, "not" for all its short forms."""

import re

_KIND = (
    r"(?:passages?|contexts?|documents?|texts?|articles?|information|sources?|abstracts?|paragraphs?|excerpts?|"
    r"snippets?|materials?|references?|content|author|data|results?)"
)
# The passages as a reply names them: "the given passages", "document 2".
SOURCE = (
    r"(?:(?:any|none|all|both|either|neither|one) of )?(?:the |these |this |those |any |either |both |all |no |your )?"
    r"(?:(?:given|provided|above|retrieved|supplied|following|available|two|three|other|same|search) )?"
    rf"{_KIND}(?: \d{{1,3}})?(?: (?:given|provided|above|available|at hand|here|themselves|alone|itself))?"
)
_ADVERB = r"(?:(?:\w{2,16}ly|also|even|yet|ever|either|at all|anywhere|here) )?"
_TELL = (
    r"(?:hold|contain|provide|mention|say|state|tell|give|include|answer|specify|support|have|discuss|address|indicate|"
    r"name|identify|reveal|describe|cover|explain|offer|list|clarify|disclose|report|show|refer|talk|speak|"
    r"suggest|help)"
    r"(?:s|es)?"
)
_ASSERT = (
    r"(?:know|answer|tell|say|determine|find|locate|provide|see|identify|confirm|infer|conclude|decide|"
    r"establish|deduce|"
    r"give an answer|give you|help|assist|be sure|be certain|be determined|be answered)"
)
_TOLD = (
    r"(?:mentioned|stated|specified|provided|given|discussed|disclosed|indicated|named|identified|addressed|described|"
    r"answered|answerable|determined|determinable|inferable|revealed|reported|supplied|explained)"
)
_THERE = r"(?:found|available|present|included|contained|covered|known|clear|shown|listed|there|part|recorded|certain)"
_ABOUT = (
    r"(?:the |this |that |your |my )?(?:\w+ )?(?:answer|question|information|info|detail|details|name|"
    r"data|it|this|that)"
)
_QUERY = r"(?:who|whom|whose|what|when|where|which|why|how|whether|if)"
_THINGS = r"(?:information|info|answer|mention|context|data|details?|indication|reference|clue|idea|way|hint|record)"
_END = (
    r"(?= (?:from|by|in|within|using|with|without|based|given|on|here|and|or|as|for|because|since|to|at)\b| "
    + _QUERY
    + r"\b|$)"
)
_IN_SOURCE = rf"(?= (?:\w+ )?(?:in|from|by|within|on the basis of|based on|given|with|using|as) {SOURCE}| {_QUERY}\b|$)"

# Refusals after which no answer follows, unless it is introduced as a guess ("but", "my guess is").
STRONG = [
    rf"(?:i|we|you|one) {_ADVERB}(?:(?:do|did|can|could|am|are|was|were|would|will|have) )?not (?:be |been |"
    rf"able to |{_ADVERB})*{_ASSERT}\b",
    rf"(?:(?:i|we) )?(?:can|could) not {_ADVERB}{_ASSERT}\b",
    r"(?:i|we) (?:am|are|was|were|m|feel)(?: not)? (?:unsure|uncertain|unable|not able|sure|certain|aware|"
    r"able)\b(?<!am sure)(?<!am certain)(?<!am able)",
    r"(?:i|we) (?:do|did) not have (?:\w+ ){0,3}?(?:access|information|knowledge|context|data|details|"
    r"evidence|idea|clue|answer)\b",
    r"unable to\b|not (?:sure|certain)\b|no (?:idea|clue)\b|(?:nobody|no one|who) knows\b",
    rf"{_ABOUT}(?: to (?:the|this|that|your) question)? (?:is|are|was|were|can|could|has|have|does|"
    rf"do) not (?:be |been )?{_ADVERB}"
    rf"(?:{_TOLD}|{_THERE}|possible|in|exist|appear|have)\b(?! (?:to be|as)\b)",
    rf"(?:.{{1,100}} )?(?:can|could) not (?:be )?{_ADVERB}(?:be )?(?:answered|determined|inferred|known|"
    rf"established|ascertained|derived|"
    rf"deduced|confirmed|found|identified|verified|concluded){_END}",
    rf"(?:it is |this is |that is )?(?:impossible|not possible|hard|difficult) to {_ADVERB}(?:say|tell|know|"
    rf"determine|answer|identify|infer|find|conclude)\b",
    rf"(?:the |this |your )?(?:question|answer)(?: to (?:the|this|that|your) question)? (?:is|was|remains|seems) "
    rf"(?:{_ADVERB})(?:unanswerable|unknown|unclear|missing|absent|unavailable|undetermined|uncertain|"
    rf"indeterminate){_END}",
    rf"(?:there (?:is|are|was|were) |(?:i|we) (?:have|see|find|found) |(?:i|we) (?:do|did|can) not (?:have|see|find) )?"
    rf"(?:no|not enough|not sufficient|insufficient|not any|any|enough|sufficient|"
    rf"too little) (?:\w+ )?(?:{_THINGS}|evidence) (?:\w+ ){{0,5}}?"
    r"to (?:\w+ly )?(?:answer|say|tell|determine|decide|know|identify|conclude|be certain|be sure|give)\b",
    r"(?:please|kindly|could you|can you|would you) (?:\w+ )?(?:provide|give|share|supply)\b.*\b(?:more|"
    r"context|information|details|passages?)\b",
    rf"(?:more|additional|further) {_THINGS} (?:is|are|would be) (?:needed|required|necessary)|(?:i|"
    rf"we) (?:would )?need more\b",
]

# Statements that the passages do not give the answer; the answer may still follow in a separate sentence.
WEAK = [
    rf"(?:.{{1,120}} )?(?:is|are|was|were|be|been|being|has|have) not (?:be |been |being )?{_ADVERB}{_TOLD}{_END}",
    rf"(?:.{{1,120}} )?(?:is|are|was|were|has|have) not (?:be |been )?{_ADVERB}{_THERE} (?:\w+ )?(?:in|from|by|"
    rf"within) (?:any of )?{SOURCE}",
    rf"(?:it|this|that) is not (?:\w+ly )?(?:{_TOLD}|{_THERE}){_IN_SOURCE}",
    rf"(?:it|this|that|.{{1,80}}) (?:is|are|was|were|remains?|seems?) (?:\w+ly )?(?:unknown|unclear|"
    rf"unspecified|unidentified|"
    rf"undisclosed|unmentioned|unstated|undetermined|uncertain|unavailable|indeterminate){_IN_SOURCE}",
    rf"{SOURCE}(?: \w+){{0,3}}? (?:do|does|did|can|could|is|are|was|were|has|have|will|would) not (?:{_ADVERB}|"
    rf"able to |seem to |appear to |actually )*{_TELL}\b",
    rf"{SOURCE}(?: \w+){{0,3}}? (?:(?:fail|fails|failed|neglect|neglects) to|lacks?|omits?|leaves? (?:it |"
    rf"this |that )?(?:open|out))\b",
    rf"{SOURCE}(?: \w+){{0,3}}? (?:is|are) (?:\w+ly )?(?:silent|insufficient|not sufficient|not enough|"
    rf"not relevant|irrelevant|inadequate)\b",
    rf"{SOURCE}(?: \w+){{0,3}}? (?:says?|gives?|contains?|makes?|provides?|offers?|mentions?|has|have|"
    rf"includes?|states?|tells?|holds?) (?:us |me )?(?:\w+ )?(?:nothing|no)\b",
    rf"(?:they|it|he|she|which|that|and|passage \d+) (?:do|does|did) not {_ADVERB}(?:mention|say|state|specify|"
    rf"tell|provide|give|answer|indicate|discuss|address|either)\b",
    rf"(?:none|neither|no|nothing)(?: of)?(?: (?:in|from))?(?: (?:the|these|this|those|them|"
    rf"any))?(?: (?:of the|given|provided|retrieved|above))*"
    rf"(?: {_KIND}| of them| one)*(?: (?:given|provided|above))? (?:{_ADVERB})(?:{_TELL}|answers|mentions|says|"
    rf"tells|is about|are about)\b",
    rf"(?:nowhere|missing|absent|lacking|omitted) (?:in|from) {SOURCE}",
    r"nothing (?:is|was) (?:said|mentioned|stated|given|known|written)\b",
    rf"(?:there (?:is|are|was|were) |(?:i|we) (?:have|see|find|found) |(?:i|we) (?:do|did|can|"
    rf"could) not (?:have|see|find) )?"
    rf"(?:no|not enough|not sufficient|insufficient|not any|any|enough|sufficient|not|little) (?:(?:other|such|"
    rf"further|direct|clear|enough|"
    rf"relevant|explicit|specific|sufficient|additional|definitive|available|of the|any) )*{_THINGS}"
    rf"(?= (?:about|of|on|in|to|is|was|were|that|given|provided|available|found|here|for|regarding|concerning|"
    rf"as|{_QUERY}|from|can|could|has)\b|$)",
    r"no evidence (?:is|was) (?:given|provided|mentioned)\b|not enough evidence$|insufficient evidence$",
    rf"(?:not|none|nothing) (?:\w+ly )?(?:{_TOLD}|{_THERE}|in {SOURCE}|applicable){_IN_SOURCE}",
    rf"(?:{_THINGS}|name|date|number|source|evidence) (?:is )?(?:not|un)\s?(?:{_TOLD}|{_THERE})\b",
    r"(?:it|he|she) (?:does|did) not say\b",
]

# Refusals only if they are the whole answer.
WHOLE = (
    r"unknown|unanswerable|noanswer|no answer(?: (?:found|given|available|possible))?|unclear|undetermined|"
    r"indeterminate|"
    r"unspecified|unmentioned|undisclosed|unavailable|null|nil|no information|not applicable|cannot say|no comment|idk|"
    r"(?:information|data|answer|details?)(?: is)? (?:missing|unavailable|lacking)|(?:it|that|"
    r"this) is (?:unknown|unclear)|"
    r"not enough|insufficient|uncertain|undefined|a mystery|none of (?:these|them|the (?:given |"
    r"provided )?passages)|missing|(?:the )?none(?: is| are| was)? (?:given|mentioned|stated|provided|"
    r"specified|found|available)"
)

# Clauses that neither answer nor decline, such as an apology or an offer of help.
FILLER = (
    r"(?:i am |so |very )*sorry(?: (?:for|about) .{0,60})?|(?:i )?apologi[sz]e\b.{0,60}|(?:please|kindly|"
    r"could you|can you|would you|let me know|feel free|"
    r"if you|i hope|hope this|thank|thanks|is there anything|i would be happy|i d be happy|"
    r"as an ai)\b(?!.*\b(?:provide|give|share|supply)\b.*\b(?:more|context|information|details|"
    r"passages?)\b).*|unfortunately|sure|"
    r"okay|ok|certainly|of course|hello|hi|well|hmm|answer|reason|explanation|note|.{0,2}"
)
# The start of a clause that only describes the passages: "passage 1 is about mills".
DESCRIPTION = (
    rf"(?:however |instead |therefore )?(?:{SOURCE}|passages? \d+(?: and \d+)*|they|it|the (?:first|second|"
    rf"third|last|other) (?:one|passage)) "
    r"(?:(?:only|just|merely|simply|solely) (?:\w+ly )?(?:says?|states?|mentions?|notes?|tells?|"
    r"discuss(?:es)?|describes?)\b|(?:(?:only|just|mainly|all|merely|instead|mostly|rather|do|"
    r"does) )*(?:(?:is|are) (?:\w+ )?(?:about|on)|mentions?|discuss(?:es)?|describes?|talks?|speaks?|focus(?:es)?|"
    r"covers?|deals?|refers?|concerns?|provides? (?:\w+ )?information|contains? (?:\w+ )?information)\b(?! that\b))"
)
# Words before a refusal or an answer, such as "unfortunately" or "based on the passages".
LEAD = re.compile(
    r"(?:(?:i am |i m |we are |very )?(?:sorry|afraid)|unfortunately|regrettably|sadly|(?:my )?apologies|"
    r"i apologi[sz]e|i regret|honestly|well|hmm|oh|it (?:seems|appears|looks)(?: like| as if)?|"
    r"as an ai(?: language)?(?: model| assistant)?|to be honest|in short|overall|in conclusion|in summary|and|"
    r"but|so|because|since|therefore|thus|hence|however|that|"
    r"also|as|(?:i|we) (?:think|believe|fear|would say|must say)|(?:the )?(?:final |short |"
    r"correct )?answer(?: is)?|final answer|"
    r"(?:based|relying) (?:\w+ )?(?:up)?on (?:\w+ ){0,6}?"
    + _KIND
    + r"(?: (?:given|provided|above|i have|at hand|here))*|"
    r"(?:from|in|given|with|using|according to|looking at|judging by|going by|considering) (?:only )?" + SOURCE + r"|"
    r"(?:after|upon|having) (?:\w+ ){0,3}?(?:read|reading|reviewing|reviewed|checking|searching|looking|"
    r"analy[sz]ing|examining) (?:\w+ ){0,6}?" + _KIND + r"|although|though|while|even though|despite) "
)
# Words after a refusal that introduce an answer as a guess.
GUESS = re.compile(
    r"\b(?:but|however|although|though|nevertheless|nonetheless|yet|probably|likely|perhaps|i think|i guess|"
    r"guess|assume|answer is|answer would be|general knowledge|"
    r"outside knowledge|best answer|so it|most plausible|it is|it was)\b"
)

# Refusals in other languages, as patterns of the text itself.
OTHER_LANGUAGES = re.compile(
    r"nicht hervor|keine ahnung|sag(?:t|en) (?:darüber |dazu |hierzu )?nichts|(?:nicht|unbekannt|"
    r"keine?)\s(?:bekannt|angegeben|erwähnt|genannt|enthalten|beantwort|Angaben?\b|Information|Antwort|Hinweis)"
    r"|weiß (?:es |ich |das )*nicht|lässt sich nicht|^unbekannt\W*$"
    r"|(?:ne|n')\s?(?:le )?(?:sais|sait|savons|peux|peut|pouvons) pas|n'est pas (?:mentionn|indiqu|disponible|"
    r"précis|connu|donn|dans)|(?:pas|aucune) (?:d')?(?:information|réponse|mention)"
    r"|ne (?:le )?(?:dit|mentionne|précise|contient|contiennent|mentionnent|permet|donne)\w* pas|"
    r"^inconnue?\W*$|impossible de (?:dire|savoir|répondre|déterminer)"
    r"|\bno (?:lo )?sé\b|no lo (?:menciona|dice|indica|especifica)|no se (?:menciona|indica|especifica|sabe|"
    r"dice|proporciona|puede)|no hay (?:\w+ )?informaci|no (?:contiene|contienen|mencionan?|proporcionan?) |"
    r"^desconocid[oa]\W*$"
    r"|\bnon (?:lo )?so\b|non lo (?:dice|menziona|specifica|indica)|non (?:è|viene) (?:menzionat|indicat|"
    r"specificat|not)|nessuna informazione|\bnão (?:sei|há informa|é mencionad|foi mencionad|consta)"
    r"|не ?(?:знаю|указан|упомян|известн|могу)|нет (?:информации|ответа|данных)"
    r"|不知道|不清楚|不详|[无無]法(?:确定|確定|回答|得知|判断|判斷|找到|从)|[没沒]有(?:提到|提及|相关|相關|足够|足夠|说明|說明|答案|信息)|未(?:提及|提到|说明|說明|知|找到)"
    r"|لا (?:أعرف|أعلم|[تي]وجد|[تي]حتوي|[تي]ذكر|[تي]تضمن|يمكن)|غير (?:معروف|مذكور|محدد|متوفر|موجود)|"
    r"لم (?:يذكر|يُذكر|يرد|ترد|يتم ذكر)|ليست? (?:هناك|موجود)"
    r"|(?:पता|मालूम|ज्ञात) नहीं|(?:उत्तर|जवाब|जानकारी|उल्लेख)[^।]{0,30}नहीं|नहीं (?:दिया|दी|बताया|मिला|मिलता|जानता) "
    r"|[わ分]か(?:り|ら)(?:ません|ない)|(?:記載|記述|情報|言及)[がはも](?:あり|され)(?:ません|ていま?せん|ない)|^不明",
    re.I,
)
