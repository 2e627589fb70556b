"""Links to a search on Spotify: no account, no network, and no more than they claim."""

from __future__ import annotations

from urllib.parse import quote

from topgenre.recommend.items import SEARCH_LINKS, Item, ProviderInfo, Section, Wish
from topgenre.recommend.mixture import quotas, spoken

_URL = "https://open.spotify.com/search/{}/playlists"


class SearchLinks:
    """A link for each genre that has a share in the mixture."""

    info: ProviderInfo = SEARCH_LINKS

    def find(self, wish: Wish) -> Section:
        """Return links, heaviest genre first."""
        items = [
            Item(
                kind="search",
                name=f"Search Spotify for {spoken(genre)} playlists",
                artists=(),
                url=_URL.format(quote(spoken(genre), safe="")),
                artwork_url=None,
                genre=genre,
                query=spoken(genre),
            )
            for genre in quotas(wish.weights, wish.limit)
        ]
        return Section.of(self.info, items)
