"""Every error that topgenre raises on purpose.

One root class, so that a caller can catch topgenre's errors and no others. A message is
one line that says what is wrong with which file and what to do about it; the CLI and the web page
show it as it is.
"""


class TopgenreError(Exception):
    """Root of topgenre's errors.

    Attributes
    ----------
    code : str
        Stable name of the kind of error for machines (JSON output, REST answers).
    """

    code = "error"


class AudioError(TopgenreError):
    """A source that cannot be decoded."""

    code = "audio"


class SourceNotFoundError(AudioError):
    """A file that does not exist or cannot be read."""

    code = "not_found"


class NotAudioError(AudioError):
    """A file in an unsupported format."""

    code = "not_audio"


class NoAudioStreamError(AudioError):
    """An intact container without an audio stream."""

    code = "no_audio_stream"


class DamagedAudioError(AudioError):
    """A file of a known format, of which too little can be decoded."""

    code = "damaged_audio"


class TooShortError(AudioError):
    """Less than one second of sound."""

    code = "too_short"


class SilentError(AudioError):
    """A segment that is silent."""

    code = "silent"


class PreprocessedFileError(TopgenreError):
    """A ``.npz`` file that is damaged or not a preprocessed file."""

    code = "preprocessed_file"


class ModelError(TopgenreError):
    """A model file that is missing, damaged or of another format version."""

    code = "model"


class TeachingError(TopgenreError):
    """Unusable examples to learn from, or an unusable file of taught genres."""

    code = "teaching"


class DatasetError(TopgenreError):
    """An unusable data set folder or split file."""

    code = "dataset"


class OutputError(TopgenreError):
    """An output file that cannot be written."""

    code = "output"


class CatalogueError(TopgenreError):
    """A catalogue that is missing, damaged, locked, or cannot be written."""

    code = "catalogue"


class TagError(TopgenreError):
    """Tags that cannot be read or changed, or an unusable journal."""

    code = "tag"


class OverrunError(TopgenreError):
    """A file that exceeded the time limit."""

    code = "overrun"


class RecommendationError(TopgenreError):
    """A service that failed, or settings that make no sense."""

    code = "recommendation"


class CrashedError(TopgenreError):
    """A file that crashed its worker process."""

    code = "crashed"


class InternalError(TopgenreError):
    """A bug in topgenre that one file of a batch has revealed."""

    code = "internal"


def one_line(error: BaseException) -> str:
    """Return an exception's type and message on one line.

    Examples
    --------
    >>> one_line(ValueError("two  words"))
    'ValueError two words'
    """
    return " ".join(f"{type(error).__name__} {error}".split())
