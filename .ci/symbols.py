# SPDX-License-Identifier: Apache-2.0
"""The public symbols of the libraries, as `make docs` has extracted them into the build folder."""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODULES = ("Tandem", "TandemSDL", "TandemTesting")


def fail(message):
    sys.exit(f"FAILED: {message}")


def folder(module):
    """Where the module's symbol graphs are: the newest, as a renamed clone leaves old ones behind."""
    graphs = list(ROOT.glob(f".build/*/extracted-symbols/*/{module}/{module}.symbols.json"))
    if not graphs:
        fail(f"there is no symbol graph of {module} below .build; run `make docs` first")
    return max(graphs, key=lambda path: path.stat().st_mtime).parent


def graphs(module):
    return [json.loads(file.read_text()) for file in sorted(folder(module).glob(f"{module}*.symbols.json"))]


def symbols(module):
    """The module's own public symbols: neither those that the compiler derives, nor the standard library's default implementations, nor the
    frames of its extensions of other modules' types."""
    for graph in graphs(module):
        for symbol in graph["symbols"]:
            if symbol["accessLevel"] not in ("public", "open") or symbol["kind"]["identifier"] == "swift.extension":
                continue
            if "location" in symbol and "::SYNTHESIZED::" not in symbol["identifier"]["precise"]:
                yield symbol


def conformances(module):
    """Pairs of a type of the module's and a protocol that it conforms to or inherits from."""
    names = {symbol["identifier"]["precise"]: path(symbol) for symbol in symbols(module)}
    for graph in graphs(module):
        for relation in graph["relationships"]:
            if relation["kind"] not in ("conformsTo", "inheritsFrom") or relation["source"] not in names:
                continue
            name = names.get(relation["target"]) or relation.get("targetFallback", relation["target"])
            # What every type is, unless it says otherwise.
            if name not in ("Swift.Copyable", "Swift.Escapable", "Swift.SendableMetatype"):
                yield names[relation["source"]], name


def path(symbol):
    return ".".join(symbol["pathComponents"])


def place(symbol):
    """The file and line of a declaration, from the repository's top."""
    location = symbol["location"]
    file = location["uri"].removeprefix("file://")
    at = file.find("/Sources/")
    return f"{file[at + 1:] if at >= 0 else file}:{location['position']['line'] + 1}"
