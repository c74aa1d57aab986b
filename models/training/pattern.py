"""The drawn face of the self-check: by formula, nobody's."""

import numpy as np
import numpy.typing as npt

from models.training.convert import Network
from models.training.metrics import softmax


def check_pattern(size: int, smile: float = 0.5, gape: float = 0.07) -> npt.NDArray[np.uint8]:
    """A round head with two eyes and a mouth, by formula; nobody's face. For the self-check.

    ``smile`` bends the mouth (below 0 its corners hang), ``gape`` is half its height.
    """
    rows, columns = (np.mgrid[:size, :size] / (size - 1) - 0.5) * 2

    def blob(x: float, y: float, wide: float, high: float) -> npt.NDArray[np.float64]:
        return np.asarray(np.exp(-(((columns - x) / wide) ** 2) - ((rows - y) / high) ** 2))

    head = 1 / (1 + np.exp(12 * (columns**2 / 0.62 + rows**2 / 0.95 - 1)))
    eyes = blob(-0.32, -0.22, 0.14, 0.08) + blob(0.32, -0.22, 0.14, 0.08)
    brows = blob(-0.33, -0.42, 0.2, 0.05) + blob(0.33, -0.42, 0.2, 0.05)
    mouth = np.exp(-(((rows - 0.52 + smile * columns**2) / gape) ** 2)) * blob(0, 0.5, 0.34, 1.0)
    values = 50 + 130 * head - 100 * eyes - 60 * brows - 85 * mouth + 15 * columns
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def steadiest_pattern(network: Network, size: int, temperature: float) -> npt.NDArray[np.uint8]:
    """The check pattern of whose expression the network is surest.

    Runtimes round differently, by a unit or two of int8: where two labels are close to each other
    that moves the probabilities by several hundredths, and a sound machine might fail the check.
    """
    mouths = [(smile, gape) for smile in (-1.0, 0.0, 0.5, 1.0, 1.5) for gape in (0.05, 0.1, 0.2)]
    patterns = np.stack([check_pattern(size, smile, gape) for smile, gape in mouths])
    sure = softmax(network.run(patterns[..., None]).logits, temperature).max(axis=1)
    return np.asarray(patterns[int(sure.argmax())], np.uint8)
