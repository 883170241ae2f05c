from fakes.feature_samples import BLOG, deleted, indexed, withdrawn
from fakes.features import InMemoryFeatureStore
from twin_contracts.documents import document_id_of
from twin_contracts.events import Version
from twin_contracts.records import RecordStatus
from twin_platform.features.news import ROOM


def version(seconds: int) -> Version:
    return Version(seconds=seconds, increment=0)


def test_a_listener_hears_what_is_applied_while_it_listens() -> None:
    store = InMemoryFeatureStore()
    store.apply([indexed("before", version(1), ["a"])])
    with store.listen() as listener:
        store.apply([indexed("essay", version(1), ["a", "b"]), withdrawn("note", version(1), RecordStatus.PARKED)])
        heard = listener.take()
    store.apply([indexed("after", version(1), ["a"])])

    assert [(news.document_id, news.status, news.chunks) for news in heard] == [
        (document_id_of("essay"), "indexed", 2),
        (document_id_of("note"), "parked", 0),
    ]
    assert (heard[0].author, heard[1].reason) == (BLOG.author, "nothing is left of it")
    assert listener.take() == []


def test_a_deletion_is_told_with_whose_document_it_was() -> None:
    store = InMemoryFeatureStore()
    store.apply([indexed("essay", version(1), ["a"])])
    with store.listen() as listener:
        store.apply([deleted("essay", version(2)), deleted("never seen", version(2))])

        heard = {news.document_id: news for news in listener.take()}

    assert heard[document_id_of("essay")].author == BLOG.author
    assert heard[document_id_of("never seen")].author is None


def test_a_listener_that_is_too_slow_loses_the_rest_and_holds_up_nobody() -> None:
    store = InMemoryFeatureStore()
    with store.listen() as slow, store.listen() as quick:
        for at in range(ROOM + 1):
            store.apply([withdrawn("note", version(at + 1), RecordStatus.REJECTED)])
            quick.take()

    assert (slow.lost, quick.lost) == (True, False)
    assert len(slow.take()) == ROOM
