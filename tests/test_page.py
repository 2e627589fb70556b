"""The web page, driven through a real browser against a real server."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

import audio_files
import signals
from browser import CHROMIUM, Browser, Page, Route, expect
from fake_deezer import FakeDeezer
from page_driver import Visit, Window, chromium, visiting
from topgenre.demo import synthesise
from topgenre.demo.encode import encode
from topgenre.result import spoken
from web_server import Server, serving, wav

LIMIT = 2_000_000  # bytes of an upload
DARK = "rgb(21, 15, 27)"

Opening = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    settings: dict[str, Any] = {"max_upload_bytes": LIMIT, "rate_limit": 0, "queue_size": 1}
    with serving(folder, "--workers", "1", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(CHROMIUM) as running:
        yield running


@pytest.fixture(scope="module")
def window(browser: Browser) -> Window:
    return Window(browser)


@pytest.fixture
def opened(server: Server, browser: Browser, window: Window) -> Opening:
    """Opens the page with options of the browser's, some of which take a window of its own."""

    def opening(**options: Any) -> AbstractContextManager[Visit]:
        if options.keys() <= Window.OPTIONS:
            return window.visiting(server.url, **options)
        return visiting(browser, server.url, **options)

    return opening


@pytest.fixture
def visit(opened: Opening) -> Iterator[Visit]:
    with opened() as visit:
        yield visit


@pytest.fixture(scope="module")
def listening(server: Server, browser: Browser) -> Iterator[Visit]:
    """A visit that has the song's result before it, for tests that leave it so."""
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    with visiting(browser, server.url, **options) as visit:
        with visit.page.expect_request("**/v1/recommendations*") as asked:
            visit.classified(song())
        assert "genre=" in asked.value.url
        yield visit


@cache
def song() -> tuple[str, bytes]:
    return "reggae.opus", encode(synthesise("reggae"), ".opus")


@cache
def changing() -> tuple[str, bytes]:
    """Half a minute that changes its style every ten seconds."""
    parts = [synthesise(style, seconds=10) for style in ("metal", "classical arpeggios", "disco")]
    return "changing.ogg", encode(np.concatenate(parts, axis=1), ".ogg")


@cache
def tune(seconds: float = 12.0) -> bytes:
    return wav(signals.music(seconds))


@contextmanager
def answering(page: Page, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Change the server's results on their way to the page."""

    def fulfil(route: Route) -> None:
        response = route.fetch()
        result = json.loads(response.text().splitlines()[-1])  # after lines of progress
        change(result)
        route.fulfill(response=response, json=result)

    page.route("**/v1/classify*", fulfil)
    yield
    page.unroute("**/v1/classify*")


def knowing(page: Page, **more: Any) -> None:
    """Let the server say more of itself; takes effect when the page is loaded again."""

    def fulfil(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | more)

    page.route("**/v1/info", fulfil)
    page.reload()
    expect(page.locator("#colophon-version")).not_to_be_empty()


def answer(server: Server, named: tuple[str, bytes], **query: Any) -> dict[str, Any]:
    """What the API says of a file."""
    name, data = named
    return dict(server.classify(data, name, **query).json())


def percents(probabilities: list[float]) -> list[str]:
    return ["<0.1%" if 0 < p < 0.0005 else f"{100 * p:.1f}%" for p in probabilities]


# ---- A file and its result


def test_a_song_is_uploaded_and_its_ranking_shown(listening: Visit, server: Server) -> None:
    said = answer(server, song())

    expect(listening.title).to_have_text(said["verdict"])
    page = listening.page
    bars = page.locator(".bar:visible")
    expect(bars).to_have_count(5)
    assert page.locator(".bar:visible .bar-percent").all_inner_texts() == percents(
        [genre["probability"] for genre in said["genres"][:5]]
    )
    widths = [
        bar.bounding_box() or {"width": 0.0} for bar in page.locator(".bar-fill:visible").all()
    ]
    assert sorted((box["width"] for box in widths), reverse=True) == [b["width"] for b in widths]
    start, end = (round(said["segment"][side]) for side in ("start", "end"))
    expect(page.locator(".ruler-part")).to_have_text(f"0:{start:02}\u20130:{end:02} analysed")


def test_the_number_of_genres_is_chosen_without_asking_the_server_again(listening: Visit) -> None:
    asked: list[str] = []
    listening.page.on("request", lambda request: asked.append(request.url))
    slider = listening.page.get_by_role("slider", name="Genres shown")
    slider.press("End")
    expect(listening.page.locator(".bar:visible")).to_have_count(10)
    slider.press("Home")
    expect(listening.page.locator(".bar:visible")).to_have_count(1)
    for _ in range(4):
        slider.press("ArrowRight")
    expect(listening.page.locator(".bar:visible")).to_have_count(5)
    assert asked == []


def test_the_answer_is_seen_without_scrolling(opened: Opening) -> None:
    with opened(viewport={"width": 1440, "height": 900}) as visit:
        visit.classified(song())
        assert visit.page.evaluate("scrollY") == 0
        places = [
            visit.page.locator(selector).bounding_box()
            for selector in (".verdict-title", ".bars", ".recommendations a >> nth=0", ".wave")
        ]
        title, bars, music, wave = (place or pytest.fail("not shown") for place in places)
        assert title["x"] + title["width"] <= bars["x"]
        assert abs(title["y"] - bars["y"]) < 60
        assert bars["y"] + bars["height"] < music["y"] < wave["y"] < 900


def test_noise_gets_no_confident_headline(visit: Visit, server: Server) -> None:
    noise = ("noise.wav", wav(signals.noise(12)))
    said = answer(server, noise)
    assert said["tier"] == "unsure"
    visit.classified(noise)
    expect(visit.title).to_have_text(said["verdict"])
    expect(visit.page.locator(".verdict-words")).to_contain_text("hint")
    expect(visit.page.locator(".bars")).to_have_class("bars unsure")
    expect(visit.row).to_contain_text("Not sure")


@pytest.mark.parametrize("width", [360, 1440])
def test_the_headline_is_as_large_as_it_is_sure(opened: Opening, width: int) -> None:
    verdicts = {
        "sure": "Jazz",
        "probable": "Probably jazz",
        "close": "Jazz or blues",
        "unsure": "Not sure: closest are jazz and blues",
    }
    sizes = []
    with opened(viewport={"width": width, "height": 900}) as visit:
        for tier, verdict in verdicts.items():
            said = {"tier": tier, "verdict": verdict, "uncertain": tier == "unsure"}
            with answering(visit.page, partial(_update, said)):
                visit.classified((f"{tier}.wav", tune()))
            expect(visit.title).to_have_text(verdict)
            sizes.append(
                visit.title.evaluate("title => parseFloat(getComputedStyle(title).fontSize)")
            )
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4
    assert sizes[-1] <= 28


def test_a_row_says_none_of_the_ten(visit: Visit) -> None:
    verdict = "None of the ten; sounds like house"
    said = {"tier": "unsure", "uncertain": True, "verdict": verdict}
    with answering(visit.page, partial(_update, said)):
        visit.classified(("house.wav", tune()))
    expect(visit.title).to_have_text(verdict)
    expect(visit.row.locator(".row-state")).to_have_text("None of the ten")


def test_results_of_older_servers_are_put_into_words(visit: Visit) -> None:
    def old(result: dict[str, Any]) -> None:
        for key in ("tier", "verdict", "tags", "sections", "song"):
            result.pop(key, None)
        result["genres"] = [
            {"genre": "hiphop", "probability": 0.7},
            {"genre": "pop", "probability": 0.3},
        ]
        result["uncertain"] = False

    with answering(visit.page, old):
        visit.classified(("old.wav", tune()))
    expect(visit.title).to_have_text("Probably hip-hop")


def test_a_song_goes_by_its_tags_and_its_cover_is_not_kept(visit: Visit) -> None:
    dot = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
    tags = {
        "title": "Blue <b>Train",
        "artist": "Somebody",
        "album": "First",
        "cover": f"data:image/gif;base64,{dot}",
    }
    with answering(visit.page, partial(_update, {"song": tags})):
        visit.classified(("01.wav", tune()))
    head = visit.page.locator(".song-head")
    expect(head).to_contain_text("Blue <b>Train")
    expect(head).to_contain_text("Somebody \u00b7 First")
    expect(head.locator("img")).to_have_attribute("src", tags["cover"])
    expect(visit.row).to_contain_text("Blue <b>Train, Somebody")
    assert dot not in visit.page.evaluate("localStorage.getItem('topgenre.history')")


def test_progress_that_the_server_reports_is_shown(visit: Visit, server: Server) -> None:
    said = answer(server, ("tune.wav", tune()), mode="whole")
    lines = "".join(json.dumps(line) + "\n" for line in ({"progress": 0.42}, said))
    visit.page.route(
        "**/v1/classify*",
        lambda route: route.fulfill(content_type="application/x-ndjson", body=lines),
    )
    visit.page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => window.seen.push(document.body.innerText))
              .observe(document.body, { subtree: true, childList: true, characterData: true });
        }"""
    )
    visit.whole_track.check()
    visit.classified(("tune.wav", tune()))
    expect(visit.title).to_have_text(said["verdict"])
    assert visit.page.evaluate("window.seen.some(text => text.includes('42%'))")


def test_the_sound_can_be_played_and_the_analysed_part_is_drawn(listening: Visit) -> None:
    page = listening.page
    position = page.get_by_role("slider", name="Position in the song")
    canvas = page.locator(".wave canvas")
    expect(page.locator(".player")).to_contain_text("0:00 / 0:30")
    # A waveform is there when columns of the picture differ; a time range alone is flat.
    tall = """canvas => {
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height);
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const { data } = context.getImageData(0, 0, width, height);
        let rows = 0;
        for (let y = 0; y < height; y += 1) {
          for (let x = 0; x < width * 0.2; x += 1) {
            if (data[4 * (y * width + x) + 3] > 200) { rows += 1; break; }
          }
        }
        return rows / height;
    }"""
    expect(page.locator(".listen-note")).to_be_empty()
    page.wait_for_function(f"() => ({tall})(document.querySelector('.wave canvas')) > 0.2")
    box = canvas.bounding_box()
    assert box
    canvas.click(position={"x": 0.51 * box["width"], "y": 20})
    expect(position).to_have_attribute("aria-valuetext", "0:15 of 0:30")
    listening.button("Play the analysed part").click()
    expect(listening.button("Pause")).to_be_visible()
    page.wait_for_function("() => document.querySelector('.wave').ariaValueNow > 10.2")
    listening.button("Pause").click()
    expect(listening.button("Play")).to_be_visible()


def test_the_strings_of_the_ranking_sound_while_the_song_plays(opened: Opening) -> None:
    drawn = """() => {
        const canvas = document.querySelector(".bar-string");
        const { width, height } = canvas;
        const blank = Object.assign(document.createElement("canvas"), { width, height });
        return canvas.toDataURL() !== blank.toDataURL();
    }"""
    with opened(reduced_motion="no-preference") as visit:
        visit.classified(song())
        assert not visit.page.evaluate(drawn)
        visit.button("Play the song").click()
        visit.page.wait_for_function(drawn)
        visit.button("Pause the song").click()
        visit.page.wait_for_function(f"() => !({drawn})()")


def test_a_format_that_the_browser_cannot_decode_is_classified_all_the_same(visit: Visit) -> None:
    visit.classified(("old.wma", audio_files.sample("wma", 14.0, 1)))
    expect(visit.page.locator(".listen-note")).to_contain_text("This browser cannot")
    expect(visit.page.locator(".ruler-part")).to_contain_text("analysed")


def test_the_four_spectrograms_are_drawn_and_switched_by_arrow_keys(listening: Visit) -> None:
    page = listening.page
    page.get_by_text("How it decided").click()
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["Full", "Harmonic", "Percussive", "Onsets"]
    tabs.first.focus()
    pictures = set()
    for name in ("Full", "Harmonic", "Percussive", "Onset"):
        picture = page.get_by_role("img", name=name)
        expect(picture).to_be_visible()
        pictures.add(picture.evaluate("canvas => canvas.toDataURL()"))
        assert picture.evaluate("canvas => canvas.width") >= 431
        expect(page.get_by_role("table", name=name)).to_have_count(1)
        page.keyboard.press("ArrowRight")
    assert len(pictures) == 4
    expect(tabs.first).to_have_attribute("aria-selected", "true")


def test_the_colour_map_grows_evenly_in_lightness(listening: Visit) -> None:
    colors = np.array(
        listening.page.evaluate(
            "import('/static/js/spectrograms/color-map.js').then(({ ember }) =>"
            " Array.from({ length: 65 }, (_, i) => ember(i / 64)))"
        )
    )
    linear = np.where(colors <= 10.3, colors / 255 / 12.92, ((colors / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(np.maximum(luminance, 0.008856)) - 16
    steps = np.diff(lightness[4:])
    assert (steps > 0).all()
    assert steps.std() < 0.25 * steps.mean()


# ---- The whole track


def test_a_whole_track_shows_its_genres_over_time(visit: Visit, server: Server) -> None:
    said = answer(server, changing(), mode="whole")
    page = visit.page
    visit.whole_track.check()
    visit.classified(changing())

    strip = page.get_by_role("slider", name="Genres over time")
    rows = page.get_by_role("table", name="over time").locator("tbody tr")
    expect(rows).to_have_count(len(said["timeline"]))
    strip.focus()
    for window in said["timeline"][:3]:
        best, share = max(window["probabilities"].items(), key=lambda item: item[1])
        words = f"0:{int(window['start']):02} to 0:{int(window['end']):02}: {best} "
        expect(strip).to_have_attribute("aria-valuetext", _begins(words + percents([share])[0]))
        expect(page.locator(".strip-readout")).to_contain_text(words)
        page.keyboard.press("ArrowRight")
    # The strip and the player have one position.
    box = strip.bounding_box()
    assert box
    strip.click(position={"x": 0.51 * box["width"], "y": 10})
    wave = page.get_by_role("slider", name="Position in the song")
    expect(wave).to_have_attribute("aria-valuetext", "0:15 of 0:30")


def test_the_mode_of_a_result_can_be_switched_to_and_fro(visit: Visit) -> None:
    visit.classified(("tune.wav", tune(25)))
    page = visit.page
    strip = page.get_by_role("slider", name="Genres over time")
    expect(strip).to_have_count(0)
    visit.whole_track.check()
    expect(strip).to_be_visible()
    with page.expect_request("**/v1/recommendations*"):
        visit.whole_track.uncheck()
    expect(strip).to_have_count(0)
    # The switch holds for the next file, and for one that is opened again.
    visit.whole_track.check()
    visit.classified(("other.wav", tune(26)))
    expect(strip).to_be_visible()
    visit.whole_track.uncheck()
    visit.row.first.locator("button.row-open").click()
    visit.shows("tune.wav")
    expect(strip).to_have_count(0)


def test_a_song_that_changes_is_shown_in_sections(visit: Visit) -> None:
    said = {
        "verdict": "Changes: classical \u2192 metal",
        "tier": "probable",
        "uncertain": False,
        "sections": [
            {"start": 0, "end": 15, "genre": "classical"},
            {"start": 15, "end": 30, "genre": "metal"},
        ],
    }
    visit.whole_track.check()
    with answering(visit.page, partial(_update, said)):
        visit.classified(changing())
    expect(visit.title).to_have_text("Changes: classical \u2192 metal")
    sections = visit.page.get_by_role("list", name="Sections").get_by_role("button")
    assert sections.all_inner_texts() == ["Classical\n0:00\u20130:15", "Metal\n0:15\u20130:30"]
    sections.last.click()
    position = visit.page.get_by_role("slider", name="Position in the song")
    expect(position).to_have_attribute("aria-valuetext", "0:15 of 0:30")


# ---- Many files, and what can go wrong with them


def test_files_that_cannot_be_judged_say_why(visit: Visit) -> None:
    uploads: list[str] = []
    visit.page.on("request", lambda r: uploads.append(r.url) if r.method == "POST" else None)
    visit.upload(
        ("notes.txt", b"these are words"),
        ("blip.wav", wav(signals.tones(0.4))),
        ("silence.wav", wav(np.zeros(11 * signals.SAMPLE_RATE, np.float32))),
        ("large.wav", bytes(LIMIT + 1)),
        ("nothing.wav", b""),
        ("fine.nosuffix", tune()),
    )
    visit.shows("fine.nosuffix")
    expect(visit.page.locator(".queue-count")).to_have_text("1 of 6 done \u00b7 5 failed")
    failures = visit.page.locator(".failures")
    failures.locator("summary").click()
    for name, words in {
        "notes.txt": "Not a sound file",
        "blip.wav": "Too short",
        "silence.wav": "Silent",
        "large.wav": "Too large",
        "nothing.wav": "Empty",
    }.items():
        expect(failures.get_by_role("region", name=words)).to_contain_text(name)
    expect(failures).to_contain_text("2.0 MB at most")
    assert len(uploads) == 4  # what is too large or empty is not even sent
    assert visit.barriers() == []
    visit.button("Remove all failed").click()
    expect(failures).to_be_hidden()
    expect(visit.row).to_have_count(1)


def test_failures_of_one_kind_are_one_group(visit: Visit) -> None:
    visit.upload(*((f"{i}.txt", f"words {i}".encode()) for i in range(3)))
    group = visit.page.get_by_role("region", name="Not a sound file")
    expect(group.get_by_role("listitem")).to_have_count(3)
    expect(group).to_contain_text("Not a sound file (3)")
    expect(group.get_by_text("choose another file")).to_have_count(1)  # not three


def test_many_files_are_worked_through_two_at_a_time(visit: Visit) -> None:
    page = visit.page
    page.evaluate(
        """() => {
            window.most = 0;
            const count = () => {
                const active = "[data-state=sending], [data-state=analysing]";
                window.most = Math.max(window.most, document.querySelectorAll(active).length);
            };
            const queue = document.getElementById("queue");
            new MutationObserver(count).observe(queue, { subtree: true, attributes: true });
        }"""
    )
    visit.upload(*((f"take {i}.wav", tune()) for i in range(8)))
    expect(page.locator('#queue .row[data-state="done"]')).to_have_count(8)
    assert page.evaluate("window.most") == 2
    visit.shows("take 0.wav")
    expect(page.locator(".queue-count")).to_have_text("8 of 8 done")
    visit.row.nth(5).locator("button.row-open").click()
    visit.shows("take 5.wav")
    expect(visit.row.nth(5).locator("button.row-open")).to_have_attribute("aria-current", "true")
    visit.page.get_by_role("searchbox", name="Filter your files").fill("TAKE 3")
    expect(page.locator("#queue .row:visible")).to_have_count(1)
    _, exported = visit.saved("Export all", "All as JSON")
    assert [result["path"] for result in json.loads(exported)] == [
        f"take {i}.wav" for i in range(8)
    ]
    visit.button("Clear your files").click()
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(visit.button("Choose files")).to_be_visible()


def test_the_first_file_is_the_first_shown(visit: Visit) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if b"first.wav" in (route.request.post_data_buffer or b""):
            held.append(route)
        else:
            route.continue_()

    visit.page.route("**/v1/classify*", hold)
    visit.upload(("first.wav", tune()), ("second.wav", tune()))
    expect(visit.row.nth(1)).to_have_attribute("data-state", "done")
    expect(visit.page.locator("#result")).to_be_hidden()
    held[0].continue_()
    visit.shows("first.wav")


def test_the_same_file_is_one_row(visit: Visit) -> None:
    visit.classified(("tune.wav", tune()))
    other = tune()[:-2] + b"\1\1"  # of the same name and length
    visit.upload(("tune.wav", tune()), ("tune.wav", other))
    expect(visit.row).to_have_count(2)
    visit.upload(("tune.wav", tune()))
    visit.upload(("third.wav", tune()))
    expect(visit.row).to_have_count(3)


def test_genres_of_the_files_are_counted_and_filter_them(visit: Visit) -> None:
    genres = iter(["jazz", "rock", "jazz"])

    def name(result: dict[str, Any]) -> None:
        result["genres"] = [{"genre": next(genres), "probability": 1.0}]
        result.update(tier="sure", uncertain=False, verdict=result["genres"][0]["genre"])

    with answering(visit.page, name):
        for i in range(3):
            visit.classified((f"{i}.wav", tune()))
    chips = visit.page.get_by_role("list", name="Genres of your files").get_by_role("button")
    assert chips.all_inner_texts() == ["Jazz\n2", "Rock\n1"]
    chips.first.click()
    expect(visit.page.locator("#queue .row:visible")).to_have_count(2)
    chips.first.click()
    expect(visit.page.locator("#queue .row:visible")).to_have_count(3)


def test_dropped_files_are_taken(visit: Visit) -> None:
    page = visit.page
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.wav"));
            return transfer;
        }""",
        list(tune(3)),
    )
    page.dispatch_event("#intake", "dragenter", {"dataTransfer": transfer})
    expect(page.locator(".drop-hint")).to_be_visible()
    page.dispatch_event("#intake", "drop", {"dataTransfer": transfer})
    expect(page.locator(".drop-hint")).to_be_hidden()
    visit.shows("dropped.wav")


def test_an_upload_can_be_cancelled_and_taken_up_again(visit: Visit) -> None:
    with slow_network(visit.page):
        visit.upload(("slow.wav", tune(40)))
        expect(visit.row).to_contain_text("Sending")
        visit.button("Cancel slow.wav").click()
        expect(visit.row).to_contain_text("Cancelled")
    expect(visit.page.locator("#result")).to_be_hidden()
    visit.button("Try again: slow.wav").click()
    visit.shows("slow.wav")
    visit.button("Remove slow.wav").click()
    expect(visit.page.locator("#queue")).to_be_hidden()
    expect(visit.page.locator("#result")).to_be_hidden()


@contextmanager
def slow_network(page: Page) -> Iterator[None]:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": 100_000})
    yield
    session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": -1})
    session.detach()


def test_a_busy_server_is_tried_again_by_itself(visit: Visit) -> None:
    busy = {
        "type": "urn:topgenre:problem:busy",
        "title": "Busy",
        "detail": "2 files are before yours; try again",
        "retry_after": 1,
    }
    visit.page.route("**/v1/classify*", lambda route: route.fulfill(status=503, json=busy))
    visit.upload(("patient.wav", tune()))
    expect(visit.row).to_contain_text("Trying again in")
    expect(visit.row).to_contain_text("The server is busy")
    expect(visit.page.locator("#status")).to_contain_text("busy")
    expect(visit.button("Try now: patient.wav")).to_be_visible()
    visit.page.unroute("**/v1/classify*")
    visit.shows("patient.wav")


def test_without_a_network_the_page_waits_for_it(visit: Visit) -> None:
    visit.context.set_offline(True)
    visit.upload(("later.wav", tune()))
    expect(visit.row).to_contain_text("You are offline")
    visit.context.set_offline(False)
    visit.shows("later.wav")


# ---- The microphone


def test_a_recording_is_classified(opened: Opening) -> None:
    with opened(permissions=["microphone"]) as visit:
        record = visit.page.locator("#record")
        record.click()
        expect(record).to_contain_text("8 s left")
        record.click()
        expect(visit.page.locator(".file-name")).to_have_text(
            re.compile(r"^Recording \d\d\.\d\d\.\d\d\.webm$")
        )
        expect(visit.page.locator(".player")).to_contain_text("0:00 / 0:0")


def test_a_microphone_that_is_not_allowed_is_told_in_words(visit: Visit) -> None:
    visit.page.locator("#record").click()
    expect(visit.page.get_by_role("alert")).to_contain_text("microphone is not allowed")


def test_a_sample_can_be_tried(visit: Visit) -> None:
    visit.button("Try a sample").click()
    visit.shows("Sample, broken chords.wav")
    expect(visit.page.locator(".player")).to_contain_text("0:00 / 0:13")


# ---- Recommendations


PREVIEW = "https://cdn-preview.dzcdn.net/stream/1.mp3"
FOUND = {
    "provider": "deezer",
    "label": "Deezer: like Somebody",
    "kind": "artist",
    "notices": [],
    "items": [
        {
            "kind": "track",
            "name": "So <i>What",
            "artists": ["Miles"],
            "url": "https://www.deezer.com/track/1",
            "artwork_url": "https://cdn-images.dzcdn.net/gone.jpg",
            "genre": "",
            "query": "artist radio",
            "preview_url": PREVIEW,
            "spotify_url": "https://open.spotify.com/search/so%20what/tracks",
        },
        {
            "kind": "playlist",
            "name": "Blue Hours",
            "artists": [],
            "url": "javascript:alert(1)",
            "artwork_url": None,
            "genre": "jazz",
            "query": "jazz",
        },
    ],
}

# In every way that a script has; each must fail.
REACH_OUT = """async (urls) => {
  const failed = (start) => new Promise((resolve, reject) => {
    start(() => reject(new Error("it was reached")), resolve);
  });
  for (const url of urls) {
    await failed((reached, resolve) => fetch(url, { mode: "no-cors" }).then(reached, resolve));
    await failed((reached, resolve) => new Audio(url).play().then(reached, resolve));
    await failed((reached, resolve) =>
      Object.assign(new Image(), { onload: reached, onerror: resolve, src: url }));
    await failed((reached, resolve) => import(url).then(reached, resolve));
  }
}"""


def test_searches_open_apart(listening: Visit) -> None:
    section = listening.page.get_by_role("region", name="Music like this")
    links = section.get_by_role("link")
    assert links.count() >= 1
    for link in links.all():
        expect(link).to_have_attribute("target", "_blank")
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        expect(link).to_have_attribute("href", _begins("https://"))


def test_music_is_found_for_an_artist_that_the_visitor_names(opened: Opening) -> None:
    with opened(bypass_csp=True) as visit:
        page = visit.page
        visit.classified(song())
        page.route(
            "**/v1/recommendations*", lambda route: route.fulfill(json={"sections": [FOUND]})
        )
        page.route("https://*.dzcdn.net/*.jpg", lambda route: route.abort())
        page.route(
            "https://*.dzcdn.net/stream/*",
            lambda route: route.fulfill(body=tune(3), content_type="audio/wav"),
        )
        page.get_by_text("Know the artist?").click()
        page.get_by_label("Artist").fill("Somebody")
        page.get_by_label("Title").fill("Some song")
        with page.expect_request("**/v1/recommendations*") as asked:
            visit.button("Find").click()
        for part in ("artist=Somebody", "title=Some+song", "provider=deezer"):
            assert part in asked.value.url

        section = page.get_by_role("region", name="Deezer: like Somebody")
        # Playlists come first; a cover that does not load leaves its tile, and what is not a web
        # address never becomes a link.
        expect(section.locator("ul").first).to_contain_text("Blue Hours")
        expect(section.get_by_role("link", name="Blue Hours")).to_have_count(0)
        expect(section.get_by_role("link", name="So <i>What")).to_be_visible()
        expect(section.get_by_role("link", name="Find on Spotify")).to_be_visible()
        expect(section.locator("img")).to_have_count(0)

        preview = visit.button("Play a preview of So <i>What")
        preview.click()
        expect(preview).to_have_attribute("aria-pressed", "true")
        visit.button("Play the song").click()
        expect(preview).to_have_attribute("aria-pressed", "false")

        name, playlist = visit.saved("Save the list", "Playlist (M3U)")
        assert name.endswith(".m3u8")
        assert playlist.decode().splitlines()[:3] == [
            "#EXTM3U", "#EXTINF:-1,Miles - So <i>What", "https://www.deezer.com/track/1",
        ]  # fmt: skip
        visit.complaints[:] = [said for said in visit.complaints if "dzcdn.net" not in said]


def test_previews_play_from_deezer_and_from_nowhere_else(browser: Browser, tmp_path: Path) -> None:
    deezer = FakeDeezer()
    with (
        deezer.running(),
        serving(tmp_path, "--workers", "1", deezer_api_url=deezer.url) as server,
        visiting(browser, server.url) as visit,
    ):
        page = visit.page
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            route.fulfill(body=tune(30), content_type="audio/wav")

        page.route(lambda url: not url.startswith((server.url, "blob:", "data:")), answer)
        visit.classified(song())
        page.get_by_text("Know the artist?").click()
        page.get_by_label("Artist").fill("Miles Davis")
        visit.button("Find").click()
        preview = page.get_by_role("button", name="Play a preview of Miles Davis radio song 0")
        with page.expect_request(lambda request: urlsplit(request.url).path.endswith(".mp3")):
            preview.click()
        expect(preview).to_have_attribute("aria-pressed", "true")
        # A page that was talked into asking others is stopped by the browser.
        page.evaluate(REACH_OUT, ["https://example.org/", "https://dzcdn.net.example.org/1.mp3"])
        assert {urlsplit(url).hostname for url in asked} <= {
            "cdnt-preview.dzcdn.net", "cdn-images.dzcdn.net",
        }  # fmt: skip
        visit.complaints.clear()  # of what was asked for here


def test_how_to_connect_spotify_is_told_once(visit: Visit) -> None:
    visit.classified(song())
    hint = visit.page.get_by_text("connect Spotify")
    expect(hint).to_be_visible()
    visit.button("Got it").click()
    expect(hint).to_have_count(0)
    visit.classified(("tune.wav", tune()))
    expect(hint).to_have_count(0)


def test_similar_songs_of_a_library_are_shown(visit: Visit) -> None:
    found = {
        "title": "Take Five",
        "artist": "Dave",
        "album": None,
        "genre": "jazz",
        "score": 0.93,
        "reasons": ["same key"],
        "audio_url": None,
    }
    knowing(visit.page, library=True)
    visit.page.route("**/v1/similar*", lambda route: route.fulfill(json={"songs": [found]}))
    visit.classified(song())
    section = visit.page.get_by_role("region", name="Similar in your library")
    for words in ("Take Five", "Dave", "same key", "93%"):
        expect(section).to_contain_text(words)
    assert visit.barriers() == []


def test_a_wrong_answer_can_be_corrected(visit: Visit) -> None:
    visit.classified(song())
    expect(visit.page.get_by_text("Wrong? It is")).to_have_count(0)
    knowing(visit.page, corrections=True)
    visit.page.route("**/v1/corrections", lambda route: route.fulfill(json={}))
    visit.classified(song())
    with visit.page.expect_request("**/v1/corrections") as sent:
        visit.page.get_by_label("Wrong? It is").select_option("Hip-hop")
    assert json.loads(sent.value.post_data or "")["genre"] == "hiphop"
    expect(visit.page.locator(".correction")).to_contain_text("Saved as Hip-hop")


# ---- What is kept, and what is taken away


def test_results_outlive_the_page_without_the_sound(visit: Visit) -> None:
    visit.classified(song())
    verdict = visit.title.inner_text()
    page = visit.page
    page.reload()
    entries = page.locator("#history .row")
    expect(entries).to_have_count(1)
    assert page.evaluate("localStorage.getItem('topgenre.history').length") < 3000
    entries.locator("button").click()
    expect(visit.title).to_have_text(verdict)
    expect(page.locator(".listen-note")).to_contain_text("not kept")

    visit.button("Clear the history").click()
    expect(entries).to_have_count(0)
    visit.button("Bring the history back").click()
    expect(entries).to_have_count(1)
    visit.button("Clear the history").click()
    page.reload()
    expect(page.locator("#history")).to_be_hidden()


def test_a_spoilt_storage_does_no_harm(visit: Visit) -> None:
    page = visit.page
    page.evaluate(
        """() => {
            localStorage.setItem("topgenre.history", '[{"id": 1}, null, {"id": "a", "when": "x"}]');
            localStorage.setItem("topgenre.top", '"many"');
            localStorage.setItem("topgenre.theme", "pink");
        }"""
    )
    page.reload()
    visit.classified(("tune.wav", tune()))
    expect(page.locator(".bar:visible")).to_have_count(5)


def test_a_result_can_be_saved_and_copied(listening: Visit, server: Server) -> None:
    said = answer(server, song())
    saved = listening.saved

    name, data = saved("Export", "JSON")
    assert name == "reggae.topgenre.json"
    del said["spectrograms"], said["song"]["cover"]  # pictures stay out
    assert json.loads(data) == said

    name, data = saved("Export", "CSV")
    (row,) = csv.DictReader(io.StringIO(data.decode()))
    assert name == "reggae.topgenre.csv"
    assert row["path"] == "reggae.opus"
    assert row["genre_1"] == said["genres"][0]["genre"]
    assert float(row["probability_10"]) == said["genres"][9]["probability"]

    name, data = saved("Share", "Save as picture")
    assert name == "reggae.topgenre.png"
    assert struct.unpack(">8sI4sII", data[:24])[2:] == (b"IHDR", 1200, 630)

    listening.choose("Share", "Copy as text")
    expect(listening.page.locator(".action-note")).to_have_text("Copied.")
    text = listening.page.evaluate("navigator.clipboard.readText()")
    for genre, percent in zip(
        said["genres"][:3], percents([g["probability"] for g in said["genres"][:3]]), strict=True
    ):
        assert f"{spoken(genre['genre'])} {percent}" in text


def test_all_results_can_be_saved(visit: Visit) -> None:
    visit.upload(("=one.wav", tune()), ("two.wav", tune()))
    expect(visit.page.locator('#queue .row[data-state="done"]')).to_have_count(2)
    _, table = visit.saved("Export all", "All as CSV")
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    # A name that a spreadsheet would take for a formula is made harmless.
    assert [row["path"] for row in rows] == ["'=one.wav", "two.wav"]
    visit.page.reload()
    _, data = visit.saved("Export the history", "All as JSON")
    assert {result["path"] for result in json.loads(data)} == {"=one.wav", "two.wav"}


# ---- The key


def test_a_server_that_wants_a_key_gets_it_from_the_visitor(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        serving(tmp_path, "--workers", "1", api_key="open sesame") as locked,
        visiting(browser, locked.url) as visit,
    ):
        visit.upload(("tune.wav", tune()))
        dialog = visit.page.get_by_role("dialog")
        field = dialog.get_by_label("API key")
        expect(field).to_be_focused()
        assert visit.barriers() == []
        field.fill("open barley")
        field.press("Enter")
        expect(dialog).to_contain_text("did not take that key")
        field.fill("open sesame")
        field.press("Enter")
        visit.shows("tune.wav")
        assert "sesame" not in visit.page.evaluate("JSON.stringify(localStorage)")
        visit.page.reload()
        visit.classified(("again.wav", tune()))


# ---- For everybody


def test_the_page_can_be_used_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    keyboard = page.keyboard
    keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    keyboard.press("Enter")
    choose = visit.button("Choose files")
    visit.tab_to(choose, most=3)
    # The browser opens its dialog for real keys only; that it is asked to is what counts here.
    page.evaluate("document.getElementById('file').onclick = () => { window.isAsked = true; }")
    keyboard.press("Enter")
    assert page.evaluate("window.isAsked")
    visit.upload(("one.wav", tune(22)), ("two.wav", tune(22)))
    expect(page.locator('#queue .row[data-state="done"]')).to_have_count(2)
    visit.shows("one.wav")
    visit.tab_to(visit.row.nth(1).locator("button.row-open"))
    keyboard.press("Enter")
    visit.shows("two.wav")
    expect(visit.title).to_be_focused()

    visit.tab_to(visit.whole_track)
    keyboard.press("Space")
    strip = page.get_by_role("slider", name="Genres over time")
    expect(strip).to_be_visible()
    visit.tab_to(visit.button("Export"))
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(visit.button("JSON")).to_be_focused()
    keyboard.press("Escape")
    expect(visit.button("Export")).to_be_focused()
    visit.tab_to(page.get_by_role("slider", name="Genres shown"))
    keyboard.press("ArrowRight")
    expect(page.locator(".bar:visible")).to_have_count(6)
    visit.tab_to(page.get_by_role("slider", name="Position in the song"))
    keyboard.press("ArrowRight")
    expect(page.get_by_role("slider", name="Position in the song")).to_have_attribute(
        "aria-valuetext", "0:05 of 0:22"
    )
    visit.tab_to(strip)
    keyboard.press("End")
    expect(strip).to_have_attribute("aria-valuenow", "22.0")
    visit.tab_to(page.locator(".decision summary"))
    keyboard.press("Enter")
    visit.tab_to(page.get_by_role("tab", name="Full"))
    keyboard.press("End")
    expect(page.get_by_role("tab", name="Onsets")).to_be_focused()
    visit.tab_to(visit.button("Remove one.wav"))
    keyboard.press("Enter")
    expect(visit.row).to_have_count(1)


def test_news_is_told_to_screen_readers(visit: Visit, server: Server) -> None:
    said = answer(server, song())
    visit.classified(song())
    expect(visit.page.locator("#status")).to_contain_text(said["verdict"])
    expect(visit.page.get_by_role("list", name="most probable first")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_barrier_is_found_in_either_theme(opened: Opening, scheme: str) -> None:
    with opened(color_scheme=scheme) as visit:
        assert visit.barriers() == []
        visit.whole_track.check()
        visit.upload(changing(), ("notes.txt", b"these are words"))
        visit.shows(changing()[0])
        visit.page.locator(".failures summary").click()
        visit.page.get_by_text("How it decided").click()
        visit.page.get_by_text("Know the artist?").click()
        visit.button("Share").click()
        assert visit.barriers() == []


def test_the_theme_is_the_systems_until_one_is_chosen(opened: Opening) -> None:
    background = "getComputedStyle(document.documentElement).backgroundColor"
    with opened(color_scheme="dark") as visit:
        page = visit.page
        assert page.evaluate(background) == DARK
        visit.button("Switch to the light theme").click()
        light = page.evaluate(background)
        assert light != DARK
        page.reload()
        assert page.evaluate(background) == light
        visit.button("Switch to the dark theme").click()
        assert page.evaluate(background) == DARK
        page.emulate_media(color_scheme="light")
        assert page.evaluate(background) == light


def test_nothing_is_wider_than_a_small_telephone(opened: Opening) -> None:
    with opened(viewport={"width": 360, "height": 740}, has_touch=True) as visit:
        assert visit.overflow() <= 0
        visit.whole_track.check()
        visit.upload(("a" * 120 + ".ogg", changing()[1]), ("b" * 120 + ".txt", b"words"))
        visit.shows("a" * 120 + ".ogg")
        visit.page.locator(".failures summary").click()
        visit.page.get_by_text("How it decided").click()
        assert visit.overflow() <= 0
        assert visit.barriers() == []


def test_fingers_can_hit_everything(opened: Opening) -> None:
    small = """() => [...document.querySelectorAll("button, a, input, select, summary")]
        .filter(element => element.checkVisibility() && !element.closest(".hidden, .colophon"))
        .filter(element => element.tabIndex >= 0 && !element.matches(".skip"))
        .filter(element => element.getBoundingClientRect().height < 43.5)
        .map(element => element.outerHTML)"""
    with opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        assert visit.page.evaluate(small) == []
        visit.upload(
            song(), ("notes.txt", b"words"), ("silence.wav", wav(np.zeros(250_000, np.float32)))
        )
        visit.shows(song()[0])
        visit.page.locator(".failures summary").click()
        visit.button("Share").click()
        assert visit.page.evaluate(small) == []


def test_many_files_leave_the_result_in_sight_on_a_telephone(opened: Opening) -> None:
    with opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as visit:
        visit.upload(*((f"take {i}.wav", tune()) for i in range(6)))
        visit.shows("take 0.wav")
        expect(visit.page.locator(".queue-count")).to_have_text("6 of 6 done")
        name, title = visit.page.locator(".file-name"), visit.title
        expect(name).to_be_in_viewport()
        expect(title).to_be_in_viewport()
        # The strip of files stays in sight further down, and leads to another result.
        visit.page.locator(".decision").scroll_into_view_if_needed()
        visit.row.nth(1).locator("button.row-open").click()
        visit.shows("take 1.wav")
        expect(name).to_be_in_viewport()
        expect(title).to_be_in_viewport()


def test_little_moves_for_those_who_want_less_motion(visit: Visit) -> None:
    page = visit.page
    strings = page.locator("#strings")
    before = strings.evaluate("canvas => canvas.toDataURL()")
    box = strings.bounding_box()
    assert box
    page.mouse.move(box["x"] + 300, box["y"] + 2)
    page.mouse.move(box["x"] + 300, box["y"] + box["height"] - 2, steps=8)
    page.wait_for_timeout(150)
    assert strings.evaluate("canvas => canvas.toDataURL()") == before
    visit.classified(("tune.wav", tune()))
    page.wait_for_timeout(50)
    running = "document.getAnimations().filter(a => a.playState === 'running').length"
    assert page.evaluate(running) == 0


def test_the_strings_move_when_a_pointer_crosses_them(opened: Opening) -> None:
    with opened(reduced_motion="no-preference") as visit:
        page = visit.page
        strings = page.locator("#strings")
        page.wait_for_function(
            """() => new Promise(resolve => {
                const canvas = document.getElementById("strings");
                const before = canvas.toDataURL();
                setTimeout(() => resolve(canvas.toDataURL() === before), 200);
            })"""
        )  # what the page plays as a greeting has faded
        before = strings.evaluate("canvas => canvas.toDataURL()")
        box = strings.bounding_box()
        assert box
        page.mouse.move(box["x"] + 300, box["y"] + 2)
        page.mouse.move(box["x"] + 300, box["y"] + box["height"] - 2, steps=8)
        page.wait_for_function(
            "before => document.getElementById('strings').toDataURL() !== before", arg=before
        )


def _update(more: dict[str, Any], result: dict[str, Any]) -> None:
    result.update(more)


def _begins(text: str) -> re.Pattern[str]:
    return re.compile("^" + re.escape(text))
