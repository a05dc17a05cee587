"""What others' event stores are made of, out of their own packages: installed for a run, at versions that are pinned.

Their code is not part of this repository. `contenders/package-lock.json` holds the hash of each package.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).with_name("contenders")
INSTALL_SECONDS: Final = 120.0
# In the order of its own install.sh; without what only reads, and without the roles and rights that nobody uses here.
MESSAGE_DB: Final = (
    "schema/message-store", "tables/messages", "types/message", "functions/message-store-version", "functions/hash-64",
    "functions/acquire-lock", "functions/category", "functions/is-category", "functions/id", "functions/cardinal-id",
    "functions/stream-version", "functions/write-message", "indexes/messages-id", "indexes/messages-stream",
    "indexes/messages-category",
)  # fmt: skip
EMMETT: Final = "import('@event-driven-io/emmett-postgresql').then(m => process.stdout.write(m.schemaSQL.join('')))"


class MissingError(RuntimeError):
    """The packages cannot be had here; the text says why."""


def install(folder: Path) -> Path:
    """Put the packages into a folder, and give it. Raises `MissingError`."""
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LIST / name, folder)
    _run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error")
    return folder


def message_db(packages: Path) -> str:
    """The SQL that makes message-db. Its functions find each other by the search path."""
    database = packages / "node_modules" / "@eventide" / "message-db" / "database"
    files = "\n".join((database / f"{name}.sql").read_text() for name in MESSAGE_DB)
    return f"SET search_path = message_store, public;\n{files}"


def emmett(packages: Path) -> str:
    """The SQL that makes emmett's store, as its package prints it."""
    return _run(packages, "node", "--eval", EMMETT)


def versions() -> dict[str, str]:
    """The versions that are asked for."""
    listed: dict[str, str] = json.loads((LIST / "package.json").read_text())["dependencies"]
    return listed


def _run(folder: Path, *command: str) -> str:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=INSTALL_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise MissingError(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise MissingError(f"{command[0]} took longer than {INSTALL_SECONDS:.0f} s") from error
    except subprocess.CalledProcessError as error:
        said = next((line for line in error.stderr.splitlines() if "error" in line.lower()), error.stderr[-200:])
        raise MissingError(f"{' '.join(command[:2])} failed: {said.strip()}") from error
    return ran.stdout
