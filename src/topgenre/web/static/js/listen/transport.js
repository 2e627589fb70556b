/** Playing a sound, and the one position that waveform, genre strip and spectrograms share. */

/** Dispatches "time" when the position has moved, and "state" when anything else has changed. */
export class Transport extends EventTarget {
  position = 0;
  playing = false;
  /** Whether the browser can play it; null while that is not known. */
  /** @type {boolean | null} */
  playable = null;
  stopAt = Infinity;
  url = "";
  /** The song's outline: its greatest magnitude in equal parts, 0 to 1. */
  /** @type {Float32Array | null} */
  outline = null;

  /**
   * @param {Blob | null} file
   * @param {number} duration seconds; of a recording the browser itself may not know them
   */
  constructor(file, duration) {
    super();
    this.duration = duration;
    this.audio = new Audio();
    if (!file) {
      this.playable = false;
      return;
    }
    this.url = URL.createObjectURL(file);
    this.audio.preload = "metadata";
    this.audio.src = this.url;
    this.audio.addEventListener("loadedmetadata", () => this.know(true));
    this.audio.addEventListener("error", () => this.know(false));
    for (const event of ["play", "pause", "ended"]) {
      this.audio.addEventListener(event, () => this.follow());
    }
    this.audio.addEventListener("seeked", () => this.follow());
  }

  /** @param {boolean} playable */
  know(playable) {
    if (!this.url) return;
    this.playable = playable;
    this.tell("state");
  }

  follow() {
    const begins = !this.playing && !this.audio.paused;
    this.playing = !this.audio.paused && !this.audio.ended;
    this.tell("state");
    if (begins) this.frame();
    else this.moved();
  }

  frame() {
    if (!this.playing) return;
    this.moved();
    if (this.position >= this.stopAt) this.audio.pause();
    else requestAnimationFrame(() => this.frame());
  }

  moved() {
    if (this.playable) this.position = Math.min(this.audio.currentTime, this.duration);
    this.tell("time");
  }

  /** @returns {number} how loud the song is at this moment, 0 to 1 */
  loudness() {
    if (!this.outline) return 1;
    const at = Math.floor((this.position / this.duration) * this.outline.length);
    return this.outline[Math.min(at, this.outline.length - 1)] ?? 0;
  }

  /**
   * @template {{start: number, end: number}} W
   * @param {readonly W[]} windows in order
   * @returns {W | undefined} the last one that has begun, unless it has ended
   */
  windowAt(windows) {
    const now = this.position;
    return windows.findLast(({ start, end }) => start <= now + 0.05 && now <= end + 0.05);
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.position = Math.min(this.duration, Math.max(0, seconds));
    this.stopAt = Infinity;
    if (this.playable) this.audio.currentTime = this.position;
    this.tell("time");
  }

  toggle() {
    if (!this.playable) return;
    this.stopAt = Infinity;
    if (this.playing) this.audio.pause();
    else void this.play();
  }

  /**
   * @param {number} start seconds
   * @param {number} end seconds
   */
  playPart(start, end) {
    this.seek(start);
    this.stopAt = end;
    if (!this.playing) void this.play();
  }

  async play() {
    try {
      await this.audio.play();
    } catch (error) {
      // A pause that comes before the sound has begun is no failure.
      if (!(error instanceof DOMException && error.name === "AbortError")) this.know(false);
    }
  }

  end() {
    const { url } = this;
    this.url = "";
    this.audio.pause();
    this.playing = false;
    if (!url) return;
    this.audio.removeAttribute("src");
    this.audio.load();
    URL.revokeObjectURL(url);
  }

  /** @param {string} event */
  tell(event) {
    this.dispatchEvent(new Event(event));
  }
}
