"""The recipe end to end, on generated pictures: data, training, face head, int8 file, device."""

# ruff: noqa: E402 (the skip must come before the imports that need TensorFlow)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip(
    "tensorflow", reason="TensorFlow is not installed: pip install 'edge-fea[train]'"
)

from edge_fea.vision.classifier import Classifier
from edge_fea.vision.manifest import Manifest
from models.training import train
from models.training.augment import augment
from models.training.convert import Network, to_int8
from models.training.data import collect, fold_of, without_duplicates
from models.training.evaluate import classify
from models.training.face_head import train_head
from models.training.loop import Batches, Trainer
from models.training.metrics import sigmoid, softmax
from models.training.negatives import Negatives, group_of
from models.training.network import (
    NetworkConfig,
    build,
    normalise,
)
from models.training.pattern import check_pattern
from models.training.presets import PRESETS
from models.training.quantize import calibration_crops, make
from models.training.sources import device_crops
from models.training.train import predict, validator
from tests.models.tiny import SIZE, STAGE, TINY, drawn_faces, drawn_walls

WHERE = [(2, 2), (74, 40), (57, 50), (110, 74), (135, 74)]
GREYS = [35, 173, 76, 104, 175]

pytestmark = [
    pytest.mark.tensorflow,
    # TensorFlow and its dependencies warn of their own affairs.
    pytest.mark.filterwarnings("default"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, dict[str, float]]:
    tf.keras.utils.set_random_seed(3)
    trainer = Trainer(build(TINY), STAGE, tmp_path_factory.mktemp("run"), seed=3)
    valid = {"ferplus": drawn_faces(70, seed=2)}
    batches = Batches({"drawn": drawn_faces(280, seed=1)}, STAGE, seed=3)
    figures = trainer.run(batches, validator(valid, SIZE), lambda _: None)
    trainer.take_average()
    return trainer, figures


def test_a_few_steps_learn_what_tells_the_patterns_apart(trained):
    _, figures = trained
    assert figures["ferplus"] > 0.5


def test_int8_file_runs_in_the_devices_classifier_and_agrees_with_float(trained, tmp_path: Path):
    model = trained[0].model
    walls = drawn_walls(80)
    train, valid = drawn_faces(140, seed=1), {"ferplus": drawn_faces(70, seed=2)}
    train_head(model, [train], walls, count=640, seed=1, steps=900)
    run = {"seed": 3, "fold": "none", "command": "python -m models.training.train --out RUNS"}
    calibration = calibration_crops({"drawn": train}, walls, SIZE, count=40, seed=1)
    manifest = make(
        model, TINY, run, ["drawn"], calibration, valid, walls, "tiny", tmp_path, mirrored=True
    )

    classifier = Classifier(tmp_path / "tiny.json")
    probabilities, faces = classify(classifier, valid["ferplus"])
    crops = device_crops(valid["ferplus"], SIZE)
    same = probabilities.argmax(axis=1) == predict(model, crops, mirrored=True).argmax(axis=1)
    # What the figures in the manifest are of is what the device's classifier gives.
    plain = Network((tmp_path / "tiny.tflite").read_bytes(), mirrored=True).run(crops)
    np.testing.assert_allclose(
        softmax(plain.logits, manifest.temperature), probabilities, atol=1e-6
    )
    np.testing.assert_allclose(sigmoid(plain.face), faces, atol=1e-6)

    assert same.mean() >= 0.9
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert np.mean(faces >= manifest.face_check.threshold) > 0.9
    assert manifest.face_check.false_accept < 0.5
    assert classifier.self_check() <= 0.01
    assert manifest.outputs.attention is not None
    assert Manifest.read(tmp_path / "tiny.json") == manifest


def test_the_face_head_leaves_the_seven_classes_as_they_were(trained):
    model = trained[0].model
    crops = normalise(device_crops(drawn_faces(14, seed=4), SIZE))
    before = np.asarray(model(crops, training=False)["logits"])
    train_head(model, [drawn_faces(70, seed=1)], drawn_walls(40), count=64, seed=2, steps=10)
    assert np.array_equal(np.asarray(model(crops, training=False)["logits"]), before)


def weights_of_eight_steps(folder: Path, stops_after_four: bool = False) -> np.ndarray:
    stage = replace(STAGE, steps=8, validate_every=4)
    crops = {"drawn": drawn_faces(70, seed=1)}
    reports: list[str] = []

    def report(line: str) -> None:
        reports.append(line)
        if stops_after_four and len(reports) == 1:
            raise KeyboardInterrupt

    tf.keras.utils.set_random_seed(1)
    trainer = Trainer(build(TINY), stage, folder, seed=1)
    try:
        trainer.run(Batches(crops, stage, 1), lambda _: {"score": 0.0}, report)
    except KeyboardInterrupt:
        tf.keras.utils.set_random_seed(99)
        trainer = Trainer(build(TINY), stage, folder, seed=1)
        assert trainer.resume()
        assert trainer.progress.step == 4
        trainer.run(Batches(crops, stage, 1), lambda _: {"score": 0.0}, lambda _: None)
    return np.concatenate([w.numpy().ravel() for w in trainer.model.weights])


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return weights_of_eight_steps(tmp_path_factory.mktemp("uninterrupted"))


def test_the_same_seed_gives_the_same_weights(uninterrupted: np.ndarray, tmp_path: Path):
    np.testing.assert_allclose(weights_of_eight_steps(tmp_path), uninterrupted, atol=1e-5)


def test_a_stopped_run_goes_on_where_it_was(uninterrupted: np.ndarray, tmp_path: Path):
    resumed = weights_of_eight_steps(tmp_path, stops_after_four=True)
    np.testing.assert_allclose(resumed, uninterrupted, atol=1e-5)


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    crops = {"drawn": drawn_faces(70, seed=1)}
    first, again = Batches(crops, STAGE, 1), Batches(crops, STAGE, 1)
    again.batch(0)
    assert np.array_equal(first.batch(3)[0], again.batch(3)[0])
    assert not np.array_equal(first.batch(3)[0], first.batch(4)[0])
    assert not np.array_equal(first.batch(3)[0], Batches(crops, STAGE, 2).batch(3)[0])


def test_a_run_refuses_the_state_of_another(tmp_path: Path):
    stage = replace(STAGE, steps=1, validate_every=1)
    batches = Batches({"drawn": drawn_faces(14, seed=1)}, stage, 1)
    trainer = Trainer(build(TINY), stage, tmp_path, seed=1)
    trainer.run(batches, lambda _: {"score": 0.0}, lambda _: None)
    with pytest.raises(ValueError, match="belongs to another run"):
        Trainer(build(TINY), stage, tmp_path, seed=2).resume()
    with pytest.raises(ValueError, match="fold None, not 1"):
        Trainer(build(TINY), stage, tmp_path, seed=1, told={"fold": "1"}).resume()


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_stage_of_every_preset_takes_a_step(name: str, tmp_path: Path):
    for stage in PRESETS[name].stages:
        first = replace(stage.quick(1), size=SIZE, shares={"drawn": 1.0}, batch=4)
        trainer = Trainer(build(TINY), first, tmp_path / stage.name, seed=1)
        before = trainer.model.get_weights()
        batches = Batches({"drawn": drawn_faces(14, seed=1)}, first, 1)
        trainer.run(batches, lambda _: {"score": 0.0}, lambda _: None)
        after = trainer.model.get_weights()
        assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_every_option_about_the_network_is_heeded():
    words = "--convolutions 4 --attention cam --head flatten --channels 3 --pools 2"
    options = train.parser().parse_args(["--out", "../runs", *words.split(), "--widths", "8,8,8,8"])
    assert train._network(NetworkConfig(), options) == NetworkConfig(
        convolutions=4, attention="cam", head="flatten", channels=3, pools=2, widths=(8, 8, 8, 8)
    )


def test_grey_values_enter_the_file_as_they_are():
    crops = drawn_faces(8, seed=1).images[:, 4:36, 4:36, None]
    network = Network(to_int8(build(TINY), TINY, crops))
    scale, zero_point = network.input_quantization
    assert (scale, zero_point) == (pytest.approx(1 / 128), 128)


def test_grey_and_colour_go_into_one_batch_of_a_network_for_colours():
    grey = drawn_faces(14, seed=1)
    colour = replace(grey, images=np.repeat(grey.images[..., None], 3, axis=3))
    stage = replace(STAGE, shares={"grey": 0.5, "colour": 0.5})
    crops, _ = Batches({"grey": grey, "colour": colour}, stage, 1, channels=3).batch(0)
    assert crops.shape == (STAGE.batch, SIZE, SIZE, 3)
    with pytest.raises(ValueError, match="3 channels for a network of 1"):
        Batches({"grey": grey, "colour": colour}, stage, 1).batch(0)


def test_augmentation_does_the_same_to_each_channel_but_for_noise():
    picture = drawn_faces(1, seed=1).images[0]
    strength = replace(STAGE.strength, noise=0.0, dark=0.0, occlusion=1.0)
    for seed in range(5):
        grey = augment(picture, 0.125, SIZE, np.random.default_rng(seed), strength)
        three = np.repeat(picture[..., None], 3, axis=2)
        colour = augment(three, 0.125, SIZE, np.random.default_rng(seed), strength)
        for channel in range(3):
            np.testing.assert_allclose(colour[..., channel].astype(int), grey, atol=1)


def test_duplicates_stay_on_the_held_out_side():
    train, held = drawn_faces(20, seed=1), drawn_faces(20, seed=2)
    mixed = collect(
        [*train.images, train.images[0], held.images[3]], [*train.targets, *held.targets[:2]]
    )
    assert len(without_duplicates(mixed, held_out=held)) == 20


def test_folds_are_by_person_equal_and_balanced_by_sex():
    people = np.asarray([f"{sex}{n:02d}" for sex in "FM" for n in range(1, 31)] * 2)
    folds = fold_of(people)
    assert all(len(set(folds[people == name].tolist())) == 1 for name in people)
    for fold in range(5):
        names = set(people[folds == fold].tolist())
        assert sum(name.startswith("F") for name in names) == 6
        assert len(names) == 12


def test_each_work_is_held_out_from_one_fold_and_its_repetitions_are_one():
    walls = drawn_walls(50)
    held = np.sum([walls.held_out(str(fold)) for fold in range(5)], axis=0)
    assert held.tolist() == [1] * 50
    twice = Negatives(
        np.concatenate([walls.images[:6], walls.images[:6]]),
        np.concatenate([walls.groups[:6], walls.groups[:6]]),
        np.arange(12) >= 6, walls.margin,
    )  # fmt: skip
    distinct = twice.distinct()
    assert len(distinct) == 6
    assert distinct.strict.all(), "what the device finds stays"


def test_variants_of_one_wallpaper_are_one_group():
    assert group_of(Path("wallpapers/Altai/contents/images/1080x1920.png")) == "Altai"
    assert group_of(Path("a/Elephants_3840x2160.jpg")) == group_of(Path("a/Elephants.jpg"))
    assert group_of(Path("wood-l.webp")) == group_of(Path("wood-d.webp")) == "wood"


def test_the_check_pattern_is_the_same_everywhere():
    pattern = check_pattern(148)
    assert (pattern.shape, pattern.dtype) == ((148, 148), np.uint8)
    # A corner, a cheek, an eye, the mouth, the chin.
    assert [int(pattern[row, column]) for row, column in WHERE] == GREYS
