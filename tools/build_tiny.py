"""Makes the embedded model `asset:tiny`: python -m tools.build_tiny [FOLDER]

The weights are random, i.e. the model is not pre-trained. The tokenizer is trained on sentences that this file
generates from templates.
"""

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 2048
PAD, BOS, EOS, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"

# Each placeholder {kind} of a sentence is filled with a word of that kind.
WORDS = {
    "thing": "town village river lake bridge mill harbour market museum library school hospital church castle "
    "tower garden forest island valley mountain railway station road canal theatre university factory "
    "company newspaper festival album song film book novel poem game team club player coach patient study "
    "treatment disease protein cell gene model method result group trial sample test question answer "
    "passage document section page sentence word author paper report letter picture painting ship engine "
    "machine computer program number year month week day hour",
    "person": "king queen mayor doctor nurse teacher student farmer baker miller painter writer singer actor "
    "director engineer scientist soldier captain sailor merchant lawyer judge president minister bishop "
    "child woman man mother father daughter son brother sister friend neighbour people patients children "
    "women men researchers",
    "quality": "old new large small great little high low long short early late first second last young rich poor "
    "good better best important common rare public private local national international northern southern "
    "eastern western significant different similar clinical medical natural social political human famous "
    "former main several many",
    "verb": "built founded opened closed sold bought moved named described found measured compared treated "
    "reported published written directed played recorded won lost led joined left reached crossed visited "
    "painted designed married born elected appointed replaced destroyed restored enlarged used made given "
    "taken shown known called",
    "adverb": "often never always usually later first again also only still already nearly about clearly "
    "significantly strongly slowly quickly together however therefore moreover meanwhile finally",
    "place": "north south east west centre coast border edge middle hill sea plain country county state city "
    "province region district capital world house home street square",
    "stuff": "wool salt iron copper silver gold coal timber grain wheat barley bread cheese honey wine beer fish "
    "leather linen silk glass paper stone clay water oil sugar tea coffee blood bone tissue insulin "
    "glucose energy light heat",
    "month": "January February March April May June July August September October November December",
    "ending": "tion ment ness able less ful ing ed er est ly ity ism ist ous ive al ic ate ize",
    "syllable": "bar ber cal dan del fen gar hol ira jon kel lor mar nor ost pel ron sel tor ul var vel wen yor zan "
    "mor bri thal dun wick ham ton ford burg stead mere ley",
}
SENTENCES = (
    "The {quality} {thing} was {verb} by a {quality} {person} in the {place} of the {place}.",
    "It is {adverb} {verb} for its {stuff} and its {thing}, which has {number} {person} and {number} {thing}s.",
    "In {month} {year} the {person} of {name} {adverb} {verb} the {thing} near the {place}.",
    "{name} is a {quality} {thing} on the {place} of {name}, about {number} miles from {name}.",
    "Who {verb} the {thing} of {name}? When was it {verb}? Where does the {thing} stand? How many are there?",
    "What is the {thing} of {name} {verb} for? Which {thing} was {verb} first, {name} or {name}?",
    "We {verb} {number} {quality} {person} with {stuff}; the {thing} was {quality} (p < 0.{number}).",
    "These results suggest that the {thing} may not be {verb} with {quality} {stuff}, but they do not show why.",
    "Is the {thing} {verb} when there is no {stuff}? Yes, because it had been {verb}. No. Maybe.",
    "{name} and {name}, who were {verb} there, {adverb} {verb} their {thing} after the {place} had been {verb}.",
    "The passage says that the {thing} {adverb} {verb} {stuff}, so the answer is {name}.",
    "If you would know whether {name} could {verb} this, you should ask what has happened between them since then.",
    "##Reason: ##begin_quote## {name} was {verb} in {year}. ##end_quote## ##Answer: {year}",
    "##Reason: Passage {number} says ##begin_quote## The {thing} is {quality}. ##end_quote## ##Answer: {name}",
    "Passage {number}: {name} (paragraph {number})\nPassage {number}: {name} (section RESULTS, page {number})",
    "Question: What is {name}?\nUse the passages to answer. Answer in the form: ##Answer: {{answer}}",
    "Reason from the passages, quoting them between ##begin_quote## and ##end_quote##. "
    "Answer in the form: ##Reason: {{reason}} ##Answer: {{answer}}",
    "BACKGROUND: METHODS: RESULTS: CONCLUSIONS: the {word}{ending} of {word}{ending} and {word}{ending}",
)


def sentences(count: int) -> Iterator[str]:
    """Yields `count` sentences, generated from the templates SENTENCES. They are the same on every run."""
    random_ = random.Random(0)
    kinds = {kind: words.split() for kind, words in WORDS.items()}
    kinds["word"] = list(itertools.chain(kinds["thing"], kinds["verb"], kinds["quality"]))

    class Filler(dict[str, str]):
        def __missing__(self, kind: str) -> str:
            if kind == "name":
                return "".join(random_.choices(kinds["syllable"], k=random_.choice((2, 3)))).capitalize()
            if kind in ("number", "year"):
                return str(random_.randrange(1200, 2030) if kind == "year" else random_.randrange(1, 400))
            return random_.choice(kinds[kind])

    for number in range(count):
        yield SENTENCES[number % len(SENTENCES)].format_map(Filler())


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """Trains a byte-level BPE tokenizer, which can encode and decode any Unicode text. It has no chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BOS, EOS, UNKNOWN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences(20_000), trainer)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def build_model(tokenizer: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    """Returns a Llama model with random weights: 2 layers, 2 heads of size 32, tied input and output embeddings."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        for name, weight in model.named_parameters():
            # A LoRA adapter cannot change the tied embeddings, so they must be large enough for useful logits.
            if weight.dim() == 2:
                torch.nn.init.normal_(weight, std=0.3 if "embed" in name else weight.shape[1] ** -0.5)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model


def main(folder: Path) -> None:
    """Writes tokenizer and model to `folder`, with the same bytes on every run, and prints the sizes of the files."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(folder)
    build_model(tokenizer).save_pretrained(folder)
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:>9} {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "raft_exp" / "assets" / "tiny")
