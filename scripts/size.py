"""Print the lines of product code per package beside the size we expect.

A line counts if something of the program stands on it: blank lines, comments and docstrings do not. A package far
above its expected size has something in it that is built twice or by hand.
"""

import ast
import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXPECTED = {
    "libs/contracts": 600,
    "libs/platform": 2500,
    "libs/cli": 600,
    "services/crawler": 1800,
    "services/cdc": 600,
    "services/feature-stream": 1500,
    "services/trainer": 1500,
    "services/llm-server": 400,
    "services/rag-api": 2200,
}
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def code_lines(source: str) -> int:
    """Return how many lines of `source` hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        # A string that stands alone is a docstring, of a module, class, function or of the field above it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main() -> None:
    """Print the table."""
    total = 0
    print(f"{'package':<26}{'lines':>7}{'expected':>10}")
    for package, expected in EXPECTED.items():
        if (ROOT / package).is_dir():
            lines = sum(code_lines(path.read_text("utf-8")) for path in (ROOT / package).rglob("*.py"))
            total += lines
            print(f"{package:<26}{lines:>7,}{expected:>10,}{'   far above' if lines > 1.5 * expected else ''}")
    print(f"{'together':<26}{total:>7,}{sum(EXPECTED.values()):>10,}")


if __name__ == "__main__":
    main()
