"""Whose text it is: the installation's owner, and spellings of one author that were joined."""

from twin_contracts.base import AuthorId
from twin_contracts.documents import AuthorRef, Raw, content_hash
from twin_platform.documents.port import DocumentStore, Upserted
from twin_platform.records.port import Collection, RecordStore

OWNER = Collection("owner", AuthorRef)
_THE_OWNER = "owner"
_PAGE = 100

SPELLINGS = Collection("author-spellings", AuthorRef)
"""Author id that was merged -> into whom. What arrives under it is theirs."""


def known_as(records: RecordStore, author: AuthorRef) -> AuthorRef:
    """Return into whom the author was merged; themselves where they were not."""
    passed: set[AuthorId] = set()
    while author.id not in passed and (merged := records.get(SPELLINGS, author.id)) is not None:
        passed.add(author.id)  # two merges at one moment, each into the other, leave a ring
        author = merged.record
    return author


def known_id(records: RecordStore, author: AuthorId) -> AuthorId:
    """Return the id that the author goes by: their own where they were not merged. Any text may be asked for."""
    return known_as(records, AuthorRef.model_construct(id=author, name=author)).id


def owner_of(records: RecordStore, otherwise: AuthorRef) -> AuthorRef:
    """Return the installation's owner; `otherwise` while none was set."""
    stored = records.get(OWNER, _THE_OWNER)
    return known_as(records, stored.record if stored else otherwise)


def set_owner(records: RecordStore, owner: AuthorRef) -> None:
    """Make this author the installation's owner. What others wrote stays theirs."""
    records.put(OWNER, _THE_OWNER, owner)


def spellings(records: RecordStore) -> dict[AuthorId, AuthorRef]:
    """Return every merged author id, and whose documents are stored for it."""
    found: list[AuthorId] = []
    while page := records.find(SPELLINGS, after=found[-1] if found else None):
        found += [stored.key for stored in page]
    return {merged: known_as(records, AuthorRef(id=merged, name=merged)) for merged in found}


def store_document(documents: DocumentStore, records: RecordStore, document: Raw) -> Upserted:
    """Upsert the document under the name its author is known as: the way in for everything that is stored.

    The name is looked up again after the write, for a merge that began in between and did not see this document.
    """
    stored = documents.upsert(_under_known_name(records, document))
    renamed = _under_known_name(records, document)
    if stored.content_hash == content_hash(renamed):
        return stored
    documents.replace(renamed, stored.content_hash)
    return Upserted(content_hash(renamed), changed=True)


def merge_authors(
    documents: DocumentStore, records: RecordStore, source: AuthorRef, target: AuthorRef, limit: int
) -> int:
    """Make what is `source`'s `target`'s, now and later; return how many documents were moved, at most `limit`.

    The spelling is stored first: from then on nothing new arrives as `source`. What is left, after a kill, too, is
    moved by repeating the call. A document that somebody changes or deletes meanwhile stays as they left it.
    """
    records.delete(SPELLINGS, target.id)
    records.put(SPELLINGS, source.id, target)
    moved, after = 0, None
    while moved < limit and (page := documents.find(author=source.id, after=after, limit=min(_PAGE, limit - moved))):
        after = page[-1].id
        for document in page:
            moved += documents.replace(document.model_copy(update={"author": target}), content_hash(document))
    return moved


def _under_known_name(records: RecordStore, document: Raw) -> Raw:
    author = known_as(records, document.author)
    return document if author == document.author else document.model_copy(update={"author": author})
