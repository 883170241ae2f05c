"""Routes of models: whose twin a client may ask."""

from fastapi import APIRouter

from twin_contracts.base import AuthorId
from twin_contracts.chat import Model, ModelList
from twin_platform.records.authors import known_id
from twin_rag_api.access import Access, KeyAccess
from twin_rag_api.errors import ModelUnknown
from twin_rag_api.parts import Parts

TWIN = "twin"
_OWNED_BY = "llm-twin"


def author_of_model(parts: Parts, model: str, access: Access) -> AuthorId | None:
    """Return whose texts it answers from; None for `twin`: from everybody's (docs/decisions/0006-whose-facts.md).

    Raises:
        ModelUnknown: the name is another one, nothing by that author is stored, or the key may not see it.
    """
    if model == TWIN:
        return None
    prefix, _, name = model.partition(":")
    author = known_id(parts.records, name)
    if prefix != TWIN or not access.sees(author) or not parts.documents.find(author=author, limit=1):
        raise ModelUnknown(model)
    return author


class ModelRoutes:
    """`twin`, and `twin:<author>` for everybody with a document, so that a client picks an author by its model."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def router(self) -> APIRouter:
        """Return the routes below `/v1/models`."""
        router = APIRouter(prefix="/v1/models", tags=["chat"])
        router.add_api_route("", self.list, methods=["GET"])
        router.add_api_route("/{model}", self.get, methods=["GET"])
        return router

    def list(self, access: KeyAccess) -> ModelList:
        """Return `twin` and one model per author that the key may see."""
        found = (count.author.id for count in self._parts.documents.authors())
        authors = (f"{TWIN}:{author}" for author in found if access.sees(author))
        return ModelList(data=tuple(Model(id=name, owned_by=_OWNED_BY) for name in (TWIN, *authors)))

    def get(self, model: str, access: KeyAccess) -> Model:
        """Return one model."""
        author_of_model(self._parts, model, access)
        return Model(id=model, owned_by=_OWNED_BY)
