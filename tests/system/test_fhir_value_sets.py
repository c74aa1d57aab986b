"""FHIR's required value sets and R4's structure, by FHIR.js, which carries R4's definitions.

Start: ``make test-system``, or ``pytest -m system tests/system/test_fhir_value_sets.py``. Needs
node and npm, and the npm registry the first time: it installs the package ``fhir`` into pytest's
cache folder, where later runs find it.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clinic.export_factory import MIXED, export, record

pytestmark = pytest.mark.system

PACKAGE = "fhir@4.12.0"
SCRIPT = """
const { Fhir } = require('fhir');
const text = require('fs').readFileSync(process.argv[1], 'utf8');
process.stdout.write(JSON.stringify(new Fhir().validate(text, { errorOnUnexpected: true })));
"""


@pytest.fixture(scope="session")
def fhir_js(pytestconfig: pytest.Config) -> Path:
    """A folder in which node finds FHIR.js."""
    assert shutil.which("npm"), "this test needs node and npm: apt-get install nodejs npm"
    folder = pytestconfig.cache.mkdir("fhir-js")  # type: ignore[union-attr]
    if not (folder / "node_modules" / "fhir").is_dir():
        command = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", PACKAGE]
        subprocess.run(command, check=True, capture_output=True, timeout=200)
    return folder


def validate(folder: Path, path: Path) -> dict:
    done = subprocess.run(
        ["node", "-e", SCRIPT, str(path)], cwd=folder, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_the_bundle_is_valid(fhir_js: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    export("fhir", record(tmp_path / "clips.db", *MIXED), out)
    answer = validate(fhir_js, out)
    assert answer["valid"]
    # All it remarks on: our own codes are not in the example value set that LOINC would fill.
    remarks = {
        each["message"] for each in answer["messages"] if "observation-codes" not in str(each)
    }
    assert all("edge-fea.example" in remark for remark in remarks), remarks


def test_it_would_find_a_code_that_is_not_r4s(fhir_js: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    export("fhir", record(tmp_path / "clips.db", *MIXED), out)
    out.write_text(out.read_text().replace('"status":"final"', '"status":"done"'))
    assert not validate(fhir_js, out)["valid"]
