"""What every benchmark leaves behind: a table a person can read, and the same rows as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure."""

    measure: str
    value: float
    unit: str
    against: str | None = None
    """The measure that stood beside it in the same run."""
    ratio: float | None = None
    """`value` by that measure's value; None where nothing was measured beside it."""
    goal: str | None = None
    met: bool | None = None
    """Whether the goal was reached; follows from the figure."""


def report(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> None:
    """Print the rows and write `<folder>/<name>.json`."""
    print(table(rows))
    _write(name, [_written(row) for row in rows], folder)


def report_part(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> None:
    """Print the rows and put them in the place of earlier ones of theirs; what was not measured this time stays."""
    print(table(rows))
    file = folder / f"{name}.json"
    before = json.loads(file.read_text("utf-8")) if file.exists() else []
    measured = {row.measure for row in rows}
    kept = [one for one in before if one["measure"] not in measured]
    _write(name, kept + [_written(row) for row in rows], folder)


def _write(name: str, rows: list[dict[str, object]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _written(row: Row) -> dict[str, object]:
    return asdict(row) | {"value": _rounded(row.value), "ratio": _rounded(row.ratio)}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned columns."""
    lines = [("measure", "value", "unit", "against", "ratio", "goal", "met")]
    lines += [
        (
            row.measure,
            _shown(row.value),
            row.unit,
            row.against or "",
            _shown(row.ratio),
            row.goal or "",
            {True: "yes", False: "no", None: ""}[row.met],
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.4g}")


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{_rounded(figure):g}"
