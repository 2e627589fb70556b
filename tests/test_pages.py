"""The page that needs no server: built, served as plain files, and driven in Chromium.

Its answers are those of the Python side.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import wave
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import Playwright, sync_playwright

import audio_files
import signals
import topgenre
from browser import CHROMIUM, Browser, Page, expect
from topgenre.audio import Segment
from topgenre.classifier import Prediction
from topgenre.demo import write_demo
from topgenre.demo.encode import encode
from topgenre.model_info import TagInfo
from topgenre.result import Borders, Result
from topgenre.spectrograms import compute, network_input

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "pages"

if shutil.which("npm") is None:
    pytest.skip("there is no npm", allow_module_level=True)


class Site(NamedTuple):
    """The built page on a server of plain files."""

    folder: Path
    url: str


class _Files(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Build the page and serve it below another path than the root."""
    if not (PAGES / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=PAGES, check=True, capture_output=True)
    root = tmp_path_factory.mktemp("host")
    folder = root / "music" / "genres"
    subprocess.run([sys.executable, PAGES / "build.py", folder], check=True)
    handler = functools.partial(_Files, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Site(folder, f"http://127.0.0.1:{server.server_port}/music/genres/")
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@contextmanager
def browsing(driver: Playwright, *options: str) -> Iterator[Browser]:
    cut = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # no network
    args = ["--no-sandbox", cut, "--use-fake-device-for-media-stream", *options]
    browser = driver.chromium.launch(executable_path=CHROMIUM, args=args)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser(driver: Playwright) -> Iterator[Browser]:
    with browsing(driver) as browser:
        yield browser


@contextmanager
def visit(browser: Browser, site: Site, **options: Any) -> Iterator[Page]:
    """Open the page; nothing may go wrong in it, and nothing may come from elsewhere."""
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url)
            if not request.url.startswith((site.url, "blob:", "data:")) else None)  # fmt: skip
    page.on("console", lambda message: complaints.append(message.text)
            if message.type in ("error", "warning") else None)  # fmt: skip
    page.goto(site.url)
    yield page
    context.close()
    assert not complaints


@pytest.fixture(scope="module")
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with visit(browser, site) as page:
        yield page


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_demo(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="module")
def classifier() -> topgenre.Classifier:
    return topgenre.load()


_ANALYSE = """async ([mode, module]) => {
  const { open } = await import(new URL(module, location.href).href);
  window.backend ??= await open();
  const [file] = document.querySelector("#probe").files;
  try {
    return await window.backend.analyser.analyse(file, { name: file.name, mode,
      onProgress() {}, signal: new AbortController().signal });
  } catch (error) {
    return { code: error.code, words: `${error.title}. ${error.detail}` };
  }
}"""
_MODULES = "static/js/engine/tab/"


def analyse(page: Page, path: Path, mode: str = "middle") -> dict[str, Any]:
    """Return what the tab's engine answers."""
    page.evaluate(
        """() => document.querySelector("#probe") ?? document.body.append(
        Object.assign(document.createElement("input"), { type: "file", id: "probe" }))"""
    )
    page.locator("#probe").set_input_files(path)
    answer: dict[str, Any] = page.evaluate(_ANALYSE, [mode, f"{_MODULES}tab-engine.js"])
    return answer


def assert_alike(found: dict[str, Any], result: Result, tolerance: float) -> None:
    """Hold the tab's answer to Python's."""
    expected = result.to_dict()
    assert "genres" in found, found
    shares = {genre["genre"]: genre["probability"] for genre in found["genres"]}
    for genre in expected["genres"]:
        assert shares[genre["genre"]] == pytest.approx(genre["probability"], abs=tolerance)
    assert found["music"] == pytest.approx(expected["music"], abs=tolerance)
    for key in ("tier", "verdict", "uncertain", "notices", "model"):
        assert found[key] == expected[key], key
    for key in ("start", "end"):
        assert found["segment"][key] == pytest.approx(expected["segment"][key], abs=0.03)
    assert found["duration"] == pytest.approx(expected["duration"], abs=0.06)
    windows = [
        (window["start"], window["end"], max(window["probabilities"].values()))
        for answer in (found, expected)
        for window in answer.get("timeline", ())
    ]
    half = len(windows) // 2
    assert np.array(windows[:half]) == pytest.approx(np.array(windows[half:]), abs=0.03)
    assert found.get("sections") == expected.get("sections")


def test_demo_songs_get_the_answers_of_python(
    page: Page, songs: list[Path], classifier: topgenre.Classifier
) -> None:
    assert {song.suffix for song in songs} >= {".mp3", ".flac", ".ogg", ".wav", ".m4a", ".opus"}
    for song in songs:
        found = analyse(page, song)
        assert_alike(found, classifier.classify(song), 1e-4 if song.suffix == ".wav" else 0.005)
        assert [channel["name"] for channel in found["spectrograms"]["channels"]] == [
            *("full", "harmonic", "percussive", "onset")
        ]


def test_whole_tracks_too(page: Page, songs: list[Path], classifier: topgenre.Classifier) -> None:
    for song in songs:
        if song.suffix in (".mp3", ".flac", ".wav"):
            found = analyse(page, song, "whole")
            assert_alike(found, classifier.classify(song, whole=True), 0.005)


def write_wav(path: Path, samples: signals.Samples, rate: int = 22_050) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.round(samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_056, 48_000, 96_000])
def test_any_sample_rate_is_resampled_alike(
    page: Page, tmp_path: Path, classifier: topgenre.Classifier, rate: int
) -> None:
    path = write_wav(tmp_path / "it.wav", signals.music(6), rate)
    assert_alike(analyse(page, path), classifier.classify(path), 0.002)


def test_the_network_gets_the_same_input(page: Page) -> None:
    """Shorter sounds are repeated."""
    script = """async ([module, sound]) => {
      const { loadModel } = await import(new URL(module, location.href).href);
      window.model ??= await loadModel();
      const bytes = Uint8Array.from(atob(sound), (letter) => letter.charCodeAt(0));
      const { input } = await window.model.hear(new Float32Array(bytes.buffer));
      const found = new Uint8Array(input.slice().buffer);
      let text = "";
      for (let i = 0; i < found.length; i += 8192) {
        text += String.fromCharCode(...found.subarray(i, i + 8192));
      }
      return btoa(text);
    }"""
    sounds = [signals.music(), signals.half_silent(), signals.noise(3.3), signals.clicks(1.0)]
    for samples in sounds:
        expected = network_input(compute(Segment(samples, 0.0, 10.0)))
        sound = b64encode(samples.astype(np.float32).tobytes()).decode()
        found = b64decode(page.evaluate(script, [f"{_MODULES}network.js", sound]))
        wide = np.frombuffer(found, np.float32).reshape(4, 128, -1)
        repeated = np.resize(np.arange(expected.shape[2]), wide.shape[2])
        assert np.abs(wide - expected[..., repeated]).max() < 1e-3


def _cases(rng: np.random.Generator, n_genres: int) -> Iterator[tuple[int, Prediction]]:
    for _ in range(150):
        n_windows = int(rng.integers(0, 9))
        rows = max(1, n_windows)
        sharpness = rng.choice([0.05, 0.3, 2.0])
        probabilities = rng.dirichlet(np.full(n_genres, sharpness), rows)
        if rng.random() < 0.5:  # parts that last
            probabilities = np.repeat(probabilities[: (rows + 2) // 3], 3, axis=0)[:rows]
        music = rng.uniform(0, 1, rows) ** rng.choice([0.1, 1.0])
        tags = rng.uniform(0, 0.7, (rows, 3))
        columns = (probabilities, music, np.zeros((rows, 1)), tags, probabilities)
        yield n_windows, Prediction(*(column.astype(np.float32) for column in columns))


def test_both_languages_judge_alike(page: Page, classifier: topgenre.Classifier) -> None:
    """Tiers, sections and verdicts of generated probabilities."""
    rng = np.random.default_rng(7)
    tags = (TagInfo("electronic", 0.6, True), TagInfo("piano", 0.5), TagInfo("latin", 0.65, True))
    info = replace(
        classifier.info,
        tags=tags,
        borders=Borders(0.75, 0.55, 0.6),
        uncertain_below=0.35,
        temperature_whole=0.8 * classifier.info.temperature,
    )
    judge = topgenre.load()
    judge.info = info
    questions, expected = [], []
    for n_windows, prediction in _cases(rng, len(info.genres)):
        silence = np.zeros(1, np.float32)
        windows = tuple(Segment(silence, 10.0 * i, 10.0 * i + 10) for i in range(n_windows))
        result = judge.build_result(prediction, Segment(silence, 0.0, 10.0), "it", windows)
        expected.append(result)
        rows = zip(prediction.probabilities, prediction.music, prediction.tags, strict=True)
        questions.append(
            {
                "predictions": [
                    {"probabilities": p.tolist(), "music": float(m), "tags": t.tolist()}
                    for p, m, t in rows
                ],
                "times": [{"start": window.start, "end": window.end} for window in windows],
            }
        )
    script = """async ([module, info, questions]) => {
      const { judge } = await import(new URL(module, location.href).href);
      return questions.map(({ predictions, times }) => judge(info, predictions, times));
    }"""
    found = page.evaluate(script, [f"{_MODULES}judge.js", json.loads(info.to_json()), questions])
    assert len({result.tier for result in expected}) == 4
    assert any(result.sections for result in expected)
    for answer, result in zip(found, expected, strict=True):
        record = result.to_dict()
        assert answer["verdict"] == result.verdict
        assert answer["tier"] == result.tier
        assert answer["uncertain"] == result.uncertain
        assert answer["sections"] == [section.to_dict() for section in result.sections]
        assert [tag["name"] for tag in answer["tags"]] == [tag["name"] for tag in record["tags"]]
        for one, other in zip(answer["genres"], record["genres"], strict=True):
            assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


def test_it_is_small(site: Site) -> None:
    """What must be loaded before the page can be used, and all of it, as compressed."""
    sizes = {
        path.relative_to(site.folder).as_posix(): len(path.read_bytes())
        if path.suffix == ".gz"
        else len(gzip.compress(path.read_bytes()))
        for path in site.folder.rglob("*")
        if path.is_file()
    }
    first = [size for name, size in sizes.items() if not name.startswith("engine/")]
    assert sum(first) < 200_000
    assert sum(sizes.values()) < 5_000_000


def test_the_example_in_javascript(site: Site, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "pages.md").read_text("utf-8")
    example = re.search(r"^```javascript\n(.*?)^```", page, re.M | re.S)
    assert example
    script = example[1].replace("console.log(", "console.log(JSON.stringify(")[:-3] + "));\n"
    (tmp_path / "example.mjs").write_text(script)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "pages").symlink_to(site.folder)
    (tmp_path / "node_modules").symlink_to(PAGES / "node_modules")
    done = subprocess.run(
        ["node", "example.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    model = gzip.decompress((site.folder / "engine" / "topgenre-audio.onnx.gz").read_bytes())
    session = onnxruntime.InferenceSession(model)
    [expected] = session.run(["probabilities"], {"samples": np.zeros(220_500, np.float32)})
    assert list(json.loads(done.stdout).values()) == pytest.approx(expected.tolist(), abs=1e-3)


def test_a_visitor_drops_a_song_and_reads_the_answer(
    page: Page, songs: list[Path], classifier: topgenre.Classifier
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for song in songs[:2]:
        page.locator("#file").set_input_files(song)
        verdict = classifier.classify(song).verdict
        expect(page.locator("#result-title")).to_contain_text(verdict, timeout=120_000)
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


def test_it_works_offline_once_it_is_loaded(
    page: Page, site: Site, tmp_path: Path, classifier: topgenre.Classifier
) -> None:
    song = write_wav(tmp_path / "song.wav", signals.music())
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.context.set_offline(True)
    other = page.context.new_page()
    other.goto(site.url)
    assert_alike(analyse(other, song), classifier.classify(song), 1e-4)
    other.close()
    page.context.set_offline(False)


_BAD: dict[str, tuple[bytes | float, str, str]] = {
    "empty.mp3": (b"", "empty", "nothing in this file"),
    "letter.txt": (b"Dear reader, " * 999, "not_audio", "format"),
    "damaged.flac": (b"fLaC" + bytes(9_999), "unsupported_media_type", "Convert it"),
    "short.wav": (0.5, "too_short", "0.50 s"),
    "silent.wav": (-12.0, "silent", "10.0 s are silent"),
}


@pytest.mark.parametrize("name", _BAD)
def test_bad_files_are_refused_in_words(page: Page, tmp_path: Path, name: str) -> None:
    content, code, words = _BAD[name]
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        write_wav(path, signals.music(abs(content)) * np.float32(content > 0))
    answer = analyse(page, path)
    assert answer["code"] == code
    assert words in answer["words"]


def test_every_format_gets_the_answer_of_python_or_advice(
    page: Page, tmp_path: Path, classifier: topgenre.Classifier
) -> None:
    """Those that the demo songs do not have."""
    advised = set()
    for name in audio_files.FORMATS.keys() - {"wav", "flac", "mp3", "vorbis", "opus"}:
        path = tmp_path / f"{name}.audio"
        path.write_bytes(audio_files.sample(name, 11.0, 2))
        found = analyse(page, path)
        if "code" in found:
            assert found["code"] == "unsupported_media_type", name
            assert "Convert it" in found["words"]
            advised.add(name)
        else:
            tolerance = 0.03 if audio_files.FORMATS[name].lossy_frame else 0.005
            assert_alike(found, classifier.classify(path), tolerance)
    assert advised <= {"aiff", "au", "alac", "wma", "mpegts", "aac", "m4a"}


def _video(*, sound: bool) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        picture = container.add_stream("libvpx", rate=5)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        voice = container.add_stream("libopus", rate=48_000) if sound else None
        for number in range(15):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts = number
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        if voice:
            samples = np.repeat(signals.music(3)[None].repeat(2, axis=0), 2, axis=1)
            heard = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            heard.sample_rate = 44_100
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return buffer.getvalue()


def test_of_a_video_the_sound_is_heard(
    page: Page, tmp_path: Path, classifier: topgenre.Classifier
) -> None:
    path = tmp_path / "film.webm"
    path.write_bytes(_video(sound=True))
    assert_alike(analyse(page, path), classifier.classify(path), 0.02)
    path.write_bytes(_video(sound=False))
    found = analyse(page, path)
    assert found["code"] == "unsupported_media_type"
    assert "no sound" in found["words"]


def test_hours_are_refused_before_they_are_decoded(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "mix.flac"
    path.write_bytes(encode(np.zeros(46 * 60 * 8_000, np.float32), ".flac", 8_000))
    found = analyse(page, path)
    assert found["code"] == "too_large"
    assert "46 minutes" in found["words"]


def test_a_recording_may_say_no_duration(
    page: Page, tmp_path: Path, classifier: topgenre.Classifier
) -> None:
    """As browsers write them."""
    data = bytearray(audio_files.sample("webm", 12.0))
    at = data.index(b"\x44\x89\x88")  # the element Duration; 0xec is one to skip
    data[at : at + 11] = b"\xec\x89" + bytes(9)
    path = tmp_path / "recording.webm"
    path.write_bytes(data)
    assert_alike(analyse(page, path), classifier.classify(path), 0.02)


def test_many_files_come_one_after_the_other(page: Page, tmp_path: Path, songs: list[Path]) -> None:
    """A refused file does not stop those behind it, and one that is given up neither."""
    script = """async () => {
      const files = [...document.querySelector("#probe").files];
      const { analyse } = window.backend.analyser;
      const given = new AbortController();
      const answers = files.map((file, i) => analyse(file, { name: file.name, mode: "middle",
        onProgress() {}, signal: i === 1 ? given.signal : new AbortController().signal })
        .then((result) => result.path, (error) => error.title ? error.code : error.name));
      given.abort();
      return Promise.all(answers);
    }"""
    (tmp_path / "bad.mp3").write_bytes(b"no")
    good = write_wav(tmp_path / "good.wav", signals.music(2))
    analyse(page, good)  # the engine is there
    page.locator("#probe").evaluate("element => { element.multiple = true; }")
    page.locator("#probe").set_input_files([tmp_path / "bad.mp3", good, good])
    assert page.evaluate(script) == ["not_audio", "AbortError", "good.wav"]
    page.locator("#probe").evaluate("element => { element.multiple = false; }")


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("jitless", "This browser is too old"),  # no WebAssembly
        ("no-enable-sse4-1", "This browser is too old"),  # no SIMD
        ("wasm-max-mem-pages=258", "Not enough memory"),
    ],
)
def test_a_browser_that_cannot_is_told(
    driver: Playwright, site: Site, tmp_path: Path, flag: str, words: str
) -> None:
    song = write_wav(tmp_path / "song.wav", signals.music(2))
    with browsing(driver, f"--js-flags=--{flag}") as browser, visit(browser, site) as page:
        page.locator("#file").set_input_files(song)
        expect(page.locator("#queue .row")).to_contain_text(words)


@pytest.mark.parametrize("missing", ["**/engine/*.gz", "**/tab/worker.js"])
def test_an_engine_that_cannot_be_loaded_is_said_and_tried_again(
    browser: Browser, site: Site, tmp_path: Path, missing: str
) -> None:
    song = write_wav(tmp_path / "song.wav", signals.music(2))
    context = browser.new_context(service_workers="block", reduced_motion="reduce")
    page = context.new_page()
    page.route(missing, lambda route: route.abort())
    page.goto(site.url)
    assert analyse(page, song)["code"] == "unreachable"
    # Nothing has been kept for later yet, and the network goes.
    context.set_offline(True)
    page.locator("#file").set_input_files(song)
    expect(page.locator("#queue .row")).to_contain_text("You are offline")
    page.unroute(missing)
    context.set_offline(False)
    expect(page.locator("#result-title")).to_be_visible()
    context.close()


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"music")
    done = subprocess.run(
        [sys.executable, PAGES / "build.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}: holds something other than a page; name another folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["song.mp3"]


def test_live_answers_from_the_microphone(driver: Playwright, site: Site, tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "loop.wav", signals.music(20), 44_100)
    options = (
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}",
    )
    with browsing(driver, *options) as browser, visit(browser, site) as page:
        page.get_by_role("button", name="Listen live").click()
        expect(page.locator("#live .live-top li")).to_have_count(3, timeout=120_000)
        expect(page.locator("#live .live-stretch").first).to_be_visible(timeout=120_000)
        page.locator("#live-stop").click()
        expect(page.locator("#live-summary")).to_contain_text("%")
        expect(page.locator("#live-stop")).to_be_hidden()
        # A file right afterwards has the worker for itself.
        page.locator("#file").set_input_files(sound)
        expect(page.locator(".song-file .file-name")).to_have_text("loop.wav", timeout=120_000)
        # Without a loudspeaker, Firefox never starts the sound, and reports no error.
        page.evaluate("""() => {
          AudioContext.prototype.resume = () => new Promise(() => {});
          Object.defineProperty(AudioContext.prototype, "state", { get: () => "suspended" });
        }""")
        page.get_by_role("button", name="Listen live").click()
        expect(page.locator("#intake-note")).to_contain_text("no loudspeaker", timeout=120_000)
        expect(page.get_by_role("button", name="Listen live")).to_be_enabled()
        expect(page.locator("#live-stop")).to_be_hidden()


def test_a_microphone_that_is_not_allowed_is_said(page: Page) -> None:
    page.get_by_role("button", name="Listen live").click()
    expect(page.locator("#intake-note")).to_contain_text("not allowed")
    expect(page.locator("#live")).to_be_hidden()


def test_sound_that_piles_up_is_heard_once_and_the_end_is_not_kept_waiting(page: Page) -> None:
    script = """async (listener) => {
      const { LiveListener } = await import(new URL(listener, location.href).href);
      const info = { genres: ["jazz", "rock"], borders: {}, tags: [], uncertain_below: 0 };
      const heard = [];
      const { port1, port2 } = new MessageChannel();
      const hear = async () => ({ probabilities: [0.9, 0.1], music: 1, tags: [] });
      // As in the worker: sound arrives by messages, and so does the end.
      const run = (seconds, ends) => new Promise((resolve) => {
        const live = new LiveListener(22050, async () => ({ info, hear }),
          ({ seconds }) => heard.push(seconds));
        port1.onmessage = ({ data }) => {
          if (data === "end") live.end();
          else if (data === "done") setTimeout(() => resolve(heard.splice(0)), 100);
          else live.add(data);
        };
        for (let i = 0; i < seconds; i += 1) {
          port2.postMessage(new Float32Array(22050).fill(0.1));
        }
        if (ends) port2.postMessage("end");
        port2.postMessage("done");
      });
      return [await run(60, false), await run(60, true)];
    }"""
    on, ended = page.evaluate(script, f"{_MODULES}live.js")
    assert len(on) < 10
    assert on[-1] >= 50
    assert len(ended) < 10


def test_listening_for_hours_keeps_ten_seconds(page: Page) -> None:
    script = """async ([listener, log]) => {
      const { LiveListener } = await import(new URL(listener, location.href).href);
      const { LiveLog } = await import(new URL(log, location.href).href);
      const info = { genres: ["jazz", "rock"], borders: {}, tags: [], uncertain_below: 0 };
      let said = 0;
      const hear = async (samples) => ({ probabilities: [0.9, 0.1], music: 1, tags: [],
        input: samples });
      const live = new LiveListener(48000, async () => ({ info, hear }), () => { said += 1; });
      let most = 0;
      const piece = new Float32Array(12000).fill(0.1);
      for (let i = 0; i < 160; i += 1) {
        live.add(piece);
        await new Promise((resolve) => setTimeout(resolve));
        most = Math.max(most, live.pending.length);
      }
      const kept = new LiveLog();
      for (let second = 3; second < 36000; second += 1) {
        const genre = Math.floor(second / (5 + second % 7)) % 2 ? "jazz" : "rock";
        kept.add({ seconds: second, silent: false, judgement: { music: 1, uncertain: false,
          genres: [{ genre, probability: 1 }] } });
      }
      return { said, most, window: live.window.length, stretches: kept.stretches.length,
        shares: kept.parts().reduce((sum, { share }) => sum + share, 0) };
    }"""
    live = "static/js/live/live-log.js"
    found = page.evaluate(script, [f"{_MODULES}live.js", live])
    assert 30 <= found["said"] <= 38
    assert found["window"] == 220_500
    assert found["most"] < 15_000
    assert found["stretches"] <= 120
    assert found["shares"] == pytest.approx(1)
