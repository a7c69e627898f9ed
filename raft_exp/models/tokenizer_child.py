"""`python -m raft_exp.models.tokenizer_child`: encodes sample texts with the tokenizer of a model.

`checks` runs this module as a child process with limits of time and memory. A regular expression in tokenizer.json can
take years for a line of dashes, and Python cannot interrupt it within a process.
"""

from raft_exp.core import limited

_RUN = 3000  # characters of one kind in a row
_KINDS = ("a", "Z", "0", " ", "\n", "\t", "-", "=", ".", "_", "\u00e9", "\u4e2d", "ab ", "a1", "a-")


def fault(file: str) -> str:
    """Encodes long runs of letters, digits and signs. Returns why the tokenizer fails; "" if it does not fail.

    `file`: path of a tokenizer.json. Returns "" also for a file that cannot be loaded: its loader gives the reason.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(file)
        for kind in _KINDS:
            tokenizer.encode(f"{kind * _RUN}!")
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
    except BaseException as error:  # a panic of its Rust code, at the limit of a regular expression
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f"fails on a few lines of text ({lines[0]:.100})"
    return ""


if __name__ == "__main__":
    limited.answer(fault, "tokenizers")
