"""What a followed crawl or import ends with: a question to the texts that have just arrived, and its answer."""

from twin_cli import show
from twin_cli.client import Client
from twin_cli.follow import Follower, name_of
from twin_cli.terminal import say, tell, width
from twin_contracts.http import SearchFilters

_UNANSWERED = "ask in words that the texts use, or see with `twin search` what in them is nearest to it"


def answered(client: Client, question: str | None, follower: Follower | None) -> bool:
    """Ask, and show the answer with its sources; return whether there is one.

    Without a question, what the first followed document says about its own title is searched for and shown.
    """
    if question is not None:
        tell(f'\n$ twin ask "{question}"\n')
        completion = client.ask(question, SearchFilters())
        tell(show.answer(completion, width()))
        if not completion.twin.answered:
            say(show.why_nothing(client.status()) or _UNANSWERED)
        return completion.twin.answered
    if follower is None:
        return True
    if not follower.indexed:
        say("nothing new has become searchable, so there is no way to show; --ask QUESTION asks what was there before")
        return True
    first = next((status for status in follower.indexed if status.title), follower.indexed[0])
    tell(f'\nWhat it says on "{name_of(first)}":\n')
    result = client.search(name_of(first), 1, SearchFilters(document_id=first.document_id))
    tell(show.hits(result, width()))
    return bool(result.hits)
