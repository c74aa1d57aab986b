import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from models.training import average
from models.training.network import build
from tests.models.tiny import TINY

pytestmark = pytest.mark.tensorflow


def left_by_train(folder: Path, seed: int, **differing: object) -> Path:
    folder.mkdir()
    model = build(TINY)
    dice = np.random.default_rng(seed)
    model.set_weights([dice.normal(size=w.shape) for w in model.get_weights()])
    model.save_weights(folder / "last.weights.h5")
    run = {"network": TINY.to_json(), "seed": seed, "fold": "0", "sources": {"drawn": 7}}
    run |= {"folders": {}, "preset": "tiny", "stage": "train", "command": "train", **differing}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_every_weight_is_the_mean(tmp_path: Path) -> None:
    runs = [left_by_train(tmp_path / str(seed), seed) for seed in (1, 2)]
    average.main([*map(str, runs), "--out", str(tmp_path / "mean")])
    first, second, mean = (
        average.load_run(folder, "last.weights.h5")[0].get_weights()
        for folder in (*runs, tmp_path / "mean")
    )
    for one, other, middle in zip(first, second, mean, strict=True):
        np.testing.assert_allclose(middle, (one + other) / 2, atol=1e-6)


def test_people_held_out_from_one_may_not_be_known_to_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [
        left_by_train(tmp_path / "1", 1),
        left_by_train(tmp_path / "2", 2, fold="1"),
    ]
    with pytest.raises(SystemExit, match="2"):
        average.main([*map(str, runs), "--out", str(tmp_path / "mean")])
    assert "another fold" in capsys.readouterr().err


def test_one_network_has_no_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = left_by_train(tmp_path / "1", 1)
    with pytest.raises(SystemExit, match="2"):
        average.main([str(run), "--out", str(tmp_path / "mean")])
    assert "two runs or more" in capsys.readouterr().err
