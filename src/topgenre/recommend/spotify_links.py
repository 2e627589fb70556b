"""Link tracks that another service found to the same tracks on Spotify."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from topgenre.errors import RecommendationError
from topgenre.recommend.items import Item
from topgenre.recommend.mixture import same_name, spoken
from topgenre.recommend.search_links import search_url
from topgenre.recommend.spotify import Client


def with_spotify_links(
    items: Iterable[Item], client: Client | None, time_limit: float
) -> list[Item]:
    """Add `Item.spotify_url` to tracks: the track itself, or else a search for it.

    Parameters
    ----------
    items : iterable of Item
    client : Client or None
        Client that looks tracks up; without one, every link is a search.
    time_limit : float
        Seconds that all look-ups together may take.
    """
    items = list(items)
    links = _looked_up(items, client, time_limit) if client else {}
    return [
        replace(item, spotify_url=links.get(item.url) or search_url(_words(item)))
        if item.kind == "track" and item.artists
        else item
        for item in items
    ]


def _looked_up(items: Iterable[Item], client: Client, time_limit: float) -> dict[str, str]:
    links: dict[str, str] = {}
    try:
        with client.connect(time_limit) as connection:
            for item in items:
                if item.kind != "track" or not item.artists:
                    continue
                query = f'track:"{spoken(_bare(item.name))}" artist:"{spoken(item.artists[0])}"'
                for found in next(client.search(connection, query, "track", ""), ()):
                    if _same_track(found, item):
                        links[item.url] = found.url
                        break
    except RecommendationError:
        pass  # a search link does as well
    return links


def _same_track(found: Item, wanted: Item) -> bool:
    names = {same_name(artist) for artist in found.artists}
    return same_name(wanted.artists[0]) in names and (
        same_name(_bare(found.name)) == same_name(_bare(wanted.name))
    )


def _words(item: Item) -> str:
    return f"{item.artists[0]} {_bare(item.name)}"


def _bare(title: str) -> str:
    """Return a title without additions such as "(Remastered 2011)" or " - Live"."""
    return re.split(r"\s+[(\[]|\s+-\s+", title)[0].strip() or title
