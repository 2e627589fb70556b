"""The segment: where it lies, what it holds, and what is said when there is none."""

import io
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bombs
from audio_files import (
    FORMATS,
    Floats,
    Pipe,
    dsd,
    encode,
    full_decode,
    middle,
    noise,
    sample,
    shift_between,
)
from topgenre.audio import SAMPLE_RATE, Segment, load_segment
from topgenre.errors import (
    AudioError,
    DamagedAudioError,
    NoAudioStreamError,
    NotAudioError,
    SilentError,
    SourceNotFoundError,
    TooShortError,
)

LENGTH = 10 * SAMPLE_RATE


def load(data: bytes) -> Segment:
    return load_segment(io.BytesIO(data), name="it")


def assert_is_middle(segment: Segment, whole: Floats, tolerance: int = 0) -> None:
    """Compare with the middle of the whole sound, up to a shift of `tolerance` samples."""
    expected = middle(whole)
    if tolerance == 0:
        assert len(segment.samples) == len(expected)
        np.testing.assert_allclose(segment.samples, expected, atol=2e-6)
    else:
        shift, agreement = shift_between(segment.samples, expected)
        assert abs(shift) <= tolerance
        assert agreement > 0.99
    assert segment.start == pytest.approx(
        max(0, len(whole) - LENGTH) / 2 / SAMPLE_RATE, abs=(tolerance + 1) / SAMPLE_RATE
    )
    assert segment.end - segment.start == pytest.approx(len(segment.samples) / SAMPLE_RATE)


def frame_of(name: str) -> int:
    """Give the codec's frame in output samples."""
    return -(-FORMATS[name].lossy_frame * SAMPLE_RATE // FORMATS[name].rate)


# ------------------------------------------------------------------------------ the right samples


@pytest.mark.parametrize("name", FORMATS)
def test_middle_of_a_long_sound(name: str) -> None:
    segment = load(sample(name))
    assert segment.samples.dtype == np.float32
    assert segment.samples.flags.c_contiguous
    assert segment.samples.shape == (LENGTH,)
    assert segment.notices == ()
    assert_is_middle(segment, full_decode(sample(name)), frame_of(name))


@pytest.mark.parametrize("name", ["wav24", "flac"])
def test_a_long_segment_is_the_same_as_all_at_once(name: str) -> None:
    segment = load_segment(io.BytesIO(sample(name)), seconds=30)
    np.testing.assert_allclose(
        segment.samples, middle(full_decode(sample(name)), 30 * SAMPLE_RATE), atol=2e-6
    )


def test_blocks_longer_than_what_is_decoded_around_the_segment() -> None:
    value = 900
    segment = load(bombs.steady_flac(60, 44_100, value=value))  # blocks of 1.5 s
    assert len(segment.samples) == LENGTH
    assert segment.notices == ()
    np.testing.assert_allclose(segment.samples, value / 2**15, atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_short_sound_is_taken_whole(name: str) -> None:
    data = sample(name, 4.7)
    segment = load(data)
    whole = full_decode(data)
    assert segment.start == 0.0
    assert abs(len(segment.samples) - len(whole)) <= frame_of(name)
    assert_is_middle(segment, whole, frame_of(name))
    assert len(segment.notices) == 1
    assert segment.notices[0].startswith("only 4.")


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(channels: int) -> None:
    sound = noise(3.0, SAMPLE_RATE, channels)
    segment = load(encode(sound, SAMPLE_RATE, "wav", "pcm_f32le"))
    np.testing.assert_allclose(segment.samples, sound.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("codec", "step"),
    [("pcm_u8", 2**-7), ("pcm_s16le", 2**-15), ("pcm_s24le", 2**-23), ("pcm_s32le", 2**-24)],
)
def test_integer_samples_are_scaled_to_one(codec: str, step: float) -> None:
    sound = noise(2.0, SAMPLE_RATE)
    segment = load(encode(sound, SAMPLE_RATE, "wav", codec))
    np.testing.assert_allclose(segment.samples, sound[0], atol=1.01 * step)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    length=st.integers(1, 600_000),
    rate=st.sampled_from([8_000, 11_025, 22_050, 32_000, 44_100, 47_999, 48_000, 96_000]),
    channels=st.sampled_from([1, 2]),
    seconds=st.sampled_from([10.0, 3.3]),
)
def test_any_length_rate_and_channel_count(
    length: int, rate: int, channels: int, seconds: float
) -> None:
    data = encode(noise(length / rate, rate, channels), rate, "wav", "pcm_s16le")
    try:
        segment = load_segment(io.BytesIO(data), seconds=seconds)
    except TooShortError:
        assert length < rate
        return
    assert length >= rate
    wanted = round(seconds * SAMPLE_RATE)
    total = length * SAMPLE_RATE // rate
    assert len(segment.samples) == min(wanted, total)
    whole = full_decode(data)[:total]
    np.testing.assert_allclose(segment.samples, middle(whole, wanted), atol=2e-6)


def test_sample_rate_change_in_mid_stream() -> None:
    slow = encode(noise(12.0, 44_100, seed=1), 44_100, "mp3", "libmp3lame", 96_000)
    slower = encode(noise(12.0, 32_000, seed=2), 32_000, "mp3", "libmp3lame", 96_000)
    segment = load(slow + slower)
    assert len(segment.samples) == LENGTH
    # Each side of the joint in itself; the encoder pads their ends by up to three frames.
    expected = middle(np.concatenate([full_decode(slow), full_decode(slower)]))
    for side in (slice(0, 100_000), slice(120_500, LENGTH)):
        shift, agreement = shift_between(segment.samples[side], expected[side])
        assert abs(shift) <= 3 * 1152
        assert agreement > 0.95


def test_channel_count_change_in_mid_stream() -> None:
    parts = [
        encode(noise(12.0, 48_000, channels, seed=channels), 48_000, "adts", "aac", 96_000)
        for channels in (1, 2)
    ]
    joined = np.concatenate([full_decode(part) for part in parts])
    assert_is_middle(load(b"".join(parts)), joined, 2 * 1024)


# ------------------------------------------------------------ durations that are missing or wrong


def wav_with_data_size(size: int) -> bytes:
    data = sample("wav")
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 20_000_000])
def test_wav_with_a_wrong_data_size(size: int) -> None:
    assert_is_middle(load(wav_with_data_size(size)), full_decode(sample("wav")))


def test_wav_with_a_wrong_byte_rate() -> None:
    data = bytearray(sample("wav"))
    data[28:32] = struct.pack("<I", 100_000)
    assert_is_middle(load(bytes(data)), full_decode(sample("wav")))


@pytest.mark.parametrize("count", [0, 500_000, 6_000_000, (1 << 36) - 1])
def test_flac_with_a_wrong_sample_count(count: int) -> None:
    data = bytearray(sample("flac"))
    data[21] = data[21] & 0xF0 | count >> 32
    data[22:26] = struct.pack(">I", count & 0xFFFFFFFF)
    assert_is_middle(load(bytes(data)), full_decode(sample("flac")))


def test_au_without_a_length() -> None:
    data = sample("au")
    unknown = data[:8] + b"\xff\xff\xff\xff" + data[12:]
    assert_is_middle(load(unknown), full_decode(data))


@pytest.mark.parametrize("factor", [0.3, 5.0])
def test_mp3_whose_xing_frame_lies(factor: float) -> None:
    data = sample("mp3")
    at = data.index(b"Info") + 8
    count = struct.unpack(">I", data[at : at + 4])[0]
    lying = data[:at] + struct.pack(">I", int(count * factor)) + data[at + 4 :]
    assert_is_middle(load(lying), full_decode(data), frame_of("mp3"))


def test_mp3_of_variable_bit_rate_without_a_xing_frame() -> None:
    parts = [
        encode(
            noise(12.0, 44_100, seed=bit_rate),
            44_100,
            "mp3",
            "libmp3lame",
            bit_rate,
            options={"write_xing": "0", "id3v2_version": "0"},
        )
        for bit_rate in (32_000, 320_000, 96_000)
    ]
    data = b"".join(parts)
    assert_is_middle(load(data), full_decode(data), frame_of("mp3"))


@pytest.mark.parametrize("name", ["webm", "mkv", "flac", "wav", "opus", "vorbis", "mp3", "wma"])
def test_streamed_file_without_a_length(name: str) -> None:
    form = FORMATS[name]
    sound = noise(31.3, form.rate, 2)
    data = encode(sound, form.rate, form.container, form.codec, form.bit_rate, streamed=True)
    assert_is_middle(load(data), full_decode(data), frame_of(name))


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("ogg", codec) for codec in ("flac", "vorbis", "libopus")),
        *(("matroska", codec) for codec in ("flac", "vorbis", "libopus", "aac")),
        *(("mpegts", codec) for codec in ("libopus", "aac", "libmp3lame")),
    ],
)
def test_a_clock_that_begins_late(container: str, codec: str) -> None:
    data = encode(noise(31.3, 48_000, 2), 48_000, container, codec, start=5_000)
    segment = load(data)
    assert_is_middle(segment, full_decode(data), 2048)
    assert segment.duration == pytest.approx(31.3, abs=0.1)
    assert segment.notices == ()


def test_single_bits_of_dsd() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * 2_822_400) / 2_822_400)
    segment = load(dsd(tone.astype(np.float32)))
    assert segment.duration == pytest.approx(3.0, abs=0.01)
    spectrum = np.abs(np.fft.rfft(segment.samples))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(segment.samples) == pytest.approx(440, abs=1)


def test_fragmented_mp4() -> None:
    data = encode(
        noise(31.3, 44_100),
        44_100,
        "mp4",
        "aac",
        96_000,
        options={"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"},
    )
    assert_is_middle(load(data), full_decode(data), 1024)


TRUNCATABLE = ["wav", "wav-float", "aiff", "au", "flac", "mp3", "vorbis", "opus", "aac", "mpegts"]


@pytest.mark.parametrize("name", TRUNCATABLE)
def test_truncated_file(name: str) -> None:
    data = sample(name)[: int(0.6 * len(sample(name)))]
    # The last sample may be cut in two, which shifts the middle by half a sample.
    assert_is_middle(load(data), full_decode(data), max(1, frame_of(name)))


def test_truncated_file_is_told() -> None:
    data = sample("aiff")
    (notice,) = load(data[: int(0.6 * len(data))]).notices
    assert notice == "the file is cut off: 12.5 s that its header promises are missing"


@pytest.mark.parametrize("name", ["vorbis", "opus"])
def test_chained_ogg_counts_as_one_sound(name: str) -> None:
    form = FORMATS[name]
    parts = [
        encode(noise(seconds, form.rate, 2, seed), form.rate, "ogg", form.codec)
        for seed, seconds in enumerate((12.0, 25.0))
    ]
    data = b"".join(parts)
    assert_is_middle(load(data), full_decode(data), frame_of(name))


# --------------------------------------------------------------------------- containers and codecs


def add_video(output: "av.container.OutputContainer", seconds: int) -> Callable[[], None]:
    stream = output.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    rng = np.random.default_rng(0)

    def write() -> None:
        for number in range(10 * seconds):
            picture = rng.integers(255, size=(360, 320), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))

    return write


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_sound_track_of_a_video(container: str) -> None:
    file = io.BytesIO()
    sound = noise(20.0, 48_000, 2)
    with av.open(file, "w", format=container) as output:
        write_video = add_video(output, 25)
        stream = output.add_stream("libmp3lame", rate=48_000, layout="stereo")
        write_video()
        for at in range(0, sound.shape[1], 48_000):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[:, at : at + 48_000]), "fltp", "stereo"
            )
            frame.sample_rate, frame.pts = 48_000, at
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    segment = load(file.getvalue())
    assert len(segment.samples) == LENGTH
    assert segment.notices == ()
    assert_is_middle(segment, full_decode(file.getvalue()), 1152)


def test_sound_beside_a_cover_picture() -> None:
    data = sample("mp3")
    picture = b"\xff\xd8\xff\xe0" + bytes(500)
    body = b"\0image/jpeg\0\x03\0" + picture
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    tag = b"ID3\x03\0\0" + bytes([0, 0, len(frame) >> 7, len(frame) & 0x7F]) + frame
    assert_is_middle(load(tag + data), full_decode(data), frame_of("mp3"))


def test_custom_channel_order() -> None:
    """A layout that PyAV 17.1 to 18.1 would free twice, ending the process."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack(">q", len(body)) + body

    sound = (noise(3.0, SAMPLE_RATE, 2) * 2**15).astype(">i2")
    right_then_left = b"".join(struct.pack(">II3f", label, 0, 0, 0, 0) for label in (2, 1))
    data = b"caff\0\x01\0\0" + chunk(
        b"desc", struct.pack(">d4sIIIII", SAMPLE_RATE, b"lpcm", 0, 4, 1, 2, 16)
    )
    data += chunk(b"chan", struct.pack(">III", 0, 0, 2) + right_then_left)
    data += chunk(b"data", bytes(4) + sound.T.tobytes())
    segment = load(data)
    np.testing.assert_allclose(segment.samples, sound.mean(axis=0) / 2**15, atol=1e-6)


def test_sixteen_channels() -> None:
    sound = (noise(3.0, SAMPLE_RATE, 16) * 2**15).astype("<i2")
    header = struct.pack("<HHIIHH", 1, 16, SAMPLE_RATE, SAMPLE_RATE * 32, 32, 16)
    body = b"fmt " + struct.pack("<I", 16) + header
    body += b"data" + struct.pack("<I", sound.nbytes) + sound.T.tobytes()
    data = b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body
    np.testing.assert_allclose(load(data).samples, sound.mean(axis=0) / 2**15, atol=1e-6)


# --------------------------------------------------------------------------------------- sources


@pytest.mark.parametrize("name", ["wav", "m4a", "flac", "mp3"])
def test_stream_that_cannot_seek(name: str) -> None:
    stream = Pipe(sample(name))
    np.testing.assert_array_equal(load_segment(stream).samples, load(sample(name)).samples)
    assert not stream.closed


def test_pipe_between_processes() -> None:
    read, write = os.pipe()
    if os.fork() == 0:  # pragma: no cover - the child
        with os.fdopen(write, "wb") as output:
            output.write(sample("mp3"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        segment = load_segment(stream, name="standard input")
    assert len(segment.samples) == LENGTH


@pytest.mark.parametrize(
    "name", [b"-", b"a:b.mp3", b"x.m3u8", b"http:x.wav", "音楽 é.wav".encode(), b"\xff\xfe.wav"]
)
@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow")
def test_any_file_name(name: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = os.fsdecode(name)
    try:
        Path(path).write_bytes(sample("wav"))
    except OSError:
        pytest.skip("the file system does not allow this name")
    assert len(load_segment(path).samples) == LENGTH
    assert len(load_segment(Path(path)).samples) == LENGTH


# ---------------------------------------------------------------------------------------- errors


def refused(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        load_segment(io.BytesIO(data), name="song.x")
    message = str(caught.value)
    assert message.startswith("song.x: ")
    assert message.isprintable()
    return f"{caught.type.__name__} {message}"


def test_missing_file_folder_and_forbidden_name(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="no such file"):
        load_segment(tmp_path / "none.mp3")
    with pytest.raises(SourceNotFoundError, match="folder"):
        load_segment(tmp_path)
    with pytest.raises(SourceNotFoundError, match="no file can have this name"):
        load_segment("nul\0.mp3")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    path.write_bytes(sample("wav"))
    path.chmod(0)
    with pytest.raises(SourceNotFoundError, match="permissions"):
        load_segment(path)


def test_name_in_a_message_stays_on_one_line() -> None:
    with pytest.raises(SourceNotFoundError) as caught:
        load_segment(os.fsdecode(b"no\nsuch\x1b[31m\xff.wav"))
    assert str(caught.value).isprintable()


def test_disk_that_fails() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(SourceNotFoundError, match="Input/output error"):
        load_segment(Failing(sample("wav")))


def test_empty_file() -> None:
    assert "empty" in refused(b"")


NOT_AUDIO = {
    "text": b"Dear diary, today I listened to jazz.\n" * 500,
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(5_000),
    "noise": np.random.default_rng(0).bytes(200_000),
    "zeros": bytes(200_000),
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
}


@pytest.mark.parametrize("kind", NOT_AUDIO)
def test_not_audio(kind: str) -> None:
    assert refused(NOT_AUDIO[kind]).startswith(NotAudioError.__name__)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:30,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        '<?xml version="1.0"?><MPD><Period><AdaptationSet><BaseURL>{0}</BaseURL></MPD>',
    ],
    ids=["hls", "concat", "sdp", "dash"],
)
def test_playlists_do_not_lead_to_other_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "target.wav").write_bytes(sample("wav"))
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(text.format(tmp_path / "target.wav"))
    with pytest.raises(NotAudioError):
        load_segment(playlist)


def test_video_without_sound() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        add_video(output, 2)()
    assert refused(file.getvalue()).startswith(NoAudioStreamError.__name__)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "vorbis", "m4a", "wma"])
def test_header_without_sound(name: str) -> None:
    start = refused(sample(name)[:200])
    assert start.startswith((DamagedAudioError.__name__, TooShortError.__name__))


@pytest.mark.parametrize("seconds", [0.01, 0.5, 0.999])
def test_too_short(seconds: float) -> None:
    data = encode(noise(seconds, 44_100), 44_100, "wav", "pcm_s16le")
    assert refused(data).startswith(TooShortError.__name__)


def test_one_second_is_enough() -> None:
    data = encode(noise(1.0, 44_100), 44_100, "wav", "pcm_s16le")
    assert len(load(data).samples) == SAMPLE_RATE


@pytest.mark.parametrize(("peak", "silent"), [(0.0, True), (0.9e-4, True), (1.2e-4, False)])
def test_silence(peak: float, silent: bool) -> None:
    sound = noise(20.0, SAMPLE_RATE)
    data = encode(sound / np.abs(sound).max() * peak, SAMPLE_RATE, "wav", "pcm_f32le")
    if silent:
        assert refused(data).startswith(SilentError.__name__)
    else:
        assert len(load(data).samples) == LENGTH


def test_samples_that_are_no_numbers() -> None:
    sound = noise(20.0, SAMPLE_RATE)
    sound[0, 220_500:220_510] = [np.nan, np.inf, -np.inf, 1e30, -1e30] * 2
    segment = load(encode(sound, SAMPLE_RATE, "wav", "pcm_f32le"))
    assert segment.notices == ("damaged samples were set to zero",)
    expected = np.where(np.abs(sound[0]) < 1, sound[0], 0.0)
    np.testing.assert_array_equal(segment.samples, middle(expected))
    sound[0, 220_500:250_000] = np.nan
    assert refused(encode(sound, SAMPLE_RATE, "wav", "pcm_f32le")).startswith("DamagedAudioError")


def test_damaged_packets_in_the_middle() -> None:
    data = bytearray(sample("alac"))
    at = len(data) // 2
    data[at : at + len(data) // 10] = b"\xff" * (len(data) // 10)
    segment = load(bytes(data))
    assert len(segment.samples) == LENGTH
    (notice,) = segment.notices
    assert notice.endswith("s of the segment are damaged and left silent")


@pytest.mark.parametrize("rate", [0, 1, 1_999, 768_001, 2**31, 2**32 - 1])
def test_absurd_sample_rate(rate: int) -> None:
    data = bytearray(sample("wav", 4.7))
    data[24:28] = struct.pack("<I", rate)
    assert refused(bytes(data)).startswith(DamagedAudioError.__name__)


@pytest.mark.parametrize("channels", [0, 65, 65_535])
def test_absurd_channel_count(channels: int) -> None:
    data = bytearray(sample("wav", 4.7))
    data[22:24] = struct.pack("<H", channels)
    data[32:34] = struct.pack("<H", channels * 2 & 0xFFFF)
    assert refused(bytes(data)).startswith(DamagedAudioError.__name__)


def boxes(data: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Find the boxes of an MP4 file: kind to beginning and end."""
    found = {}
    while start < end:
        size = int.from_bytes(data[start : start + 4], "big")
        found[data[start + 4 : start + 8]] = (start, start + size)
        start += size
    return found


@pytest.mark.parametrize(("copies", "error"), [(500, None), (5_000, DamagedAudioError)])
def test_thousands_of_streams(copies: int, error: type[AudioError] | None) -> None:
    data = sample("m4a", 4.7)
    start, end = boxes(data, 0, len(data))[b"moov"]
    assert end == len(data)
    first, last = boxes(data, start + 8, end)[b"trak"]
    tracks = data[first:last] * copies
    many = data[:start] + struct.pack(">I", end - start + len(tracks)) + data[start + 4 :] + tracks
    if error:
        assert refused(many).startswith(error.__name__)
    else:
        np.testing.assert_allclose(load(many).samples, load(data).samples, atol=0.1)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for data in (*NOT_AUDIO.values(), sample("mp3")[5_000:50_000], sample("m4a")[:3_000]):
        try:
            load(data)
        except AudioError:
            continue
    assert capfd.readouterr() == ("", "")
