"""`DELETE /v1/authors/{id}`: everything by an author, finished by repeating it."""

from fakes.api import Api
from twin_contracts.crawl import CrawledSource, LinkKind
from twin_contracts.documents import AuthorRef, RawPost, Source, document_id_of
from twin_platform.records.crawls import SOURCES, source_key

ADA = AuthorRef.of("Ada Lovelace")


def post(name: str, author: AuthorRef = ADA) -> RawPost:
    return RawPost(id=document_id_of(name), author=author, source=Source(platform="test"), text=name)


def test_every_document_of_the_author_goes_and_nothing_else(api: Api) -> None:
    adas = [post(f"n{number}") for number in range(45)]
    for document in adas:
        api.index(document)
    api.index(post("beas", AuthorRef.of("Bea")))

    begun = api.client.delete("/v1/authors/ada-lovelace")
    for document in adas:
        api.forget(document)
    repeated = api.client.delete("/v1/authors/ada-lovelace")

    assert (begun.status_code, begun.json()) == (202, {"author": ADA.id, "deleted": 45, "remaining": 45})
    assert repeated.status_code == 404
    assert [one.id for one in api.documents.find()] == [document_id_of("beas")]


def test_repeating_it_says_what_can_still_be_found(api: Api) -> None:
    api.index(post("a"))
    api.index(post("b"))
    api.client.delete("/v1/authors/ada-lovelace")
    api.forget(post("a"))

    repeated = api.client.delete("/v1/authors/ada-lovelace")

    assert repeated.json() == {"author": ADA.id, "deleted": 0, "remaining": 1}


def test_an_author_who_was_merged_is_forgotten_under_either_name(api: Api) -> None:
    api.index(post("a", AuthorRef.of("A. Lovelace")))
    api.client.post("/v1/authors/merge", json={"source": "A. Lovelace", "target": "Ada Lovelace"})

    source = CrawledSource(
        url="https://a.example", kind=LinkKind.PAGE, author=AuthorRef.of("A. Lovelace"), documents=1,
        crawled_at=api.clock.now(), gone_since=None,
    )  # fmt: skip
    api.records.put(SOURCES, source_key(source.url), source)

    response = api.client.delete("/v1/authors/a-lovelace")

    assert api.records.find(SOURCES) == []
    assert (response.status_code, response.json()["author"], response.json()["deleted"]) == (202, ADA.id, 1)
