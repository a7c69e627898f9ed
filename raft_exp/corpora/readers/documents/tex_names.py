"""The known macros and environments of LaTeX, grouped by their role in a text."""

HEADS = ("title", "author", "date")
LEVELS = {"part": 1, "chapter": 2, "section": 3, "subsection": 4, "subsubsection": 5, "paragraph": 6, "subparagraph": 7,
          "frametitle": 3, "frame": 3}  # fmt: skip
LISTS = {"itemize": "-", "compactitem": "-", "enumerate": "0", "compactenum": "0", "inparaenum": "0", "description": ""}
NOTES = ("footnote", "footnotetext", "thanks", "endnote")
BREAKS = ("\\", "newline", "tabularnewline", "par", "linebreak")
COUNTED = {
    "includegraphics": "picture",
    "todo": "comment",
    **dict.fromkeys(
        ("input", "include", "subfile", "lstinputlisting", "verbatiminput", "inputminted"), "included file"
    ),
    **dict.fromkeys(("bibliography", "includepdf"), "included file"),
}
REFERENCES = {
    *("cite", "citep", "citet", "citealp", "citeauthor", "citeyear", "parencite", "textcite", "autocite", "footcite"),
    *("ref", "eqref", "autoref", "cref", "Cref", "pageref", "nameref", "vref"),
}
UNITS = ("SI", "si", "qty", "unit", "num", "ang", "SIrange", "qtyrange", "numrange")
FORMULAS = {
    *(
        "equation",
        "align",
        "gather",
        "multline",
        "eqnarray",
        "alignat",
        "flalign",
        "displaymath",
        "math",
        "subequations",
    ),
    *("dmath", "IEEEeqnarray"),
}
TABLES = {
    "tabular",
    "tabular*",
    "tabularx",
    "tabulary",
    "longtable",
    "supertabular",
    "tblr",
    "longtblr",
    "array",
    "xltabular",
}
NAMED = {"abstract", "theorem", "lemma", "proof", "definition", "corollary", "proposition", "remark", "example"}
DRAWN = ("tikzpicture", "pgfpicture", "picture", "axis", "pspicture")
SETTINGS = {  # macros whose arguments are no text
    *(
        "label",
        "vspace",
        "hspace",
        "setlength",
        "addtolength",
        "setcounter",
        "addtocounter",
        "bibliographystyle",
        "color",
    ),
    *(
        "usepackage",
        "documentclass",
        "RequirePackage",
        "index",
        "pagestyle",
        "thispagestyle",
        "pagenumbering",
        "hypersetup",
    ),
    *(
        "geometry",
        "graphicspath",
        "newtheorem",
        "theoremstyle",
        "rule",
        "phantom",
        "vphantom",
        "hphantom",
        "cline",
        "today",
    ),
    *(
        "cmidrule",
        "newpage",
        "cellcolor",
        "rowcolor",
        "definecolor",
        "addcontentsline",
        "markboth",
        "markright",
        "begin",
    ),
    *(
        "pdfbookmark",
        "hyphenation",
        "fontsize",
        "selectlanguage",
        "usetheme",
        "usecolortheme",
        "newlength",
        "newcounter",
    ),
    *(
        "bibliographystyle",
        "nocite",
        "lstset",
        "sisetup",
        "captionsetup",
        "tableofcontents",
        "maketitle",
        "appendix",
        "end",
    ),
    *("hspace*", "vspace*", "linespread", "newenvironment", "DeclareMathOperator", "newcommand", "setlist", "toprule"),
    *("midrule", "bottomrule", "hline", "centering", "noindent", "raggedright", "small", "footnotesize", "item"),
}
ACCENTS = {"'", "`", "^", '"', "~", "=", ".", "u", "v", "H", "t", "c", "d", "b", "k", "r"}
ARGUMENTS = {  # of macros that pylatexenc does not know: "{" an argument, "[" an optional one, "*" a star
    **dict.fromkeys(("caption", "paragraph", "subparagraph", "captionof"), "*[{"),
    **dict.fromkeys(("footnotetext", "thanks", "todo", "lstinputlisting", "endnote", "includepdf"), "[{"),
    **dict.fromkeys(
        ("frametitle", "enquote", "gls", "acrshort", "acrlong", "subfile", "verbatiminput", "bibitem"), "[{"
    ),
    **dict.fromkeys(("SI", "qty"), "[{{"),
    **dict.fromkeys(("SIrange", "qtyrange"), "[{{{"),
    **dict.fromkeys(("si", "unit", "num", "ang"), "[{"),
    **dict.fromkeys(("parencite", "textcite", "autocite", "footcite", "citealp", "citeauthor", "citeyear"), "*[[{"),
    **dict.fromkeys(("pageref", "nameref", "vref", "autoref", "cref", "Cref", "eqref", "ref"), "*{"),
    **dict.fromkeys(
        ("index", "pagestyle", "thispagestyle", "pagenumbering", "hypersetup", "geometry", "graphicspath"), "{"
    ),
    **dict.fromkeys(
        ("cline", "nocite", "lstset", "sisetup", "captionsetup", "hyphenation", "newlength", "newcounter"), "[{"
    ),
    **dict.fromkeys(("selectlanguage", "usetheme", "usecolortheme", "linespread", "theoremstyle", "phantom"), "[{"),
    **dict.fromkeys(("hphantom", "vphantom", "markright", "setlist"), "[{"),
    **dict.fromkeys(("markboth", "fontsize", "pdfbookmark", "inputminted", "footnotemark"), "[{{"),
    "footnotemark": "[",
    "multicolumn": "{{{",
    "multirow": "[{[{[{",
    "parbox": "[[[{{",
    "rule": "[{{",
    "hyperref": "[{",
    "href": "{{",
    "cellcolor": "[{",
    "rowcolor": "[{",
    "definecolor": "{{{",
    "addcontentsline": "{{{",
    "newtheorem": "*{[{[",
    "raisebox": "{[[{",
    "colorbox": "{{",
    "fcolorbox": "{{{",
    "hypertarget": "{{",
    "hyperlink": "{{",
}
ENVIRONMENTS = {
    **dict.fromkeys(("longtable", "tblr", "longtblr", "subfigure", "subtable"), "[{"),
    **dict.fromkeys(("tabulary", "xltabular"), "{{"),
    **dict.fromkeys(("multicols", "supertabular", "adjustbox", "thebibliography", "IEEEeqnarray"), "{"),
    **dict.fromkeys(
        ("lemma", "proof", "theorem", "definition", "figure*", "table*", "sidewaystable", "compactenum"), "["
    ),
    **dict.fromkeys(("compactitem", "enumerate", "itemize", "description", "inparaenum", "axis"), "["),
    "minipage": "[[[{",
    "wrapfigure": "[{[{",
    "wraptable": "[{[{",
}
