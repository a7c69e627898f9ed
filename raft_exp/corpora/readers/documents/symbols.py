"""Characters of symbol fonts, whose codes stand for pictures instead of letters: Symbol, and the common ones of
Wingdings.
"""

_FIRST = 0x20
# The Symbol font by code from 0x20 (Unicode consortium, MAPPINGS/VENDORS/ADOBE/symbol.txt).
_SYMBOL = (
    " !∀#∃%&∍()*+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}~"
    + " " * 33
    + "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
)
_WINGDINGS = {
    0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x70: "□", 0x71: "❑", 0x72: "❒", 0x74: "◆", 0x75: "◆",
    0x76: "❖", 0x77: "◆", 0x78: "☒", 0x9F: "•", 0xA1: "○", 0xA7: "▪", 0xA8: "□", 0xAB: "★", 0xD8: "➢", 0xDF: "←",
    0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE7: "←", 0xE8: "→", 0xE9: "↑", 0xEA: "↓", 0xEF: "⇦", 0xF0: "⇨", 0xF1: "⇧",
    0xF2: "⇩", 0xF3: "⬄", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip


def symbol(font: str, code: int) -> str:
    """Returns the character of a code in a font; "" if it is unknown.

    `code`: 0x20 to 0xFF in a symbol font, with or without 0xF000 added; Unicode in other fonts.
    """
    place = code - 0xF000 if 0xF000 <= code <= 0xF0FF else code
    if font.lower() == "symbol" and _FIRST < place < _FIRST + len(_SYMBOL):
        return _SYMBOL[place - _FIRST].strip()
    if font.lower() == "wingdings" and place <= 0xFF:
        return _WINGDINGS.get(place, "")
    picture = "\ue000" <= chr(code) <= "\uf8ff" or _has_pictures(font)  # the private use area: no other font knows it
    return "" if picture else chr(code)


def mapped(font: str, text: str) -> tuple[str, int]:
    """Returns a text whose symbol characters are replaced, and the number of unknown characters, which are left out."""
    private = not text.isascii() and any("\ue000" <= sign <= "\uf8ff" for sign in text)
    if not (private or _has_pictures(font)):
        return text, 0
    pieces = [sign if sign.isspace() else symbol(font, ord(sign)) for sign in text]
    return "".join(pieces), sum(not piece for piece in pieces)


def _has_pictures(font: str) -> bool:
    return font.lower().startswith(("symbol", "wingdings", "webdings"))
