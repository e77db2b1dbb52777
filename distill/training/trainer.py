"""The training loop: steps that follow from a seed, checkpoints to go on from, a log, and a stop at NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamming.distill.method.convert import configure, hamming_layers
from hamming.distill.method.losses import attention_divergence, mean, output_divergence
from hamming.distill.method.schedule import Phase, Schedule, learning_rate
from hamming.distill.method.transfer import attention_weights, transfer
from hamming.distill.tasks import Task
from hamming.distill.training.config import RunConfig
from hamming.distill.training.folder import RunFolder

__all__ = ["LOG_STEPS", "Diverged", "Progress", "Trainer"]

#: Steps that a row of the log is the mean of.
LOG_STEPS = 50

#: Training takes this many times the time of writing checkpoints, at least.
SAVING = 50

#: What a row of the log has means of.
TERMS = ("loss", "attention", "output", "label", "accuracy")


class Diverged(Exception):
    """A loss or a gradient is not a finite number; the message says where."""


@dataclass(frozen=True)
class Progress:
    """What a run tells while it works: steps done of all, and the last row of its log in words."""

    done: int
    steps: int
    text: str


class Trainer:
    """Trains a model as a run file says.

    Which items a step sees, in which order and how augmented, follows from the seed and the number of the step alone:
    no state of a random generator is needed to go on from a checkpoint.

    Parameters
    ----------
    config
        The run.
    task
        Its data.
    model
        What is trained: a teacher, or a student whose attention is calibrated.
    teacher
        A student's teacher, without gradients.
    folder
        Where checkpoints and the log go.
    """

    def __init__(
        self, config: RunConfig, task: Task, model: nn.Module, teacher: nn.Module | None, folder: RunFolder
    ) -> None:
        self.config, self.task, self.model, self.teacher, self.folder = config, task, model, teacher, folder
        self.schedule = Schedule(config.steps(task.steps(config.train.batch_size)))
        self.step = 0
        self.seconds = 0.0
        self.log: list[list[float | str]] = []
        self._row: list[list[float]] = []  # `TERMS` of each step since the log's last row
        by_layer = any(stage.by_layer for stage, _ in self.schedule.stages)
        of_attention = config.train.weights == "attention"
        self._resting = _all_but_attention(model) if by_layer or of_attention else []
        if of_attention:
            for parameter in self._resting:
                parameter.requires_grad_(False)
            self._resting = []
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        decayed, others = ([p for p in trained if (p.ndim > 1) == is_matrix] for is_matrix in (True, False))
        learnt = config.student is not None and config.student.learn_thresholds
        thresholds = [heads.key_mean.requires_grad_(True) for heads in hamming_layers(model).values()] if learnt else []
        self._trained = trained + thresholds
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": config.train.weight_decay},
                {"params": others + thresholds, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
        )
        self._order: tuple[int, list[Tensor]] = (-1, [])

    def run(self, progress: Callable[[Progress], None], checkpoint_seconds: float) -> None:
        """Train to the end, from the last checkpoint on if there is one.

        Raises
        ------
        Diverged
            A loss or a gradient is not finite.
        ValueError
            The checkpoint cannot be written; the one before is kept.
        """
        state = self.folder.load_checkpoint()
        if state is not None:
            self.step, self.seconds, self.log, self._row = (state[name] for name in ("step", "seconds", "log", "row"))
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        if self.config.student is not None:
            configure(self.model, top_n=self.config.student.train_top_n or self.config.student.top_n)
        self.model.train()
        last = saved = time.monotonic()
        pause = checkpoint_seconds
        while self.step < len(self.schedule):
            phase = self.schedule[self.step]
            self._row.append(self._advance(phase))
            self.step += 1
            now = time.monotonic()
            self.seconds += now - last
            last = now
            ends = self.step == len(self.schedule)
            if ends or self.step % LOG_STEPS == 0:
                self._add_to_log(phase, [sum(column) / len(column) for column in zip(*self._row, strict=True)])
                self._row = []
            if now - saved >= pause and not ends:
                self._save()
                saved = time.monotonic()
                pause = max(checkpoint_seconds, SAVING * (saved - now))
            progress(Progress(self.step, len(self.schedule), self._in_words(phase)))
        for heads in hamming_layers(self.model).values():
            heads.key_mean.requires_grad_(False)
        self.folder.save_log(self.log)

    def _advance(self, phase: Phase) -> list[float]:
        """Do one step; return its `TERMS`."""
        settings = self.config.train
        configure(self.model, mode=phase.stage.mode, sharpness=phase.sharpness)
        for parameter in self._resting:
            parameter.requires_grad_(not phase.stage.by_layer)
        generator = torch.Generator().manual_seed((self.config.seed << 32) + self.step)
        inputs, labels = self.task.train_batch(self._items(), generator)
        rate = settings.learning_rate * learning_rate(self.step, len(self.schedule), settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        means = self._gradient(phase, inputs, labels)
        norm = nn.utils.clip_grad_norm_(self._trained, settings.clip)
        self._require_finite(norm.item(), "gradient's norm", phase, means)
        self.optimizer.step()
        return [means.get(name, math.nan) for name in TERMS]

    def _gradient(self, phase: Phase, inputs: dict[str, Tensor], labels: Tensor) -> dict[str, float]:
        """Give the weights the gradient of a step's loss; return what of `TERMS` there is."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.train.precision == "bfloat16"):
            if phase.stage.by_layer:
                assert self.teacher is not None
                loss = transfer(self.teacher, self.model, inputs)
                self._require_finite(loss.item(), "loss", phase, {})
                return {"loss": loss.item()}
            terms, right = self._terms(phase, inputs, labels)
        weights = self.config.loss
        weight = {"attention": weights.attention, "output": weights.output, "label": weights.label}
        if self.teacher is None:
            weight = {"label": 1.0}
        loss = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
        values = {name: float(term.detach()) for name, term in terms.items()}
        self._require_finite(loss.item(), "loss", phase, values)
        loss.backward()
        return {"loss": loss.item(), "accuracy": right} | values

    def _items(self) -> Tensor:
        epoch, number = divmod(self.step, self.task.steps(self.config.train.batch_size))
        if self._order[0] != epoch:
            generator = torch.Generator().manual_seed((self.config.seed << 32) + (1 << 31) + epoch)
            self._order = epoch, self.task.epoch(self.config.train.batch_size, generator)
        return self._order[1][number]

    def _terms(self, phase: Phase, inputs: dict[str, Tensor], labels: Tensor) -> tuple[dict[str, Tensor], float]:
        """Return the losses that count in `phase`, and the share of items that the model classifies rightly."""
        weights = self.config.loss
        compares = phase.stage.compares_attention and weights.attention > 0
        logits, scores = self.model(**inputs, need_scores=compares)
        terms = {}
        if self.teacher is not None and (compares or weights.output):
            with torch.no_grad():
                wanted, wanted_scores = self.teacher(**inputs, need_scores=compares)
            if compares:
                pairs = zip(wanted_scores, scores, strict=True)
                terms["attention"] = mean([attention_divergence(a, b, inputs.get("visible")) for a, b in pairs])
            if weights.output:
                terms["output"] = output_divergence(wanted, logits, weights.temperature)
        if self.teacher is None or weights.label:
            terms["label"] = functional.cross_entropy(logits, labels)
        return terms, (logits.argmax(1) == labels).float().mean().item()

    def _require_finite(self, value: float, what: str, phase: Phase, terms: dict[str, float]) -> None:
        if math.isfinite(value):
            return
        named = list(self.model.named_parameters())
        bad = [f"weight {name}" for name, p in named if not p.isfinite().all()]
        bad = bad or [f"gradient of {name}" for name, p in named if p.grad is not None and not p.grad.isfinite().all()]
        place = f"step {self.step} of {len(self.schedule)}, stage {phase.stage.name} (sharpness {phase.sharpness:.3g})"
        parts = (
            f"the {what} is {value} at {place}",
            ", ".join(f"{name} {term:.4g}" for name, term in terms.items()),
            f"first not finite: {bad[0]}" if bad else "",
            "a lower train.learning_rate may help",
        )
        raise Diverged("; ".join(part for part in parts if part))

    def _add_to_log(self, phase: Phase, means: Sequence[float]) -> None:
        rate = self.optimizer.param_groups[0]["lr"]
        shown = ["" if math.isnan(value) else f"{value:.5f}" for value in means]
        row = [self.step, phase.stage.name, f"{phase.sharpness:.4f}", f"{rate:.3e}", *shown, f"{self.seconds:.1f}"]
        self.log.append(row)

    def _in_words(self, phase: Phase) -> str:
        text = f"{phase.stage.name}, step {self.step} of {len(self.schedule)}"
        if not self.log:
            return text
        _, _, _, _, loss, *_, right, _ = self.log[-1]
        text = f"{text}: loss {float(loss):.4f}"
        return f"{text}, accuracy {float(right):.1%}" if right else text

    def _save(self) -> None:
        self.folder.save_log(self.log)
        self.folder.save_checkpoint(
            {
                "step": self.step,
                "seconds": self.seconds,
                "log": self.log,
                "row": self._row,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
            }
        )


def _all_but_attention(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that would be trained, but for those of queries and keys."""
    attention = {id(weight) for weight in attention_weights(model)}
    return [weight for weight in model.parameters() if weight.requires_grad and id(weight) not in attention]
