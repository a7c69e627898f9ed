"""Reads mails (.eml): sender, receivers, date and subject, then the text; attachments are counted."""

from collections import Counter
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from raft_exp.corpora.readers.documents import html
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import Document, Part, UnreadableError
from raft_exp.corpora.readers.documents.ooxml import not_read

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read(data: bytes) -> Document:
    """The plain text of a mail, else its page."""
    mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(data)
    if not any(mail[name] for name in _HEADERS):
        raise UnreadableError("not what its suffix says", "not a mail: it has neither sender nor subject")
    body = mail.get_body(("plain", "html"))
    counts = Counter(attachment=sum(1 for _ in mail.iter_attachments()))
    heads = [f"{name}: {' '.join(str(mail[name]).split())}" for name in _HEADERS if mail[name]]
    document = Document("", [])
    if body is not None:
        raw = body.get_payload(decode=True)
        text, warnings = decode(
            raw if isinstance(raw, bytes) and raw.strip() else b"-", body.get_content_charset() or ""
        )
        is_page = body.get_content_type() == "text/html"
        document = html.read_text(text) if is_page else Document("", [Part(text)], warnings)
    subject = " ".join(str(mail["Subject"] or "").split())
    parts = [Part("\n".join(heads) + ("\n\n" + document.parts[0].text if document.parts else "")), *document.parts[1:]]
    return Document(subject, parts, document.warnings + not_read(counts))
