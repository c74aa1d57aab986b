"""Named training plans: which data, in which order, at which size, with which settings."""

from dataclasses import dataclass, field, replace

from models.training.augment import NONE, Strength
from models.training.network import NetworkConfig


@dataclass(frozen=True)
class Stage:
    """One stretch of training at one input size.

    ``shares`` is how often each source is drawn from. ``balance`` evens out the labels within a
    source: a picture is drawn in proportion to its label's count to the power of minus this, so 0
    leaves the source as it is and 1 makes all labels equally frequent. ``rate`` is the highest
    learning rate: it rises over ``warmup`` steps and falls by a half cosine to ``rate_end``.
    ``smoothing`` spreads that much of each target evenly over the labels. ``clip`` is the most that
    a weight's gradient may measure (its Euclidean norm); None leaves gradients alone.
    """

    name: str
    size: int
    steps: int
    shares: dict[str, float]
    batch: int = 32
    rate: float = 1e-3
    rate_end: float = 2e-5
    warmup: int = 100
    balance: float = 0.5
    smoothing: float = 0.05
    weight_decay: float = 1e-3
    clip: float | None = 2.0
    ema: float = 0.998
    strength: Strength = field(default_factory=Strength)
    validate_every: int = 500

    def quick(self, steps: int) -> "Stage":
        """The same for ``steps`` steps only."""
        return replace(self, steps=steps, validate_every=max(1, min(steps, self.validate_every)))


@dataclass(frozen=True)
class Preset:
    """A network and the stages that make it."""

    about: str
    stages: tuple[Stage, ...]
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def stage(self, name: str) -> Stage:
        """A stage by name. Raises ValueError naming those there are."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise ValueError(f"no stage {name!r}: there are {[s.name for s in self.stages]}")


WILD = {"ferplus": 0.85, "lfw": 0.15}
ALL = {"kdef": 0.5, "ferplus": 0.4, "lfw": 0.1}

MILD = Strength(
    light=0.6, ramp=0.12, dark=0.06, over=0.06, occlusion=0.2, coarse=0.2, blur=0.1, noise=0.2
)
"""A sick-room's light, noise, blur and hands, each in a fifth of the crops or fewer."""

NIGHT = replace(MILD, infrared=0.06)
"""The same, and now and then a face by infrared light."""

_FINETUNE = Stage(
    "finetune-80", 80, 1500, ALL, rate=6e-4, ema=0.995, strength=MILD, validate_every=500
)

PRESETS = {
    "ship": Preset(
        "what ships: web pictures, from small to full size, then KDEF too",
        (
            # FER2013 pictures have 48 pixels: more cost time and add nothing at first.
            Stage("pretrain-48", 48, 7000, WILD, rate=1.5e-3, warmup=200),
            Stage("pretrain-64", 64, 800, WILD, rate=6e-4, validate_every=800),
            Stage("pretrain-74", 74, 14000, WILD, rate=1.2e-3, warmup=200, strength=MILD),
            Stage("pretrain-80", 80, 8000, WILD, rate=8e-4, strength=MILD),
            # Once more from a high rate, with larger batches: bfloat16 made that affordable.
            Stage("continue-80", 80, 8000, WILD, batch=64, rate=1e-3, strength=NIGHT),
            _FINETUNE,
        ),
        NetworkConfig(size=80, pools=4),
    ),
    # Wider from the third layer on, where maps are small: 2.4 times the parameters and 1.6 times
    # the multiply-accumulates. It begins as a widened copy of the one above.
    "wide": Preset(
        "the option: as ship, with wider layers behind",
        (
            Stage("pretrain-80", 80, 5000, WILD, rate=8e-4, strength=NIGHT),
            replace(_FINETUNE, strength=NIGHT),
        ),
        NetworkConfig(size=80, pools=4, widths=(32, 64, 128, 192, 256, 320)),
    ),
    # One stage at one size: with flatten, weights cannot go from a size to another. At 64 pixels
    # the last map has 4 x 4 places, so that there is something for spatial attention to choose.
    "ablation": Preset(
        "one equal budget for every row of the ablation, from random weights",
        (
            Stage(
                "train",
                64,
                1500,
                {"kdef": 0.5, "ferplus": 0.4, "lfw": 0.1},
                ema=0.995,
                strength=MILD,
                validate_every=1500,
            ),
        ),
        NetworkConfig(size=80, pools=4),
    ),
    # Adam, mini-batches of 32, 100 epochs, a learning rate of 1e-5, categorical cross-entropy;
    # KDEF only, as it is. 48 people give about 1,900 pictures, so an epoch is 60 steps.
    "paper": Preset(
        "the hyper-parameters that the paper states, on KDEF, without augmentation",
        (
            Stage(
                "train",
                148,
                6000,
                {"kdef": 1.0},
                batch=32,
                rate=1e-5,
                rate_end=1e-5,
                warmup=0,
                balance=0.0,
                smoothing=0.0,
                weight_decay=0.0,
                clip=None,
                ema=0.0,
                strength=NONE,
                validate_every=300,
            ),
        ),
    ),
}
