"""Every error that topgenre raises on purpose.

One root class, so that a caller can catch topgenre's errors and no others. A message is one
line that says what is wrong with which file and what to do about it; faces print it as it is.
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
    """A source that cannot be turned into a segment of sound."""

    code = "audio"


class SourceNotFoundError(AudioError):
    """There is no such file, or it may not be read."""

    code = "not_found"


class NotAudioError(AudioError):
    """The bytes are in no audio or video format that can be decoded."""

    code = "not_audio"


class NoAudioStreamError(AudioError):
    """The container is sound but holds no sound track."""

    code = "no_audio_stream"


class DamagedAudioError(AudioError):
    """The format is known, but too little of the sound can be decoded."""

    code = "damaged_audio"


class TooShortError(AudioError):
    """There is less than one second of sound."""

    code = "too_short"


class SilentError(AudioError):
    """The analysed segment holds no sound to judge."""

    code = "silent"


class PreprocessedFileError(TopgenreError):
    """A ``.npz`` file that is not one of topgenre's preprocessed files, or a damaged one."""

    code = "preprocessed_file"


class ModelError(TopgenreError):
    """A model file that is missing, damaged or of another format version."""

    code = "model"


class TeachingError(TopgenreError):
    """Examples that cannot be learnt from, or a file of taught genres that cannot be used."""

    code = "teaching"


class DatasetError(TopgenreError):
    """A data set folder or split file that training or evaluation cannot use."""

    code = "dataset"


class OutputError(TopgenreError):
    """A chart, picture or result that cannot be written where the user asked."""

    code = "output"


class CatalogueError(TopgenreError):
    """A catalogue that is missing, damaged, in use elsewhere, or cannot be written."""

    code = "catalogue"


class TagError(TopgenreError):
    """A music file's tags that cannot be read or changed, or a journal that cannot be used."""

    code = "tag"


class OverrunError(TopgenreError):
    """A file that took a worker process longer than it may."""

    code = "overrun"


class RecommendationError(TopgenreError):
    """Recommendations that cannot be had: a service fails, or a setting makes no sense."""

    code = "recommendation"


class CrashedError(TopgenreError):
    """A file that ended the worker process which had it in hand."""

    code = "crashed"


class InternalError(TopgenreError):
    """A fault of topgenre itself that one file of a batch has brought to light."""

    code = "internal"


def one_line(error: BaseException) -> str:
    """Return an exception's type and message on one line.

    Examples
    --------
    >>> one_line(ValueError("two  words"))
    'ValueError two words'
    """
    return " ".join(f"{type(error).__name__} {error}".split())
