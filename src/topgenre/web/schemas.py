"""Define the bodies of the answers for OpenAPI."""

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
    """The genres of one window of a whole track."""

    probabilities: dict[str, float] = Field(examples=[{"jazz": 0.7, "blues": 0.3}])


class Tag(BaseModel):
    """A style, an instrument or a mood that the model hears beside the genres."""

    name: str = Field(examples=["saxophone"])
    probability: float = Field(ge=0, le=1)
    outside: bool = Field(description="Whether it is a style outside the model's genres.")


class Section(Stretch):
    """A section of a whole track that changes its genre."""

    genre: str = Field(examples=["jazz"])


class Song(BaseModel):
    """The song according to the file's tags."""

    title: str | None
    artist: str | None
    album: str | None
    has_cover: bool = Field(description="Whether the file has a cover picture of at most 300 kB.")
    cover: str | None = Field(description="The cover as a `data:` URL, if requested.")


class SpectrogramChannel(BaseModel):
    """One spectrogram as numbers to draw."""

    name: Literal["full", "harmonic", "percussive", "onset"]
    unit: Literal["dB", "strength"]
    bands_hz: list[float] = Field(
        description="Centre frequency of each row; for `onset` the edges of its sub-bands."
    )
    low: float = Field(description="Value of a byte of 0.")
    high: float = Field(description="Value of a byte of 255.")
    rows: int
    data: str = Field(description="Base64 of rows x n_frames bytes, lowest frequency first.")


class SpectrogramPictures(BaseModel):
    """The four spectrograms of the network's input, as numbers to draw."""

    start: float
    hop_seconds: float
    n_frames: int
    channels: list[SpectrogramChannel]


class Classification(BaseModel):
    """The genres of one file."""

    id: str | None = Field(
        description="For `/v1/corrections`; null if the server does not accept any."
    )
    path: str = Field(description="The file name that the client sent.", examples=["song.mp3"])
    genres: list[GenreProbability] = Field(description="Most probable first.")
    verdict: str = Field(description="The answer in one phrase.", examples=["Probably jazz"])
    tier: Literal["sure", "probable", "close", "unsure"] = Field(
        description="Confidence of the verdict."
    )
    uncertain: bool = Field(description="Whether the model is not sure.")
    music: float = Field(ge=0, le=1, description="Probability that this is music.")
    tags: list[Tag] = Field(description="Styles, instruments and moods, most probable first.")
    segment: Stretch = Field(description="The part that was analysed.")
    duration: float | None = Field(description="Seconds of the whole sound.", examples=[200.4])
    model: str = Field(examples=["topgenre 1"])
    notices: list[str] = Field(description="Remarks on how the answer was reached.")
    mode: Literal["middle", "whole"]
    timeline: list[TimelineWindow] | None = Field(description="With mode=whole only.")
    sections: list[Section] | None = Field(
        description="With mode=whole only: the sections of a track that changes its genre."
    )
    song: Song
    spectrograms: SpectrogramPictures | None = Field(description="If requested.")


class Correction(BaseModel):
    """The right genre of a song in the server's catalogue."""

    id: str = Field(pattern="^[0-9a-f]{64}$", description="The `id` of a result of `/v1/classify`.")
    genre: str = Field(
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description="One of the model's, or any other.",
        examples=["shoegaze"],
    )


class Genres(BaseModel):
    """The genres the model knows."""

    model: str = Field(examples=["topgenre 1"])
    genres: list[str] = Field(examples=[["blues", "classical", "country"]])


class RecommendationProvider(BaseModel):
    """A source of recommendations."""

    name: str = Field(examples=["search-links"])
    label: str = Field(examples=["Search on Spotify"])
    kind: Literal["search", "tracks", "artist", "charts", "library"]


class Info(Genres):
    """Facts about this server for clients."""

    version: str = Field(examples=["0.1.0"])
    max_upload_bytes: int | None = Field(description="Null for no limit.")
    suffixes: list[str] = Field(examples=[[".mp3", ".flac"]])
    recommendation_providers: list[RecommendationProvider]
    library: bool = Field(description="Whether it has a catalogue of songs.")
    corrections: bool = Field(description="Whether it accepts corrections of its catalogue.")
    needs_api_key: bool


class RecommendedItem(BaseModel):
    """Something to listen to."""

    kind: Literal["track", "playlist", "search"]
    name: str
    artists: list[str]
    url: str = Field(description="Where to listen to it; empty if that is impossible.")
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
    notices: list[str] = Field(description="Why there are fewer items than requested, if so.")


class Recommendations(BaseModel):
    """Music for a mixture of genres."""

    sections: list[RecommendationSection]


class SimilarSong(BaseModel):
    """A song of the server's catalogue."""

    id: str | None = Field(
        description="For `/v1/library/{id}/audio`; null if it must not be played."
    )
    title: str
    artist: str | None
    album: str | None
    genre: str
    score: float = Field(ge=0, le=1, description="Cosine similarity of the embeddings.")
    reasons: list[str] = Field(examples=[["both jazz"]])
    duration: float | None = Field(description="Seconds.")
    audio_url: str | None = Field(description="URL to play it, relative to the page.")


class SimilarSongs(BaseModel):
    """Songs that sound like a file, most similar first."""

    songs: list[SimilarSong]


class Status(BaseModel):
    """Whether the server is alive, or ready."""

    status: Literal["ok", "ready"]
