"""The collections on a Qdrant server that several processes share: made, found fit, and those of another spec removed.

Nobody owns the server. Who opens it to write makes its own collections, points the aliases at them and then removes
the chunks of every other spec. So of two specs that are opened at once at least one is gone, and processes that still
run with it can commit nothing more: what they hold stays in the log for those that come after them.
"""

from qdrant_client import models

from twin_contracts.embedding import EmbeddingSpec
from twin_platform.features.engine import CHUNKS, DENSE, EXACT_BELOW, INDEXED_FIELDS, KEYWORDS, Alias, collection_of
from twin_platform.features.errors import CollectionMissing, FeaturesRefused, FeaturesUnavailable, FeaturesUnfit
from twin_platform.features.qdrant_link import Link

OLDEST = (1, 16)
"""Conditional upserts (`update_filter`), and reciprocal rank fusion with its constant."""
_TENANT = "metadata.author"
_BYTES_PER_NUMBER = 4


def require_fit(link: Link) -> None:
    """Raise `FeaturesUnfit` where the server is too old."""
    version = link("ask for its version", lambda client: client.info()).version
    try:
        found = tuple(int(number) for number in version.split(".")[:2])
    except ValueError:
        found = ()
    if found < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise FeaturesUnfit(f"Qdrant {version!r} is too old: conditional upserts need {needed}; update the server")


def claim(link: Link, spec: EmbeddingSpec) -> None:
    """Make what is missing, take the aliases, remove other specs' chunks. Idempotent, by any number of processes.

    Raises:
        FeaturesUnfit: a collection of this name is there and is none of ours.
    """
    names = {alias: collection_of(alias, spec) for alias in Alias}
    present = _collections(link)
    for alias, name in names.items():
        if name not in present:
            _create(link, name, alias, spec)
        _require_ours(link, name, alias, spec)
        _index(link, name, alias)
    _point_aliases(link, {str(alias): name for alias, name in names.items()})
    for alias in CHUNKS:
        for name in _collections(link):
            if name.startswith(f"{alias}__") and name != names[alias]:
                link(f"remove {name}", lambda client, name=name: client.delete_collection(name))  # type: ignore[misc]  # of a default


def claim_again(link: Link, spec: EmbeddingSpec, missing: CollectionMissing) -> FeaturesUnavailable:
    """Make lost collections anew, unless they were another spec's to remove; return what to tell of it."""
    for alias in CHUNKS:
        pointed = _aliases(link).get(alias)
        if pointed not in {None, collection_of(alias, spec)}:
            why = f"{pointed} is in force: another embedding model was opened; give every process the same, and restart"
            return FeaturesUnavailable(why, missing.tried)
    claim(link, spec)
    return FeaturesUnavailable("its collections were lost; they are made anew, and empty", missing.tried)


def _collections(link: Link) -> set[str]:
    found = link("list its collections", lambda client: client.get_collections())
    return {one.name for one in found.collections}


def _aliases(link: Link) -> dict[str, str]:
    found = link("list its aliases", lambda client: client.get_aliases())
    return {one.alias_name: one.collection_name for one in found.aliases}


def _create(link: Link, name: str, alias: Alias, spec: EmbeddingSpec) -> None:
    # Vectors have unit length: the dot product is the cosine, and gives back exactly the bits that were stored.
    dense = {DENSE: models.VectorParams(size=spec.dimension, distance=models.Distance.DOT)}
    kilobytes = EXACT_BELOW * spec.dimension * _BYTES_PER_NUMBER // 1024
    try:
        link(
            f"create {name}",
            lambda client: client.create_collection(
                name,
                vectors_config={} if alias is Alias.DOCUMENTS else dense,
                sparse_vectors_config={KEYWORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=kilobytes),
                # A managed server forbids conditions on fields without an index; ours look at a few points only.
                strict_mode_config=models.StrictModeConfig(enabled=False),
            ),
        )
    except FeaturesRefused:
        if name not in _collections(link):  # else another process was faster, or the first answer was lost
            raise


def _require_ours(link: Link, name: str, alias: Alias, spec: EmbeddingSpec) -> None:
    """Refuse what every single point would be refused by."""
    parameters = link(f"look at {name}", lambda client: client.get_collection(name)).config.params
    dense = parameters.vectors.get(DENSE) if isinstance(parameters.vectors, dict) else None
    fits = dense is not None and (dense.size, dense.distance) == (spec.dimension, models.Distance.DOT)
    if KEYWORDS not in (parameters.sparse_vectors or {}) or not (fits or alias is Alias.DOCUMENTS):
        why = f"the collection {name!r} has other vectors than {spec.id!r} needs; remove it, it is filled again"
        raise FeaturesUnfit(why)


def _index(link: Link, name: str, alias: Alias) -> None:
    present = link(f"look at {name}", lambda client: client.get_collection(name)).payload_schema
    for field, kind in INDEXED_FIELDS[alias].items():
        schema: models.PayloadFieldSchema = models.PayloadSchemaType.INTEGER
        if kind is str:
            is_tenant = alias in CHUNKS and field == _TENANT
            schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=is_tenant)
        if field not in present:
            _create_index(link, name, field, schema)


def _create_index(link: Link, name: str, field: str, schema: models.PayloadFieldSchema) -> None:
    link(f"index {field}", lambda client: client.create_payload_index(name, field, field_schema=schema, wait=True))


def _point_aliases(link: Link, wanted: dict[str, str]) -> None:
    """Point them in one step, those that point elsewhere."""
    present = _aliases(link)
    changes: list[models.AliasOperations] = []
    for alias, name in wanted.items():
        if present.get(alias) == name:
            continue
        if alias in present:
            changes.append(models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        create = models.CreateAlias(collection_name=name, alias_name=alias)
        changes.append(models.CreateAliasOperation(create_alias=create))
    if changes:
        link("point its aliases", lambda client: client.update_collection_aliases(changes))
