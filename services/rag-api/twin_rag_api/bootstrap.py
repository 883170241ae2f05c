"""Composition of the REST API from parts that are already open."""

from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from twin_rag_api.access import Keys
from twin_rag_api.authors import AuthorRoutes
from twin_rag_api.chat import ChatRoutes
from twin_rag_api.crawls import CrawlRoutes
from twin_rag_api.documents import DocumentRoutes
from twin_rag_api.drafts import DraftRoutes
from twin_rag_api.events import ABOUT as ABOUT_EVENTS
from twin_rag_api.events import EventRoutes
from twin_rag_api.forget import ForgetRoutes
from twin_rag_api.gate import Gate
from twin_rag_api.keys import KeyRoutes
from twin_rag_api.models import ModelRoutes
from twin_rag_api.openapi import Api, refuse_unknown_query
from twin_rag_api.parked import ParkedRoutes
from twin_rag_api.parts import Parts
from twin_rag_api.problems import install_error_responses
from twin_rag_api.repair import RepairRoutes
from twin_rag_api.retrieve import Retriever
from twin_rag_api.search import SearchRoutes
from twin_rag_api.system import SystemRoutes

__all__ = ["Parts", "build_api", "end_streams"]


def build_api(parts: Parts, key: str) -> FastAPI:
    """Return the API; every route but the open ones wants `key`, or one of `twin keys`.

    It owns no resource, so it needs no shutdown but `end_streams`.
    """
    app = Api(
        title="LLM Twin",
        version=version("llm-twin-rag-api"),
        description=ABOUT_EVENTS,
        redoc_url=None,
        # the gate checks the key; this tells readers of /docs about it
        dependencies=[Depends(HTTPBearer(auto_error=False)), Depends(refuse_unknown_query)],
    )
    app.add_middleware(Gate, keys=Keys(key, parts.records, parts.clock), metrics=parts.metrics)
    app.state.stopping = False
    install_error_responses(app)
    retrieve = Retriever(parts.features, parts.embedder)
    app.include_router(SystemRoutes(parts).router())
    app.include_router(DocumentRoutes(parts).router())
    app.include_router(AuthorRoutes(parts).router())
    app.include_router(ForgetRoutes(parts).router())
    app.include_router(KeyRoutes(parts).router())
    app.include_router(EventRoutes(parts).router())
    app.include_router(CrawlRoutes(parts).router())
    app.include_router(ParkedRoutes(parts).router())
    app.include_router(RepairRoutes(parts).router())
    app.include_router(SearchRoutes(retrieve, parts.records).router())
    app.include_router(ModelRoutes(parts).router())
    app.include_router(ChatRoutes(parts).router())
    app.include_router(DraftRoutes(parts).router())
    return app


def end_streams(app: FastAPI) -> None:
    """End the streams of events: who serves them stops."""
    app.state.stopping = True
