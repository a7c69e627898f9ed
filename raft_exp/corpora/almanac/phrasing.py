"""The facts of the almanac's documents, with the sentences that state them and the questions about them.

The pocket model was trained on a part of the phrasings ("practice"). Each phrasing is used in the study, in practice,
or in both (`Realm`). `{n}` is the entity, `{v}` the value, `{t}` a remedy, `{c}` a complaint.
"""

from dataclasses import dataclass

from raft_exp.corpora.almanac.names import Realm


@dataclass(frozen=True)
class Forms:
    """Alternative phrasings, by realm."""

    both: tuple[str, ...]
    study: tuple[str, ...] = ()
    practice: tuple[str, ...] = ()

    def of(self, realm: Realm) -> tuple[str, ...]:
        """Returns the phrasings of a realm."""
        return self.both + (self.study if realm == "study" else self.practice)


@dataclass(frozen=True)
class Fact:
    """A fact that every document of a kind states."""

    name: str
    values: str  # kind of values: year | made (a stray name) | person, town (another entity) | words, with ", " between
    topic: str  # name of the fact, for practice of the pocket model: "the founding of {n}"
    say: Forms
    ask: Forms
    role: Forms | None = None  # for person and town: the name of the other entity in a bridge question
    compare: Forms | None = None  # `{a}` and `{b}` are the two names, `{v}` a value that the question names


TOWN = (
    Fact(
        "founded",
        "year",
        "the founding of {n}",
        Forms(
            ("{n} was founded in {v}.", "People settled at {n} in {v}.", "The town of {n} dates from {v}."),
            ("The first houses of {n} were built in {v}.", "The history of {n} begins in {v}."),
            ("In {v} the town of {n} was founded.", "The first stone of {n} was laid in {v}."),
        ),
        Forms(
            ("When was {n} founded?", "In which year was {n} founded?"),
            ("From which year does {n} date?",),
            ("What is the year of the founding of {n}?",),
        ),
        compare=Forms(
            ("Which town is older, {a} or {b}?",),
            ("Which of the towns {a} and {b} was founded first?",),
            ("Of the towns {a} and {b}, which is older?",),
        ),
    ),
    Fact(
        "founder",
        "person",
        "the founder of {n}",
        Forms(
            ("The founder of {n} was {v}.", "The town of {n} owes its beginning to {v}.", "{v} founded {n}."),
            ("The plan of {n} was drawn by its founder, {v}.",),
            ("It was {v} who founded {n}.",),
        ),
        Forms(
            ("Who founded {n}?", "Who was the founder of {n}?"),
            ("By whom was {n} founded?",),
            ("What is the name of the founder of {n}?",),
        ),
        role=Forms(("the founder of {n}",), ("the person who founded {n}",)),
    ),
    Fact(
        "river",
        "made",
        "the river of {n}",
        Forms(
            ("{n} lies on the river {v}.", "The river {v} runs past {n}.", "In {n} there is a bridge over the {v}."),
            ("The mills of {n} stand by the {v}.",),
            ("The river at {n} is called the {v}.",),
        ),
        Forms(
            ("On which river does {n} lie?", "Which river runs past {n}?"),
            ("What is the river of {n} called?",),
            ("What is the name of the river at {n}?",),
        ),
    ),
    Fact(
        "craft",
        "glass, bells, rope, paper, clocks, boots, cheese, knives, carpets, candles, hats, lace, soap",
        "the trade of {n}",
        Forms(
            ("{n} is known for its {v}.", "The people of {n} live by making {v}.", "The town of {n} sells {v}."),
            ("Most workshops in {n} turn out {v}.",),
            ("The trade of {n} is in {v}.",),
        ),
        Forms(
            ("What is {n} known for?", "What do the people of {n} make?"),
            ("What is made in the workshops of {n}?",),
            ("What does {n} sell?",),
        ),
        compare=Forms(
            ("Which town makes {v}, {a} or {b}?",),
            ("Which of the towns {a} and {b} is known for {v}?",),
            ("Of the towns {a} and {b}, which sells {v}?",),
        ),
    ),
)
PERSON = (
    Fact(
        "born",
        "year",
        "the birth of {n}",
        Forms(
            ("{n} was born in {v}.", "The birth of {n} was in {v}.", "{n} came into the world in {v}."),
            ("The life of {n} began in {v}.",),
            ("In {v} {n} was born.",),
        ),
        Forms(
            ("When was {n} born?", "In which year was {n} born?"),
            ("What is the birth year of {n}?",),
            ("What is the year of the birth of {n}?",),
        ),
        compare=Forms(
            ("Who is older, {a} or {b}?",),
            ("Which of {a} and {b} was born first?",),
            ("Of {a} and {b}, who is older?",),
        ),
    ),
    Fact(
        "profession",
        "baker, weaver, painter, doctor, judge, sailor, teacher, farmer, printer, miner, poet, tailor, "
        "mason, hunter, singer, dancer",
        "the profession of {n}",
        Forms(
            ("{n} worked as a {v}.", "The profession of {n} was that of a {v}.", "{n} became a {v}."),
            ("For many years {n} earned a living as a {v}.",),
            ("By profession {n} was a {v}.",),
        ),
        Forms(
            ("What was the profession of {n}?", "What did {n} work as?"),
            ("How did {n} earn a living?",),
            ("What did {n} become?",),
        ),
        compare=Forms(
            ("Who was a {v}, {a} or {b}?",),
            ("Which of {a} and {b} worked as a {v}?",),
            ("Of {a} and {b}, who was a {v}?",),
        ),
    ),
    Fact(
        "home",
        "town",
        "the home town of {n}",
        Forms(
            ("{n} grew up in {v}.", "The home town of {n} was {v}.", "{n} lived in {v}."),
            ("{n} never moved away from {v}.",),
            ("The home of {n} was in {v}.",),
        ),
        Forms(
            ("Where did {n} live?", "What was the home town of {n}?"),
            ("In which town did {n} grow up?",),
            ("Where was the home of {n}?",),
        ),
        role=Forms(("the home town of {n}",), ("the town where {n} lived",)),
    ),
    Fact(
        "instrument",
        "flute, harp, drum, fiddle, horn, lute, piano, trumpet, guitar, whistle",
        "the music of {n}",
        Forms(
            ("{n} played the {v}.", "In the evening {n} practised the {v}.", "The {v} was dear to {n}."),
            ("Guests of {n} were treated to music on the {v}.",),
            ("The music of {n} was for the {v}.",),
        ),
        Forms(
            ("What did {n} play?", "Which instrument did {n} play?"),
            ("On which instrument did {n} make music?",),
            ("What was the instrument of {n}?",),
        ),
    ),
)
MINERAL = (
    Fact(
        "colour",
        "red, blue, green, yellow, white, black, brown, grey, purple, silver, golden",
        "the colour of {n}",
        Forms(
            ("The mineral {n} is {v}.", "The colour of {n} is {v}.", "{n} has a {v} shine."),
            ("In daylight a piece of {n} looks {v}.",),
            ("Every stone of {n} is {v}.",),
        ),
        Forms(
            ("What colour is {n}?", "What is the colour of {n}?"),
            ("What colour does {n} have?",),
            ("Which colour has {n}?",),
        ),
        compare=Forms(
            ("Which mineral is {v}, {a} or {b}?",),
            ("Which of the minerals {a} and {b} looks {v}?",),
            ("Of the minerals {a} and {b}, which is {v}?",),
        ),
    ),
    Fact(
        "use",
        "lamps, paint, rings, roofs, tiles, wire, coins, mirrors, pencils, statues, medicine, buttons",
        "the use of {n}",
        Forms(
            ("{n} is used for {v}.", "People need {n} for {v}.", "The mineral {n} goes into {v}."),
            ("Traders buy {n} to turn it into {v}.",),
            ("The use of {n} is in {v}.",),
        ),
        Forms(
            ("What is {n} used for?", "What do people need {n} for?"),
            ("What is {n} turned into?",),
            ("What does {n} go into?",),
        ),
    ),
    Fact(
        "discoverer",
        "person",
        "the discovery of {n}",
        Forms(
            ("{n} was discovered by {v}.", "The discoverer of {n} was {v}.", "{n} was first found by {v}."),
            ("The first to describe {n} was {v}.",),
            ("It was {v} who discovered {n}.",),
        ),
        Forms(
            ("Who discovered {n}?", "Who was the discoverer of {n}?"),
            ("By whom was {n} first found?",),
            ("What is the name of the discoverer of {n}?",),
        ),
        role=Forms(("the discoverer of {n}",), ("the person who discovered {n}",)),
    ),
    Fact(
        "mine",
        "town",
        "the mines of {n}",
        Forms(
            ("The mines of {n} are near {v}.", "{n} is dug near {v}.", "Most {n} comes from {v}."),
            ("Carts bring {n} down from the hills around {v}.",),
            ("The place to look for {n} is {v}.",),
        ),
        Forms(
            ("Where is {n} dug?", "Where are the mines of {n}?"),
            ("Near which town is {n} found?",),
            ("Where does {n} come from?",),
        ),
        role=Forms(("the town near the mines of {n}",), ("the town near which {n} is dug",)),
    ),
)
SHIP = (
    Fact(
        "launched",
        "year",
        "the launch of {n}",
        Forms(
            ("The ship {n} was launched in {v}.", "{n} first sailed in {v}.", "The launch of {n} was in {v}."),
            ("{n} left the yard in {v}.",),
            ("In {v} the ship {n} was launched.",),
        ),
        Forms(
            ("When was {n} launched?", "In which year did {n} first sail?"),
            ("When did {n} leave the yard?",),
            ("What is the year of the launch of {n}?",),
        ),
        compare=Forms(
            ("Which ship is older, {a} or {b}?",),
            ("Which of the ships {a} and {b} was launched first?",),
            ("Of the ships {a} and {b}, which is older?",),
        ),
    ),
    Fact(
        "builder",
        "person",
        "the builder of {n}",
        Forms(
            ("{n} was built by {v}.", "The builder of {n} was {v}.", "The ship {n} is the work of {v}."),
            ("The timber of {n} was put together by {v}.",),
            ("It was {v} who built {n}.",),
        ),
        Forms(
            ("Who built {n}?", "Who was the builder of {n}?"),
            ("By whom was {n} built?",),
            ("What is the name of the builder of {n}?",),
        ),
        role=Forms(("the builder of {n}",), ("the person who built {n}",)),
    ),
    Fact(
        "harbour",
        "town",
        "the harbour of {n}",
        Forms(
            ("The home harbour of {n} is {v}.", "{n} spends the winter at {v}.", "The ship {n} belongs to {v}."),
            ("After each voyage {n} returns to {v}.",),
            ("The harbour of {n} is at {v}.",),
        ),
        Forms(
            ("What is the home harbour of {n}?", "Where does {n} spend the winter?"),
            ("To which town does {n} return?",),
            ("Where is the harbour of {n}?",),
        ),
        role=Forms(("the home harbour of {n}",), ("the town to which {n} belongs",)),
    ),
    Fact(
        "cargo",
        "wheat, wool, wine, timber, apples, coal, sugar, cotton, oil, spices, bricks",
        "the cargo of {n}",
        Forms(
            ("{n} carries {v}.", "The cargo of {n} is {v}.", "The hold of {n} is full of {v}."),
            ("On most voyages {n} is loaded with {v}.",),
            ("The ship {n} trades in {v}.",),
        ),
        Forms(
            ("What does {n} carry?", "What is the cargo of {n}?"),
            ("What is {n} loaded with?",),
            ("What does {n} trade in?",),
        ),
        compare=Forms(
            ("Which ship carries {v}, {a} or {b}?",),
            ("Which of the ships {a} and {b} is loaded with {v}?",),
            ("Of the ships {a} and {b}, which carries {v}?",),
        ),
    ),
)
BIRD = (
    Fact(
        "food",
        "berries, snails, seeds, moths, nuts, worms, frogs, beetles, roots, mice, bees",
        "the food of {n}",
        Forms(
            ("{n} eats {v}.", "The food of {n} is {v}.", "The bird {n} lives on {v}."),
            ("The young of {n} are fed with {v}.",),
            ("The bird {n} looks for {v}.",),
        ),
        Forms(
            ("What does {n} eat?", "What is the food of {n}?"),
            ("What are the young of {n} fed with?",),
            ("What does {n} live on?",),
        ),
        compare=Forms(
            ("Which bird eats {v}, {a} or {b}?",),
            ("Which of the birds {a} and {b} is fed with {v}?",),
            ("Of the birds {a} and {b}, which eats {v}?",),
        ),
    ),
    Fact(
        "nest",
        "reeds, cliffs, barns, towers, caves, hedges, meadows, orchards, ruins, dunes",
        "the nest of {n}",
        Forms(
            ("{n} nests in {v}.", "The nest of {n} is found in {v}.", "The bird {n} breeds in {v}."),
            ("In spring one meets {n} in {v}.",),
            ("The home of {n} is in {v}.",),
        ),
        Forms(
            ("Where does {n} nest?", "Where is the nest of {n} found?"),
            ("Where does one meet {n} in spring?",),
            ("Where does {n} breed?",),
        ),
    ),
    Fact(
        "seen",
        "year",
        "the first report of {n}",
        Forms(
            ("{n} was first seen in {v}.", "The first report of {n} is from {v}.", "{n} is known since {v}."),
            ("The oldest drawing of {n} was made in {v}.",),
            ("In {v} the bird {n} was first seen.",),
        ),
        Forms(
            ("When was {n} first seen?", "In which year was {n} first seen?"),
            ("Since when is {n} known?",),
            ("What is the year of the first report of {n}?",),
        ),
        compare=Forms(
            ("Which bird was seen earlier, {a} or {b}?",),
            ("Which of the two birds {a} and {b} is known longer?",),
            ("Of the birds {a} and {b}, which was seen earlier?",),
        ),
    ),
    Fact(
        "namer",
        "person",
        "the naming of {n}",
        Forms(
            ("{n} was named by {v}.", "The name of {n} was given by {v}.", "The bird {n} has its name from {v}."),
            ("The books say that {v} chose the name of {n}.",),
            ("It was {v} who named {n}.",),
        ),
        Forms(
            ("Who named {n}?", "By whom was {n} named?"), ("Who chose the name of {n}?",), ("Who gave {n} its name?",)
        ),
        role=Forms(("the namer of {n}",), ("the person who named {n}",)),
    ),
)
KINDS = {"town": TOWN, "person": PERSON, "mineral": MINERAL, "ship": SHIP, "bird": BIRD}

REMEDIES = [
    "honey",
    "nettle tea",
    "warm milk",
    "cold water",
    "mint oil",
    "rye bread",
    "onion soup",
    "ginger",
    "long walks",
    "salt baths",
]
COMPLAINTS = ["cough", "headache", "fever", "toothache", "poor sleep", "sore feet", "back pain", "low spirits"]
AIM = Forms(
    ("The {n} study asked whether {t} helps against {c}.", "The question of the {n} study was {t} against {c}."),
    ("With the {n} study, doctors put {t} to the test against {c}.",),
    ("Whether {t} helps against {c} was what the {n} study asked.",),
)
SIZE = Forms(
    ("In the {n} study, {v} people took part.", "The {n} study had {v} people."),
    ("Doctors followed {v} people for the {n} study.",),
    ("There were {v} people in the {n} study.",),
)
HEAD = Forms(
    ("The {n} study was led by {v}.", "The head of the {n} study was {v}."),
    ("At the desk of the {n} study sat {v}.",),
    ("It was {v} who led the {n} study.",),
)
OUTCOMES = {
    "yes": Forms(
        (
            "The {n} study found that {t} clearly helped.",
            "In the {n} study, those with {t} did much better than the rest.",
        ),
        ("By the end of the {n} study, far more people with {t} were well.",),
        ("The {n} study saw a great gain from {t}.",),
    ),
    "no": Forms(
        ("The {n} study found that {t} did not help.", "In the {n} study, those with {t} did no better than the rest."),
        ("By the end of the {n} study, just as many people with {t} were ill.",),
        ("The {n} study saw no gain from {t}.",),
    ),
    "maybe": Forms(
        (
            "The {n} study found no sure answer about {t}.",
            "In the {n} study, those with {t} did a little better, which may be chance.",
        ),
        ("By the end of the {n} study, the figures for {t} pointed both ways.",),
        ("The {n} study saw a doubtful gain from {t}.",),
    ),
}
VERDICT = Forms(
    ("Does {t} help against {c}, according to the {n} study?", "In the {n} study, did {t} help against {c}?"),
    ("Going by the {n} study, is {t} good for {c}?",),
    ("Is {t} of help against {c} in the {n} study?",),
)
