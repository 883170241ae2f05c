"""Faults of stores that were restored from an older backup."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.ledger import Held, Ledger
from benchmarks.oracle import judge, leftovers
from benchmarks.targets import StoreTarget
from fakes.chain import Chain
from fakes.flow import eventually, post
from faults.chains import load
from faults.conftest import Seen
from faults.table import fault
from twin_contracts.base import DocumentId

FILES = {"documents": "documents.db", "records": "records.db", "log": "log.db", "features": "vectors"}
RESTORED = "any one store restored from an older backup"


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder; one that is sparse stays sparse."""
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def restore(folder: Path, backup: Path, store: str) -> None:
    """Put one store of the backup in the place of the folder's."""
    for path in folder.glob(f"{FILES[store]}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy(backup / FILES[store], folder / FILES[store])


def ledger_after(chain: Chain, store: str) -> Ledger | dict[DocumentId, Held]:
    """Return what was acknowledged; where the documents themselves were restored, what they hold now."""
    return dict(chain.documents.hashes(None, 10_000)) if store == "documents" else chain.ledger


@pytest.mark.parametrize("store", FILES)
@fault(33, RESTORED, expected="`twin resync` repairs it")
def test_a_resync_repairs_what_a_restored_backup_does_not_know(tmp_path: Path, seen: Seen, store: str) -> None:
    folder, backup = tmp_path / "data", tmp_path / "backup"
    folder.mkdir()
    chain, gone = Chain(folder), post("gone", "Deleted after the backup.")
    with chain.opened():
        writes = load(chain)
        with chain.running():
            chain.put(gone)
            writes.run(40)
            chain.wait_until_quiet()
    copy(folder, backup)
    with chain.opened():
        writes.target = StoreTarget(chain.documents)
        with chain.running():
            chain.delete(gone)
            chain.put(post("new", "Written after the backup."))
            writes.run(40)
            chain.wait_until_quiet()
        with chain.capturing():
            writes.run(20)  # left in the log
            eventually(chain.is_captured)
    restore(folder, backup, store)
    with chain.opened():
        writes.target = StoreTarget(chain.documents)
        writes.run(20)  # before anything could notice
        ledger = ledger_after(chain, store)
        with chain.running():
            chain.wait_until_quiet()
            before = judge(ledger, chain.documents, chain.features)
            chain.resync()
            chain.wait_until_quiet()

        after = judge(ledger, chain.documents, chain.features)
        seen(f"{store}: {before}; after a resync {after}, leftovers {leftovers(chain.features)}")
        assert after.exact
        assert leftovers(chain.features) == 0
