"""LaTeX: macros of the text's own, tables, code and what is not read."""

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import UnreadableError


def read(text):
    return documents.read("a.tex", text.encode())[1]


def words(text):
    return "\n\n".join(part.text for part in read(text).parts)


def test_title_and_authors_of_the_preamble_stand_first():
    document = read(
        "\\title{Storage}\\author{Ann \\and Bo\\thanks{Firm.}}\n\\usepackage{x}"
        "\\begin{document}\\maketitle Text.\\end{document} after"
    )
    assert document.title == "Storage"
    assert document.parts[0].text == "Storage\n\nAnn Bo[1]\n\n[1] Firm.\n\nText."


def test_macros_of_the_text_are_replaced():
    text = words(
        "\\newcommand{\\pump}{Pump-7}\\newcommand*{\\pair}[2]{#1 and \\emph{#2}}"
        "\\def\\R{\\mathbb{R}}\\pump: \\pair{a}{b}, $\\R^2$."
    )
    assert text == "Pump-7: a and b, $\\mathbb{R}^2$."


@pytest.mark.slow
def test_macros_without_end_are_refused():
    bomb = "\\newcommand{\\a0}{ha}" + "".join(
        f"\\newcommand{{\\{chr(98 + n)}}}{{{f'{chr(92)}{chr(97 + n)} ' * 20}}}" for n in range(12)
    )
    with pytest.raises(UnreadableError, match=r"macros that expand to too much text|nested too deeply"):
        read("\\newcommand{\\x}{\\x\\x}\\x")
    with pytest.raises(UnreadableError, match="macros that expand to too much text"):
        read(bomb + "\\m")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('caf\\\'e, Stra\\ss e, \\"Ol, \\c{c}a, na\\"{\\i}ve', "café, Straße, Öl, ça, naïve"),
        ("50\\% of \\$5 \\& more~x -- y ``q'' \\ldots{}", "50% of $5 & more x – y “q” …"),
        (
            "\\SI{5}{\\kilo\\gram} and \\qty{3}{\\metre\\per\\second}, \\num{1200}",
            "5 kilogram and 3 metre per second, 1200",
        ),
        ("\\textbf{a} \\textcolor{red}{b} \\href{http://x}{c} \\url{http://y}", "a b c http://y"),
        ("\\verb|a_b| and \\lstinline|x=$1|", "a_b and x=$1"),
        ("as \\cite{knuth} in \\ref{tab:a}\\label{here}", "as [knuth] in [tab:a]"),
        ("\\unknown{some} text", "some text"),
    ],
)
def test_signs_and_macros_inside_of_lines(written, expected):
    assert words(written).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("a & b \\\\ \\midrule 1 & 2 \\\\ 3 & 4", "a: 1; b: 2\na: 3; b: 4"),
        ("\\hline a & b \\\\ \\hline 1 & \\\\ \\hline", "a: 1"),
        ("a & b \\\\ 1 & 2", "a | b\n1 | 2"),
        ("a & b \\\\ \\midrule 1 & 2 \\\\ \\cmidrule(lr){1-2} 3 & 4", "a: 1; b: 2\na: 3; b: 4"),
        ("1 & 2 \\\\ \\hline 3 & 4", "1 | 2\n3 | 4"),
        ("\\multicolumn{2}{c}{wide} & c \\\\ \\hline 1 & 2 & 3", "wide: 1; wide: 2; c: 3"),
        ("x & \\begin{tabular}{l}u\\\\v\\end{tabular} \\\\ y & \\footnote{Low.} 5", "x | u; v\ny | [1] 5\n\n[1] Low."),
    ],
)
def test_tables(table, expected):
    assert words(f"\\begin{{tabular}}{{lll}}{table}\\end{{tabular}}") == expected


def test_code_is_no_markup():
    text = words(
        "A.\n\\begin{minted}[x=1]{python}\nif a: # $ % { \\end\n    b\n\\end{minted}\nB.\n"
        "\\begin{comment}no\\end{comment}\n\\iffalse no \\fi"
    )
    assert text == "A.\n\nif a: # $ % { \\end\n    b\n\nB."


def test_formulas_are_latex_once():
    text = words(
        "\\[ x \\]\n\\begin{equation}\\label{e}y = 2 % note\n\\end{equation}"
        "\\begin{align*}a &= b \\\\ c &= d\\end{align*} and \\(z\\)."
    )
    assert text.split("\n\n") == [
        "$$x$$",
        "$$y = 2$$",
        "$$\\begin{align*}a &= b \\\\ c &= d\\end{align*}$$",
        "and $z$.",
    ]


def test_slides_have_headings():
    document = read(
        "\\begin{document}\\begin{frame}{Pumps}\\begin{itemize}\\item One\\end{itemize}\\end{frame}"
        "\\begin{frame}\\frametitle{Mills}Two\\end{frame}\\end{document}"
    )
    assert [(part.label, part.text) for part in document.parts] == [
        ("Pumps", "Pumps\n\n- One"),
        ("Mills", "Mills\n\nTwo"),
    ]
