"""Route of search: chunks by meaning and by keywords."""

from fastapi import APIRouter

from twin_contracts.http import SearchHit, SearchRequest, SearchResult
from twin_platform.records.port import RecordStore
from twin_rag_api.access import KeyAccess
from twin_rag_api.retrieve import Retriever, by_known_names


class SearchRoutes:
    """What stands in the snapshots, without an answer made of it."""

    def __init__(self, retrieve: Retriever, records: RecordStore) -> None:
        self._retrieve = retrieve
        self._records = records

    def router(self) -> APIRouter:
        """Return the route `/v1/search`."""
        router = APIRouter(tags=["search"])
        router.add_api_route("/v1/search", self.search, methods=["POST"])
        return router

    def search(self, request: SearchRequest, access: KeyAccess) -> SearchResult:
        """Return the best chunks of documents in force."""
        filters = access.narrow(by_known_names(request.filters, self._records))
        hits = [] if filters is None else self._retrieve(request.query, request.limit, filters)
        return SearchResult(
            hits=tuple(
                SearchHit(
                    document_id=hit.payload.document_id,
                    chunk_id=hit.id,
                    position=hit.payload.position,
                    heading_path=hit.payload.heading_path,
                    text=hit.payload.text,
                    score=hit.score,
                    similarity=hit.similarity,
                    metadata=hit.payload.metadata,
                )
                for hit in hits
            )
        )
