"""Routes of repair: documents tried again or made anew, audits, indexes rebuilt."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from twin_contracts.audit import AuditReport
from twin_contracts.base import DocumentId
from twin_contracts.events import ZERO, Cause
from twin_contracts.records import DocumentRecord
from twin_contracts.reemission import Reemission
from twin_contracts.repair import Optimized, ReemissionInput, ReemissionStatus
from twin_platform.records.audits import ask_audit, audit_report
from twin_platform.records.reemissions import FINISHED_REEMISSIONS, ask_reemission, reemission
from twin_rag_api.access import Access, KeyAccess, WholeAccess
from twin_rag_api.errors import AuditUnknown, DocumentUnknown, InvalidRequest, ReemissionUnknown
from twin_rag_api.parts import Parts
from twin_rag_api.raw import resolve

_REASON: Final = "asked for by key {name!r}"
_BOUND: Final = "a key that is bound to authors names documents of theirs"


class RepairRoutes:
    """What is asked for here is stored, and carried out by cdc and the flow, in this process or another.

    A key that is bound to authors has their documents tried again; whatever concerns the whole installation is not
    there for it.
    """

    def __init__(self, parts: Parts) -> None:
        self._documents, self._features = parts.documents, parts.features
        self._records, self._clock = parts.records, parts.clock

    def router(self) -> APIRouter:
        """Return the routes of `/v1/reemissions`, `/v1/audits` and `/v1/optimize`."""
        router = APIRouter(tags=["repair"])
        router.add_api_route("/v1/reemissions", self.reemit, methods=["POST"], status_code=202)
        router.add_api_route("/v1/reemissions/{id}", self.reemission, methods=["GET"])
        router.add_api_route("/v1/audits", self.ask_audit, methods=["POST"], status_code=202)
        router.add_api_route("/v1/audits/{id}", self.audit, methods=["GET"])
        router.add_api_route("/v1/optimize", self.optimize, methods=["POST"])
        return router

    def reemit(self, given: ReemissionInput, access: KeyAccess, response: Response) -> ReemissionStatus:
        """Send documents through the pipeline again. `Location` is where to look how far that is.

        Named ones are tried again also where they are parked, and one that is gone is removed. Without names it is
        everything, parked ones left as they are.
        """
        if given.ids is None and access.authors is not None:
            raise InvalidRequest(field="ids", why=_BOUND)
        named = {resolve(one): one for one in given.ids or ()}
        ids = tuple(named) if given.ids is not None else None
        records = self._known(named, access)
        newest = max((record.version for record in records.values()), default=ZERO)
        request = ask_reemission(
            self._records,
            self._clock,
            _REASON.format(name=access.key_name),
            ids,
            Cause.REFILL if ids is None else Cause.REPLAY,
            after=self._documents.read((), at_least=newest).version,
        )
        response.headers["Location"] = f"/v1/reemissions/{request.id}"
        return self._status(request)

    def reemission(self, request_id: Annotated[DocumentId, Path(alias="id")], access: KeyAccess) -> ReemissionStatus:
        """Return how far a re-emission is; a finished one can be asked for during a week."""
        request = reemission(self._records, request_id)
        if request is None or not self._sees(access, request):
            raise ReemissionUnknown(request_id)
        return self._status(request)

    def ask_audit(self, access: WholeAccess, response: Response) -> AuditReport:
        """Ask for an audit, or join one that has not begun. `Location` is where its report can be looked at."""
        report = ask_audit(self._records, self._clock, _REASON.format(name=access.key_name))
        response.headers["Location"] = f"/v1/audits/{report.id}"
        return report

    def audit(self, audit_id: Annotated[DocumentId, Path(alias="id")], _access: WholeAccess) -> AuditReport:
        """Return how far an audit is, or its report, which can be asked for during a week."""
        report = audit_report(self._records, audit_id)
        if report is None:
            raise AuditUnknown(audit_id)
        return report

    def optimize(self, _access: WholeAccess) -> Optimized:
        """Rebuild the indexes now. Questions wait meanwhile, for seconds per 50,000 chunks that have changed."""
        began = self._clock.monotonic()
        self._features.optimize()
        return Optimized(seconds=self._clock.monotonic() - began)

    def _known(self, named: Mapping[DocumentId, str], access: Access) -> dict[DocumentId, DocumentRecord]:
        """Return the records of these documents, each named as the client did.

        Raises:
            DocumentUnknown: one of them is nowhere, or not the key's.
        """
        records = dict(self._features.records(tuple(named), with_text=False))
        for document_id, name in named.items():
            author, record = self._documents.author_of(document_id), records.get(document_id)
            if author is None and record is None:
                raise DocumentUnknown(name)
            if author is None and record is not None and record.metadata is not None:
                author = record.metadata.author
            if not access.sees(author):
                raise DocumentUnknown(name)
        return records

    def _sees(self, access: Access, request: Reemission) -> bool:
        if access.authors is None:
            return True
        if request.ids is None:
            return False
        try:
            self._known({one: one for one in request.ids}, access)
        except DocumentUnknown:
            return False
        return True

    def _status(self, request: Reemission) -> ReemissionStatus:
        remaining: int | None = None
        if request.ids is not None:
            records = self._features.records(request.ids, with_text=False)
            arrived = sum(record.version > (request.after or ZERO) for record in records.values())
            remaining = len(request.ids) - arrived
        return ReemissionStatus(
            id=request.id,
            reason=request.reason,
            requested_at=request.requested_at,
            documents=None if request.ids is None else len(request.ids),
            published=self._records.get(FINISHED_REEMISSIONS, request.id) is not None,
            remaining=remaining,
        )
