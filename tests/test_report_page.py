"""The report in a real browser, read from a file: safe, quiet, and usable by everybody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote_from_bytes

import numpy as np
import pytest

from browser import CHROMIUM, Browser, Locator, Page, expect
from page_driver import Visit, Window, chromium, visiting
from song_rows import Library

HOSTILE = '</script><img src=x onerror="pwned=1">\'`${pwned=1}<!--\u202eabc'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(CHROMIUM) as running:
        yield running


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two hundred songs; jazz is west, rock is east, and the unsure are north."""
    folder = tmp_path_factory.mktemp("report")
    library = Library(folder / "Music")
    rng = np.random.default_rng(5)
    for number in range(200):
        genre = ("jazz", "rock")[number % 2]
        uncertain = number % 3 == 0
        place = [10, 8 * (number % 2), 3 * uncertain, *(3 * rng.standard_normal(3))]
        library.add(
            f"Album {number % 7}/{number:03d}.mp3",
            genre,
            0.36 + number / 1000 if uncertain else 0.8,
            uncertain=uncertain,
            embedding=np.array(place),
            artist=f"Artist {number % 5}",
            title=f"Title {number}",
        )
    library.add_failure("Album 1/broken.mp3")
    page = folder / "report.html"
    assert library.call("report", "--out", page).exit_code == 0
    library.catalogue.close()
    return page


@pytest.fixture(scope="module")
def window(browser: Browser) -> Window:
    return Window(browser)


@pytest.fixture
def visit(window: Window, report: Path) -> Iterator[Visit]:
    with window.visiting(report.as_uri()) as visit:
        yield visit


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_barrier_is_found_and_nothing_overflows(
    window: Window, report: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    with window.visiting(
        report.as_uri(), color_scheme=scheme, viewport={"width": width, "height": 800}
    ) as visit:
        page = visit.page
        assert visit.overflow() <= 0
        page.locator("summary").first.click()
        page.locator(".chip").first.click()
        page.locator("#review-find").fill("title 3")
        page.locator("#map-cursor").focus()
        assert visit.overflow() <= 0
        assert visit.barriers() == []


@pytest.mark.skipif(os.name != "posix", reason="such names are forbidden here")
def test_hostile_names_are_only_names(window: Window, tmp_path: Path) -> None:
    library = Library(tmp_path / f"Music{HOSTILE.replace('/', '')}")
    name = os.fsdecode(b"\xff%41 #?&\\;\n") + HOSTILE.replace("/", "") + ".txt"
    path = Path(library.add(name, HOSTILE, 0.8, uncertain=True))
    path.write_text("this very file", encoding="utf-8")
    library.add("b.mp3", "rock", 0.8, uncertain=True, artist=HOSTILE, title=HOSTILE)
    library.add_failure(f"{HOSTILE.replace('/', '')}.wav", HOSTILE)
    page = tmp_path / "report.html"
    assert library.call("report", "--out", page).exit_code == 0
    library.catalogue.close()
    with window.visiting(page.as_uri()) as visit:
        shown = HOSTILE.replace("\u202e", "")  # which would turn the order of the text around
        link = visit.page.locator("#review-table a").last
        expect(link).to_contain_text("\\udcff%41 #?&\\;\\x0a<script><img")
        expect(visit.page.locator("#review-table")).to_contain_text(f"{shown} - {shown}")
        expect(visit.page.locator(".chip", has_text=HOSTILE[:9])).to_have_count(1)
        visit.page.locator("#map-find").fill("onerror")
        expect(visit.page.locator("#map-name")).to_contain_text("onerror=")
        visit.page.locator("#review-genre").select_option(shown)
        expect(visit.page.locator("#review-count")).to_have_text("1 of 2 songs")
        visit.page.locator("summary").click()
        expect(visit.page.locator(".reason")).to_contain_text("<img src=x")
        assert visit.page.locator("img").count() == 0
        assert visit.page.evaluate("typeof pwned") == "undefined"
        address = link.get_attribute("href")
        assert address == "file://" + quote_from_bytes(os.fsencode(path))
        with visit.page.expect_popup() as opened:
            link.click()
        expect(opened.value.locator("body")).to_have_text("this very file")


def test_the_policy_lets_nothing_in(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    blocked = page.evaluate(
        """async () => {
            const blocked = [];
            document.addEventListener("securitypolicyviolation",
                event => blocked.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "pwned = 1";
            const image = new Image();
            image.src = "https://example.org/x.png";
            const style = document.createElement("style");
            style.textContent = "body { color: red }";
            document.body.append(script, image, style);
            await fetch("https://example.org/").catch(() => {});
            await new Promise(resolve => setTimeout(resolve, 100));
            return blocked.sort();
        }"""
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem", "style-src-elem"]
    assert page.evaluate("typeof pwned") == "undefined"
    page.close()


def name(link: Locator) -> str:
    return link.get_attribute("aria-label") or ""


def href(link: Locator) -> str:
    return link.get_attribute("href") or ""


def test_the_map_is_used_by_keyboard(visit: Visit) -> None:
    page = visit.page
    cursor, count = page.locator("#map-cursor"), page.locator("#map-count")
    expect(count).to_have_text("200 songs")
    visit.tab_to(cursor)
    seen = [name(cursor)]
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        seen.append(name(cursor))
    page.keyboard.press("ArrowUp")
    seen.append(name(cursor))
    assert len(set(seen)) == 6
    assert all(words.startswith("Artist ") for words in seen)
    expect(page.locator("#map-spoken")).to_have_text(seen[-1])
    expect(page.locator("#map-name a")).to_have_attribute("href", href(cursor))
    transform = cursor.evaluate("link => link.style.transform")
    page.keyboard.press("+")
    expect(page.locator("#map-frame")).to_have_class("map-frame zoomed")
    page.keyboard.press("0")
    expect(page.locator("#map-frame")).to_have_class("map-frame")
    page.wait_for_function(
        "before => document.getElementById('map-cursor').style.transform === before", arg=transform
    )

    jazz = page.locator(".chip", has_text="Jazz")
    visit.tab_to(jazz)
    page.keyboard.press("Enter")
    expect(jazz).to_have_attribute("aria-pressed", "true")
    expect(count).to_have_text("100 of 200 songs")
    assert "Jazz" in name(cursor)
    sure = page.get_by_role("checkbox", name="Hide songs that are not sure")
    visit.tab_to(sure)
    page.keyboard.press("Space")
    expect(count).to_have_text("66 of 200 songs")
    page.get_by_role("searchbox", name="Find on the map").fill("title 194")
    expect(count).to_have_text("1 of 200 songs")
    expect(page.locator("#map-name")).to_have_text("Artist 4 - Title 194")
    page.get_by_role("searchbox", name="Find on the map").fill("nowhere")
    expect(cursor).to_be_hidden()
    expect(count).to_have_text("0 of 200 songs")


def test_pointing_at_a_song_shows_and_links_it(visit: Visit) -> None:
    page = visit.page
    frame = page.locator("#map-frame")
    frame.scroll_into_view_if_needed()
    page.locator("#map-find").fill("title 42")
    cursor = page.locator("#map-cursor")
    cursor.element_handle().wait_for_element_state("stable")
    box = cursor.bounding_box()
    assert box
    page.locator("#map-find").fill("")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#map-name")).to_have_text("Artist 2 - Title 42")
    assert href(cursor).endswith("/Music/Album%200/042.mp3")
    opened: list[Page] = []
    page.on("popup", lambda popup: opened.append(popup))
    with page.expect_popup():
        page.mouse.down()
        page.mouse.up()
    # A drag of the zoomed map is no click.
    page.locator("#map-in").click()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] - 40, box["y"] - 30, steps=4)
    expect(frame).to_have_class("map-frame zoomed dragging")
    page.mouse.up()
    expect(frame).to_have_class("map-frame zoomed")
    assert len(opened) == 1


def test_the_list_is_sorted_and_filtered_by_keyboard(visit: Visit) -> None:
    page = visit.page
    rows = page.locator("#review-table tbody tr")
    first = rows.first.locator("a")
    expect(rows).to_have_count(50)
    expect(first).to_have_text("Artist 0 - Title 0")
    table = page.locator("#review-table")
    head = table.get_by_role("columnheader", name="Confidence", exact=True)
    expect(head).to_have_attribute("aria-sort", "ascending")
    visit.tab_to(head.get_by_role("button"))
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(first).to_have_text("Artist 3 - Title 198")
    page.get_by_role("button", name="Song").press("Enter")
    expect(first).to_have_text("Artist 0 - Title 0")
    expect(rows.nth(1).locator("a")).to_have_text("Artist 0 - Title 15")
    expect(head).not_to_have_attribute("aria-sort", "descending")

    more = page.get_by_role("button", name="Show 17 more")
    more.press("Enter")
    expect(rows).to_have_count(67)
    expect(rows.nth(50).locator("a")).to_be_focused()
    expect(page.locator("#review-more")).to_be_hidden()

    find = page.get_by_role("searchbox", name="Find in the list")
    find.fill("19 title")
    expect(page.locator("#review-count")).to_have_text("3 of 67 songs")
    page.get_by_label("First guess").select_option(label="Rock")
    expect(page.locator("#review-count")).to_have_text("1 of 67 songs")
    expect(rows).to_have_count(1)


def test_without_scripts_all_but_the_map_is_there(browser: Browser, report: Path) -> None:
    with visiting(browser, report.as_uri(), java_script_enabled=False) as visit:
        page = visit.page
        expect(page.locator("#review-table tbody tr")).to_have_count(67)
        expect(page.locator(".bar")).to_have_count(3)
        # Which the locators for text leave out.
        expect(page.locator("noscript p")).to_be_visible()
        for part in ("#map-view", "#review-tools", "#review-more"):
            expect(page.locator(part)).to_be_hidden()
