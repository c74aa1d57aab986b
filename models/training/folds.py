"""What the networks of a cross-validation say of people whom they have not seen, pooled."""

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_fea.vision.manifest import Figure
from models.training.data import FOLDS, MAJORITY, picture_names
from models.training.face_threshold import refused_by_others
from models.training.figures import draw_all
from models.training.metrics import (
    Floats,
    Interval,
    Labels,
    fit_temperature,
    share_interval,
    softmax,
)
from models.training.scores import MAJORITY_LABEL, PAPER_FIVE, SETS, Predictions
from models.training.tables import figure_of, figures_of, markdown, percent, report

KDEF = ("frontal", "half")
FIVE_NETWORKS = "the five networks of the cross-validation"
FACE_SETS = ("lfw", *KDEF)
"""What quantize chooses the face check's threshold on, in its order."""
TITLES = {
    "frontal": "KDEF frontal, cross-validated by person",
    "half": "KDEF half profile, cross-validated by person",
    "ferplus": f"{SETS['ferplus']}, {FIVE_NETWORKS}",
    "lfw": f"{SETS['lfw']}, {FIVE_NETWORKS}",
}


class CrossValidation:
    """What the folds in a folder said, pooled."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError where a fold is not done."""
        self.folder = folder
        self.folds = []
        for fold in range(FOLDS):
            with np.load(folder / f"fold{fold}" / "predictions.npz") as stored:
                self.folds.append(dict(stored))

    def kdef_logits(self) -> list[tuple[Floats, Labels]]:
        """int8 logits (n, 7) and truth (n,), of KDEF's frontal pictures and of its half profiles.

        Each of people whom the network that gave them has not seen.
        """
        return [
            (
                np.concatenate([fold[f"{name}.int8"] for fold in self.folds]),
                np.concatenate([fold[f"{name}.truth"] for fold in self.folds]),
            )
            for name in KDEF
        ]

    def kdef_faces(self) -> tuple[Floats, npt.NDArray[np.str_]]:
        """P(face) (n,) of KDEF's pictures, and the people (n,), as ``kdef_logits``."""
        found = [(fold[f"{name}.face"], fold[f"{name}.people"])
                 for fold in self.folds for name in KDEF]  # fmt: skip
        faces, people = zip(*found, strict=True)
        return np.concatenate(faces), np.concatenate(people)

    @cached_property
    def temperatures(self) -> list[float]:
        """For each fold the temperature that the four others would have chosen."""
        return [
            fit_temperature([
                (other[f"{name}.int8"], other[f"{name}.truth"])
                for place, other in enumerate(self.folds) if place != fold
                for name in TITLES
            ])
            for fold in range(FOLDS)
        ]  # fmt: skip

    def pooled(self, name: str) -> Predictions:
        """One set over all folds; calibrated by the temperatures of the other folds.

        Every network has seen the same FER+ and LFW pictures: there each picture, or person, comes
        five times and is redrawn as one.
        """
        parts = []
        for fold, temperature in zip(self.folds, self.temperatures, strict=True):
            people = fold[f"{name}.people"]
            known = np.where(people == "", picture_names(len(people)), people)
            parts.append((known, fold[f"{name}.truth"], fold[f"{name}.groups"], [
                softmax(fold[f"{name}.{kind}"], temperature) for kind in ("int8", "float")
            ]))  # fmt: skip
        people, truth, groups, probabilities = zip(*parts, strict=True)
        int8, full = (np.concatenate(each) for each in zip(*probabilities, strict=True))
        return Predictions(
            np.concatenate(truth),
            np.concatenate(people),
            {"int8": int8, "float": full},
            groups=np.concatenate(groups),
        )

    def sets(self) -> dict[str, Predictions]:
        """All sets by title, with KDEF's five classes of the paper, and FER+'s majority labels."""
        found = {title: self.pooled(name) for name, title in TITLES.items()}
        frontal, ferplus = found[TITLES["frontal"]], found[TITLES["ferplus"]]
        agreed = ferplus.where(ferplus.groups == MAJORITY)
        return {
            **found,
            f"{TITLES['frontal']}, the paper's five classes": frontal.of(PAPER_FIVE),
            f"{MAJORITY_LABEL}, {FIVE_NETWORKS}": agreed,
        }

    def figures(self) -> list[Figure]:
        """The figures of the int8 networks, as ``conclude`` left them, for the manifest.

        Without those on FER+ and LFW: on what is held out there from all networks alike, the one
        that ships has figures of its own.
        """
        results = json.loads((self.folder / "results.json").read_text())
        every = [Figure.model_validate(each) for each in results["figures"]]
        return [figure for figure in every if not figure.data.endswith(FIVE_NETWORKS)]

    def face_check(self) -> dict[str, tuple[Interval, int]]:
        """The shares of false boxes and of true faces that the five checks refuse, and of how many.

        Each work is held out from one of the five. True faces are judged by what the other half
        of the people chose. Those of LFW are the same for all five.
        """
        false, strict, works = [], [], []
        faces: dict[str, list[npt.NDArray[np.bool_]]] = {"KDEF": [], "LFW": []}
        people: dict[str, list[npt.NDArray[np.str_]]] = {"KDEF": [], "LFW": []}
        for fold in self.folds:
            false.append(fold["false.face"] < fold["threshold"])
            strict.append(fold["false.strict"])
            works.append(fold["false.groups"])
            everybody = np.concatenate([fold[f"{name}.people"] for name in FACE_SETS])
            sure = np.concatenate([fold[f"{name}.face"] for name in FACE_SETS])
            refused = refused_by_others(sure, everybody)
            lfw = np.arange(len(refused)) < len(fold["lfw.people"])
            for name, part in (("LFW", lfw), ("KDEF", ~lfw)):
                faces[name].append(refused[part])
                people[name].append(everybody[: len(part)][part])
        refusals, groups, found = (np.concatenate(each) for each in (false, works, strict))
        held_out = "works held out, cross-validated"
        shares = {
            f"boxes without a face that a laxer search finds, {held_out}": (
                refusals, groups, len(refusals)
            ),
            f"boxes without a face that the device's own search finds, {held_out}": (
                refusals[found], groups[found], int(found.sum())
            ),
            **{
                f"true faces of {name}, people held out": (
                    np.concatenate(faces[name]), np.concatenate(people[name]), count
                )
                for name, count in (
                    ("KDEF", sum(map(len, faces["KDEF"]))), ("LFW", len(faces["LFW"][0]))
                )
            },
        }  # fmt: skip
        return {
            title: (share_interval(hits, clusters), count)
            for title, (hits, clusters, count) in shares.items() if count
        }  # fmt: skip


def conclude(found: CrossValidation) -> dict[str, float]:
    """Write results.json, results.md and the plots; the int8 accuracies by set."""
    lines, figures, scores = [], [], {}
    sets = found.sets()
    for title, predictions in sets.items():
        text, each = report(title, predictions)
        lines += [*text, ""]
        figures += figures_of(each["int8"], title)
        scores[title] = {network: score.to_json() for network, score in each.items()}
    checks = found.face_check()
    figures += [
        figure_of(share, title, "share rejected", count) for title, (share, count) in checks.items()
    ]
    folds = [
        [str(place), *(
            f"{100 * np.mean(fold[f'{name}.int8'].argmax(axis=1) == fold[f'{name}.truth']):.1f} %"
            for name in TITLES
        )]
        for place, fold in enumerate(found.folds)
    ]  # fmt: skip
    lines += ["### By fold, accuracy in int8", "", *markdown(["fold", *TITLES], folds)]
    lines += ["", "### Face check", ""]
    lines += [
        f"- {title}: {percent(share)} of {n:,} rejected" for title, (share, n) in checks.items()
    ]
    (found.folder / "results.md").write_text("\n".join(lines) + "\n")
    results = {
        "settings": json.loads((found.folder / "settings.json").read_text()),
        "temperatures": [round(t, 4) for t in found.temperatures],
        "figures": [figure.model_dump() for figure in figures],
        "scores": scores,
    }
    (found.folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    draw_all(sets, found.folder / "figures", "crossvalidated-")
    print("\n".join(lines))
    return {title: round(each["int8"]["accuracy"]["value"], 4) for title, each in scores.items()}
