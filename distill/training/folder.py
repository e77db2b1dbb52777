"""A run's folder: its configuration, checkpoint, log, weights and metrics."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hamming.distill.training.config import RunConfig

__all__ = ["RunFolder"]

#: Columns of `log.csv`.
LOG = ("step", "stage", "sharpness", "learning_rate", "loss", "attention", "output", "label", "accuracy", "seconds")


class RunFolder:
    """Files of one run: `run.json`, `checkpoint.pt`, `log.csv`, `weights.pt`, `metrics.json`.

    Each is written beside its place and then moved there, so that a full disk or an interruption leaves the one that
    was there before.

    Parameters
    ----------
    path
        The folder; made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, config: RunConfig) -> None:
        """Write the configuration, or see that the folder's is this one.

        Raises
        ------
        ValueError
            The folder belongs to another run, or cannot be written.
        """
        if (self.path / "run.json").exists():
            there, wanted = self.config().to_dict(), config.to_dict()
            for place, old, new in _differences(there, wanted):
                raise ValueError(
                    f"{self.path} holds a run with {place} = {old!r}, not {new!r}; "
                    "give this one another name, or remove that folder"
                )
        else:
            self._write_text("run.json", json.dumps(config.to_dict(), indent=2) + "\n")

    def config(self) -> RunConfig:
        """Return the configuration.

        Raises
        ------
        ValueError
            There is none, or it is not one of a run.
        """
        path = self.path / "run.json"
        try:
            return RunConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(f"{self.path} is not a run's folder: it has no run.json") from None
        except OSError as error:
            raise ValueError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except RecursionError:
            raise ValueError(f"{path}: nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Put the state of an unfinished training in place of the last one."""
        self._write("checkpoint.pt", lambda path: torch.save(state, path))

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the state that was saved last, or None."""
        path = self.path / "checkpoint.pt"
        return _loaded(path) if path.exists() else None

    def save_log(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write `log.csv`, whole."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(LOG)
        writer.writerows(rows)
        self._write_text("log.csv", text.getvalue())

    def finish(self, weights: dict[str, Tensor], metrics: dict[str, Any]) -> None:
        """Write what a finished run leaves, and remove the checkpoint."""
        self._write("weights.pt", lambda path: torch.save(weights, path))
        self._write_text("metrics.json", json.dumps(metrics, indent=2) + "\n")
        (self.path / "checkpoint.pt").unlink(missing_ok=True)

    def weights(self) -> dict[str, Tensor]:
        """Return a finished run's weights.

        Raises
        ------
        ValueError
            The run is not finished.
        """
        path = self.path / "weights.pt"
        if not path.exists():
            raise ValueError(f"{self.path} has no weights.pt: its run is not finished; hamming distill goes on with it")
        return _loaded(path)

    def metrics(self) -> dict[str, Any] | None:
        """Return a finished run's metrics, or None."""
        path = self.path / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _write_text(self, name: str, text: str) -> None:
        self._write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def _write(self, name: str, write: Callable[[Path], object]) -> None:
        target = self.path / name
        temporary = target.with_name(f".{name}.{os.getpid()}.tmp")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write(temporary)
            temporary.replace(target)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError of a full disk
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            kept = "; the one before is kept" if target.exists() else ""
            reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
            raise ValueError(f"cannot write {str(target)!r}: {reason}{kept}") from error


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:  # PyTorch and its unpickler raise what they like at damaged bytes
        raise ValueError(f"{path} cannot be read; hamming distill makes it anew once it is removed") from error


def _differences(old: dict[str, Any], new: dict[str, Any], place: str = "") -> list[tuple[str, Any, Any]]:
    found = []
    for key in old.keys() | new.keys():
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{place}{key}.")
        elif a != b:
            found.append((f"{place}{key}", a, b))
    return sorted(found, key=lambda item: item[0])
