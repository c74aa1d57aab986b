"""The training loop: draws, augments, steps, averages, validates, and can go on where it stopped.

Batch number n of a stage depends on the seed and n alone, so a run that was stopped and resumed
sees the same pictures as one that was not.
"""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge_fea.emotions import LABELS
from models.training.augment import augment
from models.training.data import Crops, as_input
from models.training.network import normalise
from models.training.presets import Stage

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
Report = Callable[[str], None]
Validate = Callable[[keras.Model], dict[str, float]]


class Batches:
    """Draws augmented batches; the same ``seed`` and number give the same batch."""

    def __init__(
        self, sources: dict[str, Crops], stage: Stage, seed: int, channels: int = 1
    ) -> None:
        missing = sorted(set(stage.shares) - set(sources))
        if missing:
            raise ValueError(f"stage {stage.name} wants data that are not given: {missing}")
        self._sources = [sources[name].shrunk(stage.size) for name in stage.shares]
        shares = np.array([stage.shares[name] for name in stage.shares])
        self._source_ends = np.cumsum(shares / shares.sum())
        self._ends = [np.cumsum(_chances(crops, stage.balance)) for crops in self._sources]
        self._stage = stage
        self._seed = seed
        self._channels = channels

    def batch(self, number: int) -> Batch:
        """Batch ``number``: uint8 (b, size, size, channels) and float32 (b, 7)."""
        stage = self._stage
        rng = np.random.default_rng([self._seed, number])
        images, targets = [], []
        for source in np.searchsorted(self._source_ends, rng.random(stage.batch), side="right"):
            crops = self._sources[min(source, len(self._sources) - 1)]
            ends = self._ends[min(source, len(self._sources) - 1)]
            place = min(int(np.searchsorted(ends, rng.random(), side="right")), len(crops) - 1)
            crop = augment(crops.images[place], crops.margin, stage.size, rng, stage.strength)
            images.append(as_input(crop[None], self._channels)[0])
            targets.append(crops.targets[place])
        smooth = stage.smoothing
        soft = np.stack(targets) * (1 - smooth) + smooth / len(LABELS)
        return np.stack(images), soft.astype(np.float32)

    def stream(self, first: int, last: int) -> Iterator[Batch]:
        """Batches ``first`` up to but not ``last``, prepared ahead in one thread."""
        with ThreadPoolExecutor(1) as worker:
            ahead: deque[Future[Batch]] = deque()
            for number in range(first, last):
                ahead.append(worker.submit(self.batch, number))
                if len(ahead) > 4:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def _chances(crops: Crops, balance: float) -> npt.NDArray[np.float64]:
    # A soft label counts for each label by its share.
    counts = crops.targets.sum(axis=0).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1.0), 1.0) ** -balance
    chances = np.asarray(crops.targets, np.float64) @ weights
    return np.asarray(chances / chances.sum())


def rate_at(stage: Stage, step: int) -> float:
    """The learning rate: a linear rise, then a half cosine down to ``rate_end``."""
    if step < stage.warmup:
        return stage.rate * (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.rate_end + (stage.rate - stage.rate_end) * (1 + math.cos(math.pi * done)) / 2


@dataclass
class Progress:
    """How far a stage has come, and the best validation so far."""

    step: int = 0
    best: float = -1.0
    seconds: float = 0.0


class Trainer:
    """Trains ``model`` through one stage, with an exponential moving average of its weights.

    The average, batch statistics included, is what is validated and kept. ``folder`` receives
    ``state.npz`` (everything that is needed to go on), ``best.weights.h5`` and
    ``last.weights.h5`` (averaged), and ``log.csv``.
    """

    def __init__(
        self,
        model: keras.Model,
        stage: Stage,
        folder: Path,
        seed: int,
        told: Mapping[str, object] | None = None,
    ) -> None:
        """``told`` is whatever else a run must have in common with the state it takes up."""
        self.model, self.stage, self.folder, self.seed = model, stage, folder, seed
        self._told = dict(told or {})
        self.progress = Progress()
        folder.mkdir(parents=True, exist_ok=True)
        self._trained = [v for v in model.trainable_variables if not _is_face(v.path)]
        self._optimizer = keras.optimizers.AdamW(
            stage.rate, weight_decay=stage.weight_decay, clipnorm=stage.clip
        )
        # Scales and shifts of normalization, and biases, are not pulled towards zero.
        self._optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        self._optimizer.build(self._trained)
        self._average = [tf.Variable(w, trainable=False) for w in model.weights]
        self._step = tf.function(self._one_step)

    def _one_step(self, crops: tf.Tensor, targets: tf.Tensor, decay: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self.model(normalise(crops), training=True)["logits"]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, self._trained)
        self._optimizer.apply(gradients)
        for mean, weight in zip(self._average, self.model.weights, strict=True):
            mean.assign(decay * mean + (1 - decay) * weight)
        return loss

    def run(self, batches: Batches, validate: Validate, report: Report) -> dict[str, float]:
        """Go on from the step reached to the stage's last; the last validation's figures.

        ``validate`` gets the averaged network and gives named figures; "score" decides which
        weights are the best.
        """
        stage, progress, figures = self.stage, self.progress, {}
        began, losses = time.monotonic() - progress.seconds, []
        for crops, targets in batches.stream(progress.step, stage.steps):
            self._optimizer.learning_rate = rate_at(stage, progress.step)
            # A young average follows quickly, or it would remember the first random weights.
            decay = min(stage.ema, (1 + progress.step) / (10 + progress.step))
            decayed = tf.constant(decay if stage.ema else 0.0, tf.float32)
            losses.append(float(self._step(tf.constant(crops), tf.constant(targets), decayed)))
            progress.step += 1
            progress.seconds = time.monotonic() - began
            if progress.step % stage.validate_every == 0 or progress.step == stage.steps:
                figures = self.averaged(validate)
                self._keep(figures)
                line = {
                    "stage": stage.name,
                    "step": progress.step,
                    "seconds": round(progress.seconds),
                    "loss": round(float(np.mean(losses)), 4),
                    "rate": f"{rate_at(stage, progress.step - 1):.2e}",
                    **{name: round(value, 4) for name, value in figures.items()},
                }
                losses = []
                self._log(line)
                report("  ".join(f"{name} {value}" for name, value in line.items()))
        return figures

    def averaged(self, use: Callable[[keras.Model], dict[str, float]]) -> dict[str, float]:
        """What ``use`` gives for the model with averaged weights; the raw ones are put back."""
        raw = [w.numpy() for w in self.model.weights]
        self.take_average()
        try:
            return use(self.model)
        finally:
            for weight, value in zip(self.model.weights, raw, strict=True):
                weight.assign(value)

    def take_average(self) -> None:
        """Put the averaged weights into the model, for good."""
        for weight, mean in zip(self.model.weights, self._average, strict=True):
            weight.assign(mean)

    def resume(self) -> bool:
        """Take up the state in ``folder``; False where there is none.

        Raises ValueError where it is that of a run that was told something else.
        """
        file = self.folder / "state.npz"
        if not file.is_file():
            return False
        with np.load(file) as stored:
            known = json.loads(str(stored["meta"]))
            wanted = self._meta()
            for key in ("stage", "seed", *self._told):
                differs = _difference(key, known.get(key), wanted[key])
                if differs:
                    raise ValueError(
                        f"{file} belongs to another run ({differs}): give another --out, or "
                        "remove it"
                    )
            for place, variable in enumerate(self._state()):
                variable.assign(stored[f"v{place}"])
            self.progress = Progress(**known["progress"])
        return True

    def _keep(self, figures: dict[str, float]) -> None:
        self.averaged(lambda model: _save(model, self.folder / "last.weights.h5"))
        if figures.get("score", 0.0) > self.progress.best:
            self.progress.best = figures.get("score", 0.0)
            self.averaged(lambda model: _save(model, self.folder / "best.weights.h5"))
        # Written aside and renamed: a run that is stopped while writing keeps the state before.
        partial = self.folder / "state.partial.npz"
        values = {f"v{place}": v.numpy() for place, v in enumerate(self._state())}
        np.savez(partial, meta=json.dumps(self._meta()), **values)
        partial.replace(self.folder / "state.npz")

    def _state(self) -> list[tf.Variable]:
        # model.variables holds the dropout's random state too, model.weights does not.
        return [
            *(v.value for v in self.model.variables),
            *(v.value for v in self._optimizer.variables),
            *self._average,
        ]

    def _meta(self) -> dict[str, object]:
        plain = {"stage": asdict(self.stage), "seed": self.seed, **self._told}
        return {**json.loads(json.dumps(plain)), "progress": asdict(self.progress)}

    def _log(self, line: dict[str, object]) -> None:
        file = self.folder / "log.csv"
        head = "" if file.is_file() else ",".join(line) + "\n"
        with file.open("a") as out:
            out.write(head + ",".join(str(value) for value in line.values()) + "\n")


def _difference(name: str, known: object, wanted: object) -> str:
    if isinstance(known, dict) and isinstance(wanted, dict):
        parts = (
            _difference(f"{name}.{key}", known.get(key), wanted.get(key))
            for key in sorted(known | wanted)
        )
        return next((part for part in parts if part), "")
    return "" if known == wanted else f"{name} {known}, not {wanted}"


def _is_face(path: str) -> bool:
    return path.split("/")[0] in ("face", "face_hidden")


def _save(model: keras.Model, file: Path) -> dict[str, float]:
    model.save_weights(file)
    return {}
