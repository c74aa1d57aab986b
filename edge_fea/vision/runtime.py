"""The TFLite interpreter, under either of the names it is published by."""

import importlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from edge_fea.errors import RuntimeMissing

# The first that works is taken: ai-edge-litert needs 2.4 to 6 times less time in int8.
_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """An interpreter class and where it comes from."""

    package: str
    version: str
    interpreter: Any


def load_runtime(wanted: str = "auto") -> Runtime:
    """The runtime named ``wanted``, or with ``auto`` the first one that is installed.

    Raises RuntimeMissing. An import proves little (tflite-runtime 2.14 imports under numpy 2 and
    fails at the first Interpreter), so the network's loader creates one and runs it.
    """
    packages = list(_MODULES) if wanted == "auto" else [wanted]
    reasons = []
    for package in packages:
        try:
            module = importlib.import_module(_MODULES[package])
            return Runtime(package, version(package.replace("-", "_")), module.Interpreter)
        except (ImportError, PackageNotFoundError) as error:
            reasons.append(f"{package}: {error}")
    raise RuntimeMissing(f"no TFLite runtime ({'; '.join(reasons)}): pip install ai-edge-litert")
