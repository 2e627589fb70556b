"""Build the page that needs no server: plain files in one folder, for any host of static files.

Run by ``make pages``, which installs ONNX Runtime's WebAssembly from npm first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import deflate
from onnx import TensorProto, helper

from topgenre import __version__, design
from topgenre.training.audio_graph import build as build_graph

HERE = Path(__file__).parent
PAGE = HERE.parent / "src" / "topgenre" / "web" / "static"
MODEL = HERE.parent / "src" / "topgenre" / "model" / "topgenre.onnx"
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"

# Only from the page's own address; WebAssembly may be compiled, but no text may become a script.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
    "style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
HEAD = f"""<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<link rel="manifest" href="manifest.webmanifest">"""


def build(target: Path) -> None:
    """Write the page into a new or empty folder, or in place of an earlier page."""
    if target.exists() and any(target.iterdir()) and not (target / "engine/info.json").exists():
        raise SystemExit(f"{target}: holds something other than a page; name another folder")
    shutil.rmtree(target, ignore_errors=True)
    engine = target / "engine"
    shutil.copytree(PAGE, target / "static", ignore=shutil.ignore_patterns("index.html"))
    shutil.copytree(
        design.FOLDER, target / "static" / "design", ignore=shutil.ignore_patterns("*.py", "__*")
    )
    engine.mkdir()
    info = build_graph(MODEL, engine / "topgenre-audio.onnx")
    _pack(engine / "topgenre-audio.onnx")
    (engine / "topgenre-audio.onnx").unlink()
    (engine / "product.onnx").write_bytes(_product())
    shutil.copy(RUNTIME / "ort.wasm.bundle.min.mjs", engine / "ort.mjs")
    shutil.copy(RUNTIME / "ort-wasm-simd-threaded.wasm", engine / "ort.wasm")
    _pack(engine / "ort.wasm")
    (engine / "ort.wasm").unlink()
    about = {"version": __version__, "model": info.name, "genres": info.genres}
    (engine / "info.json").write_text(json.dumps(about))
    (target / "index.html").write_text(_page((PAGE / "index.html").read_text("utf-8")), "utf-8")
    shutil.copy(HERE / "manifest.webmanifest", target)
    _write_service_worker(target)


def _product() -> bytes:
    """Return a model that multiplies two matrices, for resampling."""
    a, b, c = (helper.make_tensor_value_info(x, TensorProto.FLOAT, [None, None]) for x in "abc")
    graph = helper.make_graph([helper.make_node("MatMul", "ab", "c")], "product", [a, b], [c])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def _page(html: str) -> str:
    """Turn the server's page into one that analyses in the tab."""
    html = html.replace('data-engine="server"', 'data-engine="tab"')
    return html.replace('<meta charset="utf-8">', HEAD)


def _pack(path: Path) -> None:
    packed = deflate.gzip_compress(path.read_bytes(), 12)
    path.with_name(f"{path.name}.gz").write_bytes(packed)


def _write_service_worker(target: Path) -> None:
    files = sorted(path for path in target.rglob("*") if path.is_file())
    names = [path.relative_to(target).as_posix() for path in files]
    contents = hashlib.sha256()
    for path, name in zip(files, names, strict=True):
        contents.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    script = (HERE / "sw.js").read_text("utf-8")
    script = script.replace("{version}", contents.hexdigest()[:16])
    listed = json.dumps(["./", *names], indent=2)
    (target / "sw.js").write_text(script.replace('"{files}"', listed), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    build(parser.parse_args().folder)
