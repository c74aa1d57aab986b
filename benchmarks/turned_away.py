"""How often a face is taken for turned away, on faces whose pose is known.

    python benchmarks/turned_away.py [KDEF folder]

KDEF's frontal views and half profiles (45 degrees), which are not in this repository; the folder
defaults to kdef in what EDGE_FEA_DATA names, or ../shared/data. Each picture goes the device's way:
Haar's frontal cascade, the crop, its symmetry against `vision.quality.symmetry_below`; where no
face is found, the profile cascade looks where the face of a frontal view of the same picture
series was, as the observer does with a face that was just held.

The frontal views should all be read. Half profiles are read well by the network (see the model
card), so they need not be turned away: what matters is that a face which is lost is told as turned
away and not as gone.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from edge_fea.capture.pictures import read_grey
from edge_fea.config import Settings
from edge_fea.vision.boxes import Box
from edge_fea.vision.finder import FaceFinder
from edge_fea.vision.geometry import face_crop
from edge_fea.vision.quality import measure

VIEWS = {"S": "frontal", "HL": "half profile, left", "HR": "half profile, right"}


def main() -> int:
    """Print the table."""
    data = Path(os.environ.get("EDGE_FEA_DATA", Path(__file__).parents[2] / "shared" / "data"))
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "kdef"
    if not folder.is_dir():
        print(f"no pictures: {folder} is no folder")
        return 66
    vision = Settings().vision
    finder = FaceFinder(vision)
    least = vision.quality.symmetry_below
    symmetry: dict[str, list[float]] = {view: [] for view in VIEWS}
    told: dict[str, Counter[str]] = {view: Counter() for view in VIEWS}
    for file in sorted(folder.glob("*.jpg")):
        view = file.stem[6:].upper()
        if view not in VIEWS:
            continue
        picture = read_grey(file)
        found = finder.find(picture, None, 0.0, must=True)
        if found:
            crop = face_crop(picture, found[0], 148, 0.0)
            symmetry[view].append(measure(crop, found[0].width).symmetry)
            turned = symmetry[view][-1] < least
            told[view]["found, turned away" if turned else "found, read"] += 1
        else:
            height, width = picture.shape
            place = Box(width // 5, height // 4, 3 * width // 5, 3 * width // 5)
            away = finder.is_turned_away(picture, place)
            told[view]["lost, turned away" if away else "lost, no face"] += 1
    kinds = ["found, read", "found, turned away", "lost, turned away", "lost, no face"]
    print(f"{'':22}{'pictures':>9}" + "".join(f"{kind:>20}" for kind in kinds) + "   symmetry")
    for view, name in VIEWS.items():
        total = told[view].total()
        if not total:
            continue
        shares = "".join(f"{told[view][kind] / total:20.1%}" for kind in kinds)
        low, median = np.percentile(symmetry[view], [1, 50])
        print(f"{name:22}{total:9}{shares}   median {median:.2f}, first percentile {low:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
