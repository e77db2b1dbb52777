"""`make tutorials`: run each tutorial's script, and write its page, with what it printed and drew.

A script is in cells, as notebooks and editors know them: `# %% [markdown]` begins words, each line a comment, and
`# %%` code. Its page has the words, the code, and after each piece of code what that printed. Pictures (`*.svg`) that
it leaves in the current folder come beside the page.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tempfile
from pathlib import Path

__all__ = ["TUTORIALS", "page"]

HERE = Path(__file__).resolve().parent

#: The scripts, each with a page of the same name.
TUTORIALS = sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)


def page(script: Path) -> str:
    """Run a script in the current folder and return its page.

    Raises
    ------
    ValueError
        The script does not begin with a cell.
    """
    before, *parts = re.split(r"^# %%( \[markdown\])?\n", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if before or not parts:
        raise ValueError(f"{script} must begin with a cell: a line '# %% [markdown]' or '# %%'")
    names: dict[str, object] = {"__name__": "__main__"}
    pieces = []
    for mark, cell in zip(parts[::2], parts[1::2], strict=True):
        if mark:
            pieces.append("\n".join(line.removeprefix("#").removeprefix(" ") for line in cell.strip().splitlines()))
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(cell, script.name, "exec"), names)
        pieces.append(f"```python\n{cell.strip()}\n```")
        if printed.getvalue():
            pieces.append(f"```text\n{printed.getvalue().rstrip()}\n```")
    return "\n\n".join(pieces) + "\n"


def main() -> None:
    """Write all pages, and their pictures."""
    for script in TUTORIALS:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            script.with_suffix(".md").write_text(page(script), encoding="utf-8")
            for picture in Path(folder).glob("*.svg"):
                shutil.copy(picture, HERE)
        print(script.with_suffix(".md"))


if __name__ == "__main__":
    main()
