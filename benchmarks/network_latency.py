"""How fast is the network on this machine, and how near to what the machine can do?

    python benchmarks/network_latency.py [FILE.tflite ...] [--runs 200] [--runtime auto]

Runs the files (the network that ships, where none is named) in turns on one thread, in whichever
runtime this environment has, and prints for each: median and minimum of the runs, the
multiply-accumulates a second that the median makes, and how many operations go to XNNPACK in how
many partitions. Where the manifest has each crop read mirrored too, a run is two. Two more files
stand beside them:

- the shipped network without its attention output: what that output costs;
- one large 3 x 3 convolution in int8 (56 x 56, 256 to 256 channels): the machine's peak.

Both are made here, without TensorFlow, by the file schema that ai-edge-litert brings. In an
environment without it (tflite-runtime) the peak is left out, unless --peak names a file that
--write-peak wrote in another environment. A busy machine makes medians long; the minima stay.
"""

import argparse
import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_fea.vision.classifier import default_network
from edge_fea.vision.manifest import Manifest
from edge_fea.vision.runtime import load_runtime

SIDE, CHANNELS, KERNEL = 56, 256, 3
WARM_UP = 10


class Timed:
    """One file in an interpreter, with the times of its runs.

    ``readings`` is how often a crop is read: twice where the manifest says so (mirrored). A run is
    all that one crop costs.
    """

    def __init__(self, name: str, content: bytes, interpreter: Any, readings: int = 1) -> None:
        self.name, self.seconds, self._readings = name, [], readings
        self._interpreter = interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        details = self._interpreter.get_input_details()[0]
        limits = np.iinfo(details["dtype"])
        values = np.random.default_rng(0).integers(limits.min, limits.max, details["shape"])
        self._interpreter.set_tensor(details["index"], values.astype(details["dtype"]))
        self.operations = self._interpreter._get_ops_details()
        shapes = {t["index"]: t["shape"] for t in self._interpreter.get_tensor_details()}
        self.multiply_accumulates = readings * sum(_cost(each, shapes) for each in self.operations)
        self.run(WARM_UP)
        self.seconds.clear()

    def run(self, times: int = 1) -> None:
        """Run, and keep how long it took."""
        for _ in range(times):
            began = time.perf_counter()
            for _ in range(self._readings):
                self._interpreter.invoke()
            self.seconds.append(time.perf_counter() - began)

    def partitions(self) -> tuple[int, list[str]]:
        """How many partitions the delegate took, and the operations that it left."""
        delegates = [each for each in self.operations if each["op_name"] == "DELEGATE"]
        plain = [each for each in self.operations if each["op_name"] != "DELEGATE"]
        makes = {output: each for each in plain for output in each["outputs"]}
        taken: set[int] = set()
        for delegate in delegates:
            # What the delegate computes is what leads from its inputs to its outputs.
            given, wanted = set(delegate["inputs"]), list(delegate["outputs"])
            while wanted:
                source = makes.get(wanted.pop())
                if source is not None and source["index"] not in taken:
                    taken.add(source["index"])
                    wanted += [t for t in source["inputs"] if t not in given]
        return len(delegates), [each["op_name"] for each in plain if each["index"] not in taken]

    def record(self) -> dict[str, Any]:
        """The figures: milliseconds, multiply-accumulates, operations."""
        count, left = self.partitions()
        total = sum(each["op_name"] != "DELEGATE" for each in self.operations)
        return {
            "name": self.name,
            "median_ms": 1e3 * float(np.median(self.seconds)),
            "minimum_ms": 1e3 * min(self.seconds),
            "runs": len(self.seconds),
            "multiply_accumulates": self.multiply_accumulates,
            "operations": total,
            "partitions": count,
            "outside": left,
        }


def _cost(operation: dict[str, Any], shapes: dict[int, Any]) -> int:
    """Multiply-accumulates of a convolution or a dense layer; 0 for all others."""
    if operation["op_name"] not in ("CONV_2D", "FULLY_CONNECTED"):
        return 0
    weights, output = shapes[operation["inputs"][1]], shapes[operation["outputs"][0]]
    return int(np.prod(output)) * int(np.prod(weights[1:]))


def edited(content: bytes, edit: Callable[[Any, Any], None]) -> bytes:
    """A TFLite file after ``edit`` has changed its model object; ImportError without the schema."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content)) if content else None
    model = model or schema.ModelT()
    edit(model, schema)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def without_output(content: bytes, place: int) -> bytes:
    """The same network, one output fewer."""

    def edit(model: Any, _: Any) -> None:
        graph = model.subgraphs[0]
        gone = graph.outputs[place]
        graph.outputs = [tensor for tensor in graph.outputs if tensor != gone]
        for signature in model.signatureDefs or []:
            signature.outputs = [each for each in signature.outputs if each.tensorIndex != gone]

    return edited(content, edit)


def peak_file() -> bytes:
    """One int8 convolution, large enough that nothing but multiplying counts."""

    def edit(model: Any, schema: Any) -> None:
        rng = np.random.default_rng(1)
        weights = rng.integers(-127, 128, (CHANNELS, KERNEL, KERNEL, CHANNELS)).astype(np.int8)
        data = [b"", weights.tobytes(), np.zeros(CHANNELS, np.int32).tobytes()]
        model.version, model.buffers = 3, []
        for values in data:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values, np.uint8)
            model.buffers.append(buffer)
        picture = [1, SIDE, SIDE, CHANNELS]
        kinds = schema.TensorType
        graph = schema.SubGraphT()
        graph.tensors = [
            _tensor(schema, picture, kinds.INT8, 0, [0.02]),
            _tensor(schema, list(weights.shape), kinds.INT8, 1, [0.01] * CHANNELS),
            _tensor(schema, [CHANNELS], kinds.INT32, 2, [0.0002] * CHANNELS),
            _tensor(schema, picture, kinds.INT8, 0, [0.5]),
        ]
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
        code.version = 3
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [0, 1, 2], [3]
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        operator.builtinOptions = schema.Conv2DOptionsT()
        operator.builtinOptions.strideW = operator.builtinOptions.strideH = 1
        operator.builtinOptions.dilationWFactor = operator.builtinOptions.dilationHFactor = 1
        graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
        model.operatorCodes, model.subgraphs = [code], [graph]

    return edited(b"", edit)


def _tensor(schema: Any, shape: list[int], kind: int, buffer: int, scales: list[float]) -> Any:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer, tensor.name = shape, kind, buffer, f"t{buffer}"
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = scales
    tensor.quantization.zeroPoint = [0] * len(scales)
    return tensor


def show(records: list[dict[str, Any]]) -> None:
    """A table; the share of the peak where there is one."""
    peak = next((r for r in records if r["name"] == "peak"), None)
    print(f"{'':32} {'median':>9} {'minimum':>9} {'MAC':>8} {'MAC/s':>8}  of peak")
    for record in records:
        speed = record["multiply_accumulates"] / record["median_ms"] / 1e6
        share = ""
        if peak is not None:
            share = f"{speed * peak['median_ms'] * 1e6 / peak['multiply_accumulates']:7.0%}"
        print(
            f"{record['name']:32} {record['median_ms']:6.3f} ms {record['minimum_ms']:6.3f} ms "
            f"{record['multiply_accumulates'] / 1e6:6.1f} M {speed:6.1f} G  {share}"
        )
    for record in records:
        inside = record["operations"] - len(record["outside"])
        kinds = Counter(record["outside"]).items()
        left = ", ".join(f"{n} {kind}" for kind, n in kinds) or "nothing"
        print(
            f"{record['name']}: {inside} of {record['operations']} operations in "
            f"{record['partitions']} XNNPACK partition(s); outside: {left}"
        )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="*", help="default: the network that ships")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument(
        "--runtime", default="auto", choices=["auto", "ai-edge-litert", "tflite-runtime"]
    )
    parser.add_argument("--peak", type=Path, help="a file that --write-peak wrote")
    parser.add_argument("--write-peak", type=Path, help="write the peak's file, and end")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if options.write_peak:
        options.write_peak.write_bytes(peak_file())
        return

    runtime = load_runtime(options.runtime)
    timed = []
    for file in options.files or [default_network().with_suffix(".tflite")]:
        content, beside = file.read_bytes(), file.with_suffix(".json")
        manifest = Manifest.read(beside) if beside.is_file() else None
        readings = 2 if manifest and manifest.input.mirrored else 1
        timed.append(Timed(file.stem, content, runtime.interpreter, readings))
        place = manifest.outputs.attention if manifest else None
        if place is not None:
            try:
                twin = without_output(content, place)
            except ImportError:
                continue
            name = "  without the attention output"
            timed.append(Timed(name, twin, runtime.interpreter, readings))
    try:
        peak = options.peak.read_bytes() if options.peak else peak_file()
        timed.append(Timed("peak", peak, runtime.interpreter))
    except ImportError:
        print("no peak: this environment has no file schema (see --peak)", file=sys.stderr)
    # In turns, so that what else the machine does falls on all of them alike.
    for _ in range(options.runs):
        for each in timed:
            each.run()
    records = [each.record() for each in timed]
    print(
        f"{runtime.package} {runtime.version}, numpy {np.__version__}, {platform.machine()}, "
        f"1 thread, {options.runs} runs each"
    )
    show(records)
    if options.json:
        options.json.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
