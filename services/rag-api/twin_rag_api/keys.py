"""Routes of keys: made, listed and revoked by who holds the installation's own."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from twin_contracts.documents import AuthorRef
from twin_contracts.http import Problem
from twin_contracts.keys import KeyEntry, KeyInput, KeyList, KeyName, NewKey
from twin_platform.records.keys import ApiKey, KeyNameTaken, KeyNameUnknown, all_keys, create_key, revoke_key
from twin_rag_api.access import OwnAccess
from twin_rag_api.errors import InvalidRequest, KeyTaken, KeyUnknown
from twin_rag_api.parts import Parts

_TAKEN = {"model": Problem, "description": "A valid key has this name."}
_UNKNOWN = {"model": Problem, "description": "There is no such key, or the request's own is not the installation's."}


class KeyRoutes:
    """For the installation's own key alone: another one, whatever it sees, finds no such route."""

    def __init__(self, parts: Parts) -> None:
        self._records, self._clock = parts.records, parts.clock

    def router(self) -> APIRouter:
        """Return the routes below `/v1/keys`."""
        router = APIRouter(prefix="/v1/keys", tags=["keys"])
        router.add_api_route("", self.list, methods=["GET"])
        router.add_api_route("", self.create, methods=["POST"], status_code=201, responses={409: _TAKEN})
        router.add_api_route("/{name}", self.revoke, methods=["DELETE"], responses={404: _UNKNOWN})
        return router

    def list(self, _access: OwnAccess) -> KeyList:
        """Return every key there ever was, oldest first, without its text."""
        return KeyList(items=tuple(map(_entry, all_keys(self._records))))

    def create(self, given: KeyInput, _access: OwnAccess, response: Response) -> NewKey:
        """Make a key. Its text is in this answer and nowhere else: it is stored hashed."""
        now = self._clock.now()
        if given.expires_at is not None and given.expires_at <= now:
            raise InvalidRequest(field="expires_at", why=f"it is {now.isoformat()} already; name a later moment")
        authors = tuple(AuthorRef.of(name).id for name in given.authors) if given.authors else None
        try:
            text = create_key(self._records, given.name, now, authors, given.expires_at)
        except KeyNameTaken as error:
            raise KeyTaken(str(error)) from error
        response.headers["Cache-Control"] = "no-store"
        return NewKey(name=given.name, authors=authors, created_at=now, expires_at=given.expires_at, key=text)

    def revoke(self, name: Annotated[KeyName, Path()], _access: OwnAccess) -> KeyEntry:
        """End a key: the next request with it is refused."""
        try:
            return _entry(revoke_key(self._records, name, self._clock.now()))
        except KeyNameUnknown as error:
            raise KeyUnknown(str(error)) from error


def _entry(key: ApiKey) -> KeyEntry:
    """Return what is told of a key: not even its hash."""
    return KeyEntry(**key.model_dump(exclude={"secret_hash"}))
