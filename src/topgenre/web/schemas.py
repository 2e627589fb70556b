"""The bodies of the answers, as OpenAPI documents them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class GenreProbability(BaseModel):
    """One genre and its calibrated probability."""

    genre: str = Field(examples=["jazz"])
    probability: float = Field(ge=0, le=1, examples=[0.812])


class Stretch(BaseModel):
    """A part of the sound, in seconds from its beginning."""

    start: float = Field(ge=0, examples=[95.2])
    end: float = Field(ge=0, examples=[105.2])


class TimelineWindow(Stretch):
    """What one window of a whole track was taken for."""

    probabilities: dict[str, float] = Field(examples=[{"jazz": 0.7, "blues": 0.3}])


class Tag(BaseModel):
    """A style, an instrument or a mood that the model hears beside the genres."""

    name: str = Field(examples=["saxophone"])
    probability: float = Field(ge=0, le=1)
    outside: bool = Field(description="Whether it is a style that the genres do not cover.")


class Section(Stretch):
    """A part of a whole track that changes its genre."""

    genre: str = Field(examples=["jazz"])


class Song(BaseModel):
    """Which song it is, as the file's tags say."""

    title: str | None
    artist: str | None
    album: str | None
    has_cover: bool = Field(description="Whether there is a cover picture of 300 kB at most.")
    cover: str | None = Field(description="It as a `data:` URL, if asked for.")


class SpectrogramChannel(BaseModel):
    """One spectrogram as numbers to draw."""

    name: Literal["full", "harmonic", "percussive", "onset"]
    unit: Literal["dB", "strength"]
    bands_hz: list[float] = Field(
        description="Centre frequency of each row; for `onset` the edges of its sub-bands."
    )
    low: float = Field(description="What a byte of 0 stands for.")
    high: float = Field(description="What a byte of 255 stands for.")
    rows: int
    data: str = Field(description="Base64 of rows x n_frames bytes, lowest frequency first.")


class SpectrogramPictures(BaseModel):
    """The four spectrograms that the network read, as numbers to draw."""

    start: float
    hop_seconds: float
    n_frames: int
    channels: list[SpectrogramChannel]


class Classification(BaseModel):
    """The genres of one file."""

    path: str = Field(description="The file's name as it was sent.", examples=["song.mp3"])
    genres: list[GenreProbability] = Field(description="Most probable first.")
    verdict: str = Field(description="The answer in one phrase.", examples=["Probably jazz"])
    tier: Literal["sure", "probable", "close", "unsure"] = Field(
        description="How much confidence the words of `verdict` express."
    )
    uncertain: bool = Field(description="Whether the model is not sure.")
    music: float = Field(ge=0, le=1, description="Probability that this is music at all.")
    tags: list[Tag] = Field(description="Styles, instruments and moods, most probable first.")
    segment: Stretch = Field(description="The part that was analysed.")
    duration: float | None = Field(description="Seconds of the whole sound.", examples=[200.4])
    model: str = Field(examples=["topgenre 1"])
    notices: list[str] = Field(description="Remarks on how the answer was reached.")
    mode: Literal["middle", "whole"]
    timeline: list[TimelineWindow] | None = Field(description="With mode=whole only.")
    sections: list[Section] | None = Field(
        description="With mode=whole only: the parts of a track that changes its genre."
    )
    song: Song
    spectrograms: SpectrogramPictures | None = Field(description="If asked for.")


class Genres(BaseModel):
    """The genres that the model tells apart."""

    model: str = Field(examples=["topgenre 1"])
    genres: list[str] = Field(examples=[["blues", "classical", "country"]])


class RecommendationProvider(BaseModel):
    """A source of recommendations."""

    name: str = Field(examples=["search-links"])
    label: str = Field(examples=["Search on Spotify"])
    kind: Literal["search", "tracks", "artist", "charts", "library"]


class Info(Genres):
    """What a client needs to know about this server."""

    version: str = Field(examples=["0.1.0"])
    max_upload_bytes: int | None = Field(description="Null for no limit.")
    suffixes: list[str] = Field(examples=[[".mp3", ".flac"]])
    recommendation_providers: list[RecommendationProvider]
    library: bool = Field(description="Whether it has a catalogue to find similar songs in.")
    needs_api_key: bool


class RecommendedItem(BaseModel):
    """Something to listen to."""

    kind: Literal["track", "playlist", "search"]
    name: str
    artists: list[str]
    url: str = Field(description="Where it can be heard; empty if it cannot be.")
    artwork_url: str | None
    genre: str
    query: str = Field(description="The query that found it.")
    preview_url: str | None = Field(description="30 s as an MP3, valid for some minutes.")
    spotify_url: str | None = Field(description="The track on Spotify, or a search for it.")


class RecommendationSection(BaseModel):
    """What one provider recommends; providers are never mixed."""

    provider: str
    label: str
    kind: Literal["search", "tracks", "artist", "charts", "library"]
    items: list[RecommendedItem]
    notices: list[str] = Field(description="Why there is less than was asked for, if so.")


class Recommendations(BaseModel):
    """Music for a mixture of genres."""

    sections: list[RecommendationSection]


class SimilarSong(BaseModel):
    """A song of the server's catalogue."""

    id: str | None = Field(
        description="For `/v1/library/{id}/audio`; null if it may not be played."
    )
    title: str
    artist: str | None
    album: str | None
    genre: str
    score: float = Field(ge=0, le=1, description="Cosine similarity of the embeddings.")
    reasons: list[str] = Field(examples=[["both jazz"]])
    duration: float | None = Field(description="Seconds.")
    audio_url: str | None = Field(description="Where it can be played, from the page's address.")


class SimilarSongs(BaseModel):
    """Songs that sound like a file, most similar first."""

    songs: list[SimilarSong]


class Status(BaseModel):
    """Whether the server lives, or can work."""

    status: Literal["ok", "ready"]
