"""The commands from end to end, on a tiny copy of the data: train, cross-validate, ablate."""

import csv
import importlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

pytest.importorskip(
    "tensorflow", reason="TensorFlow is not installed: pip install 'edge-fea[train]'"
)

from edge_fea.vision.manifest import Manifest
from models.training import (
    ablation,
    crossvalidate,
    data,
    evaluate,
    experiments,
    face_head,
    folds,
    negatives,
    quantize,
    train,
)
from models.training.experiments import read
from models.training.network import build
from models.training.presets import PRESETS, Preset
from tests.models.tiny import SIZE, STAGE, TINY, drawn_walls

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]

SHARES = {"kdef": 0.5, "ferplus": 0.3, "lfw": 0.2}
STEPS = replace(STAGE, name="train", steps=3, shares=SHARES, batch=8, validate_every=3)


def in_this_process(module: str, arguments: Sequence[object], log: Path) -> None:
    """Stands where driver.run stands: importing TensorFlow ten times over would take minutes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        out.write(f"{module}\n")
    few = ["--count", "40", "--steps", "5"] if module == "face_head" else []
    named = importlib.import_module(f"models.training.{module}")
    named.main([*map(str, arguments), *few])


@pytest.fixture(scope="module", autouse=True)
def _tiny(small_data: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_FEA_DATA", str(small_data))
        for name in ("tiny", "ablation"):
            patch.setitem(PRESETS, name, Preset("for tests", (STEPS,), TINY))
        patch.setattr(ablation, "DEVICE_SIZE", SIZE)
        for module in (crossvalidate, ablation):
            patch.setattr(module, "run", in_this_process)
        # KDEF has four people here: two folds of two.
        for module in (data, crossvalidate, folds):
            patch.setattr(module, "FOLDS", 2)
        # Plots take seconds, and evaluate's test draws them.
        patch.setattr(folds, "draw_all", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for runs, with start weights, false boxes, and a cache that the tests share."""
    folder = tmp_path_factory.mktemp("runs")
    drawn_walls(60).save(folder / "negatives.npz")
    build(TINY).save_weights(folder / "start.weights.h5")
    return folder


def cross_validate(place: Path, *more: str) -> None:
    words = ["--preset", "tiny", "--stage", "train", "--start", place / "start.weights.h5"]
    words += ["--negatives", place / "negatives.npz", "--cache", place / "cache"]
    words += ["--out", place / "cv", "--log", place / "cv.csv", *more]
    crossvalidate.main([*map(str, words)])


@pytest.fixture(scope="module")
def crossvalidated(place: Path) -> Path:
    """A cross-validation that was stopped after its first fold, and went on."""
    cross_validate(place, "--folds", "0")
    assert not (place / "cv" / "results.json").exists()
    cross_validate(place)
    return place / "cv"


def test_cross_validation_holds_every_person_out_once(crossvalidated: Path) -> None:
    pooled = folds.CrossValidation(crossvalidated).pooled("frontal")
    assert sorted(pooled.people.tolist()) == sorted(["F01", "F02", "M01", "M02"] * 7)


def test_cross_validation_goes_on_where_it_stopped(place: Path, crossvalidated: Path) -> None:
    assert (crossvalidated / "fold0" / "log.txt").read_text().split() == [
        "train", "face_head", "quantize",
    ]  # fmt: skip
    assert [row["what"] for row in read(place / "cv.csv")] == [
        "train tiny/train", "train tiny/train", "evaluate cross-validation",
    ]  # fmt: skip


def test_cross_validation_writes_figures_for_the_manifest_and_tables_for_the_card(
    crossvalidated: Path,
) -> None:
    results = json.loads((crossvalidated / "results.json").read_text())
    assert "KDEF frontal, cross-validated by person" in results["scores"]
    assert all(0 <= figure["value"] <= 1 for figure in results["figures"])
    assert "### By fold" in (crossvalidated / "results.md").read_text()


def test_cross_validation_refuses_to_pool_two_settings(place: Path, crossvalidated: Path) -> None:
    assert crossvalidated.is_dir()
    with pytest.raises(SystemExit, match=r"other settings \(seed\)"):
        cross_validate(place, "--seed", "2")


def test_a_network_of_everybody_carries_the_cross_validated_figures(
    place: Path, crossvalidated: Path
) -> None:
    common = ["--cache", str(place / "cache")]
    stage = place / "all" / "train"
    shutil.copytree(crossvalidated / "fold0" / "train", stage)
    run = json.loads((stage / "run.json").read_text())
    (stage / "run.json").write_text(json.dumps(run | {"fold": "none"}))
    quantize.main([
        "--run", str(stage), "--negatives", str(place / "negatives.npz"),
        "--to", str(place / "made"), "--name", "tiny", "--cross-validated", str(crossvalidated),
        *common,
    ])  # fmt: skip
    manifest = Manifest.read(place / "made" / "tiny.json")
    assert any(
        figure.data == "KDEF frontal, cross-validated by person" for figure in manifest.figures
    )
    assert not any("people held out" in f.data and "KDEF frontal" in f.data
                   for f in manifest.figures)  # fmt: skip
    # What the network itself can be measured on stands there once.
    assert sum(f.data == "FER+ valid, majority label" and f.measure == "accuracy"
               for f in manifest.figures) == 1  # fmt: skip


def test_a_network_is_scored_on_the_people_whom_its_manifest_leaves_out(
    place: Path, crossvalidated: Path
) -> None:
    common = ["--cache", str(place / "cache")]
    fold = crossvalidated / "fold0"
    evaluate.main([
        "--manifest", str(fold / "fold-int8.json"),
        "--run", str(fold / "train"), "--weights", "last.weights.h5",
        "--negatives", str(place / "negatives.npz"), "--classes", "happy,sad,neutral",
        "--figures", str(place / "figures"), "--json", str(place / "figures.json"),
        "--log", str(place / "log.csv"), *common,
    ])  # fmt: skip
    figures = json.loads((place / "figures.json").read_text())
    frontal = figures["KDEF frontal, people held out"]
    assert set(frontal) == {"int8", "float"}
    assert len(frontal["int8"]["table"]) == 3
    assert {file.name for file in (place / "figures").iterdir()} == {
        "confusion.svg", "reliability.svg", "roc.svg",
    }  # fmt: skip
    assert read(place / "log.csv")[-1]["what"] == "evaluate fold-int8"
    assert "frontal_int8=" in read(place / "log.csv")[-1]["figures"]


def test_own_pictures_alone_train_a_network_and_a_tenth_of_the_people_is_held_out(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_FEA_DATA", str(tmp_path / "nothing"))
    for label in ("happy", "sad"):
        for person in range(12):
            folder = tmp_path / "wards" / label / f"P{person}"
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / "a.png"), np.clip(portrait + person, 0, 255).astype(np.uint8))
    alone = [word for name in SHARES for word in ("--share", f"{name}=0")]
    train.main([
        "--preset", "tiny", "--fold", "none", "--folder", f"wards={tmp_path / 'wards'}",
        "--share", "wards=1", *alone, "--out", str(tmp_path / "out"),
        "--log", str(tmp_path / "log.csv"), "--steps", "1",
    ])  # fmt: skip
    (row,) = read(tmp_path / "log.csv")
    assert "wards=" in row["figures"]
    assert str(tmp_path) not in row["command"]
    # Eleven people to learn from, one to be measured on; what is the same picture counts once.
    stage = tmp_path / "out" / "train"
    assert json.loads((stage / "run.json").read_text())["sources"] == {"wards": 11}

    # The rest of the way knows these pictures too, and no others.
    drawn_walls(60).save(tmp_path / "walls.npz")
    shared = ["--run", str(stage), "--negatives", str(tmp_path / "walls.npz")]
    shared += ["--cache", str(tmp_path / "cache")]
    face_head.main([*shared, "--count", "20", "--steps", "2"])
    quantize.main([*shared, "--name", "wards", "--to", str(tmp_path)])
    manifest = Manifest.read(tmp_path / "wards.json")
    assert manifest.training.data == ["own pictures: wards"]
    assert "--folder wards=" in manifest.training.command
    assert str(tmp_path) not in manifest.training.command
    assert {figure.data for figure in manifest.figures if figure.measure == "accuracy"} == {"wards"}


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        (train, "--stage nonsense", "no stage 'nonsense'"),
        (train, "--share kdef=abc", "NAME=WEIGHT such as kdef=0.3"),
        (train, "--share wrds=0.5", "no source wrds: there are kdef, ferplus, lfw"),
        (train, "--share kdef=0 --share ferplus=0 --share lfw=0", "every --share is 0"),
        (train, "--folder wards=.", "Give --share wards=WEIGHT"),
        (train, "--folder wards=/nowhere", "no folder /nowhere"),
        (train, "--widths a,b", "whole numbers such as 32,64,96"),
        (train, "--convolutions 9", "invalid choice: 9"),
        (train, "--start nowhere.weights.h5", "no file nowhere"),
        (train, "--cache models", "lies inside the repository"),
        (crossvalidate, "--folds 9", "of 0 to 4"),
        (evaluate, "--manifest pyproject.toml --classes angry,foo", "two or more of angry,disgust"),
        (evaluate, "--manifest pyproject.toml", "manifest pyproject.toml"),
        (quantize, "--run nowhere", "no folder nowhere"),
        (negatives, "nowhere --out x.npz", "no folder nowhere"),
        (experiments, "nowhere", "no folder nowhere"),
    ],
)  # fmt: skip
def test_wrong_words_are_refused_in_a_line(
    module: ModuleType, words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if module is train else []
    with pytest.raises(SystemExit) as refused:
        module.main([*words.split(), *out])
    assert refused.value.code == 2
    assert message in capsys.readouterr().err


def test_one_out_is_for_one_fold(place: Path, tmp_path: Path, capsys) -> None:
    words = ["--preset", "tiny", "--out", str(tmp_path / "out"), "--cache", str(place / "cache")]
    words += ["--log", str(tmp_path / "log.csv"), "--steps", "1"]
    train.main([*words, "--fold", "0"])
    before = (tmp_path / "out" / "train" / "run.json").read_text()
    with pytest.raises(SystemExit):
        train.main([*words, "--fold", "1"])
    assert "belongs to another run (fold 0, not 1)" in capsys.readouterr().err
    assert (tmp_path / "out" / "train" / "run.json").read_text() == before


def test_the_ablation_measures_each_row_and_does_none_twice(place: Path) -> None:
    words = ["--out", str(place / "ablation"), "--cache", str(place / "cache"), "--runs", "3"]
    words += ["--log", str(place / "log.csv"), "--only", "cbam,rgb"]
    ablation.main(words)
    ablation.main(words)
    with (place / "ablation" / "ablation.csv").open(newline="") as file:
        whole, colour = csv.DictReader(file)
    assert (whole["variant"], colour["variant"]) == ("cbam", "rgb")
    assert int(colour["multiply_accumulates"]) > int(whole["multiply_accumulates"])
    assert 0 <= float(colour["kdef_int8_value"]) <= 1
    assert (place / "ablation" / "rgb" / "log.txt").read_text().split() == ["train"]
    assert "94.2 %" in (place / "ablation" / "ablation.md").read_text()
