"""Reads e-mails (.eml): sender, receivers, date and subject, then the text, text attachments and forwarded mails."""

from collections import Counter
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser

from raft_exp.corpora.readers.documents import html
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import not_read

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_DEEPEST = 5  # levels of forwarded mails inside forwarded mails


def read(data: bytes) -> Document:
    """Reads the headers and the body of an e-mail (plain text, else HTML), then text attachments and forwarded mails.

    The warnings count the other attachments. Raises UnreadableError for data that has none of the headers From, To, Cc,
    Date and Subject.
    """
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(data)
    if not any(mail[name] for name in _HEADERS):
        raise UnreadableError("not what its suffix says", "not a mail: it has neither sender nor subject")
    counts: Counter[str] = Counter()
    warnings: list[str] = []
    parts = list(_mail(mail, counts, warnings, 0))
    return Document(_line(mail, "Subject"), parts, warnings + not_read(counts))


def _mail(mail: EmailMessage, counts: Counter[str], warnings: list[str], depth: int) -> Iterator[Part]:
    body: MIMEPart | None = mail.get_body(("plain", "html"))
    if body is None and not mail.is_multipart():
        body = mail  # a text of another kind (a calendar), or a file
    heads = "\n".join(f"{name}: {_line(mail, name)}" for name in _HEADERS if mail[name])
    first, *others = _text(body, counts, warnings) or [Part("")]
    yield Part(f"{heads}\n\n{first.text}".strip(), "", first.label)
    yield from others
    for attached in mail.iter_attachments() if mail.is_multipart() else ():
        yield from _attachment(attached, counts, warnings, depth)


def _attachment(part: MIMEPart, counts: Counter[str], warnings: list[str], depth: int) -> Iterator[Part]:
    name = part.get_filename() or ""
    if part.get_content_type() == "message/rfc822" and depth < _DEEPEST:
        inner = [one for one in part.iter_parts() if isinstance(one, EmailMessage)]
        for mail in inner:
            found = list(_mail(mail, counts, warnings, depth + 1))
            yield Part("\n\n".join(one.text for one in found), "section", f"mail {_line(mail, 'Subject')}".strip())
        return
    found = _text(part, counts, warnings)
    if found:
        yield Part("\n\n".join(one.text for one in found), "section", f"attachment {name}".strip())


def _text(part: MIMEPart | None, counts: Counter[str], warnings: list[str]) -> list[Part]:
    """Returns the text of a part; [] if it is empty or not text. Parts that are not text are counted."""
    if part is None:
        return []
    if part.get_content_maintype() != "text":
        counts["attachment"] += 1
        return []
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes) or not raw.strip():
        return []
    text, guesses = decode(raw, part.get_content_charset() or "")
    warnings += guesses
    if part.get_content_type() != "text/html":
        return [Part(text)]
    page = html.read_text(text)
    warnings += page.warnings
    return page.parts


def _line(mail: EmailMessage, name: str) -> str:
    return " ".join(str(mail[name] or "").split())
