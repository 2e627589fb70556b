/** Ten seconds from the microphone. */

const SECONDS = 10;
const SPARE = 0.4; // seconds more: encoders swallow some, and ten whole ones are wanted
const KINDS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/mp4", "m4a"],
];

/** Dispatches "progress" (its detail: seconds left) and "level" (its detail: 0 to 1). */
export class Recorder extends EventTarget {
  /** @type {MediaRecorder | null} */
  running = null;

  /**
   * Record; ends after ten seconds, or earlier with stop().
   *
   * @returns {Promise<{file: Blob, name: string}>}
   * @throws {Error} in words for the visitor
   */
  async record() {
    const stream = await microphone();
    const kind = KINDS.find(([type]) => MediaRecorder.isTypeSupported(type ?? ""));
    const meter = new LevelMeter(stream, (level) =>
      this.dispatchEvent(new CustomEvent("level", { detail: level })));
    try {
      const options = kind ? { mimeType: kind[0], audioBitsPerSecond: 160_000 } : {};
      const recorder = new MediaRecorder(stream, options);
      this.running = recorder;
      const blob = await this.take(recorder);
      return { file: blob, name: `Recording ${clockTime()}.${kind?.[1] ?? "webm"}` };
    } finally {
      this.running = null;
      meter.end();
      for (const track of stream.getTracks()) track.stop();
    }
  }

  stop() {
    if (this.running?.state === "recording") this.running.stop();
  }

  /**
   * @param {MediaRecorder} recorder
   * @returns {Promise<Blob>}
   */
  take(recorder) {
    return new Promise((resolve, reject) => {
      /** @type {Blob[]} */
      const parts = [];
      const begin = performance.now();
      const tick = setInterval(() => {
        const left = SECONDS - (performance.now() - begin) / 1000;
        this.dispatchEvent(new CustomEvent("progress", { detail: Math.max(0, left) }));
        if (left <= -SPARE) this.stop();
      }, 100);
      recorder.ondataavailable = (event) => parts.push(event.data);
      recorder.onstop = () => {
        clearInterval(tick);
        resolve(new Blob(parts, { type: recorder.mimeType }));
      };
      recorder.onerror = () => {
        clearInterval(tick);
        reject(new Error("The browser could not record. Choose a file instead."));
      };
      recorder.start();
    });
  }
}

/** @returns {Promise<MediaStream>} */
async function microphone() {
  if (!window.isSecureContext) {
    throw new Error("The browser allows the microphone only on https:// pages or on this " +
      "machine. Choose a file instead.");
  }
  if (!navigator.mediaDevices?.getUserMedia || !("MediaRecorder" in window)) {
    throw new Error("This browser cannot record. Choose a file instead.");
  }
  try {
    // What makes speech clearer spoils music.
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError" || name === "SecurityError") {
      throw new Error("The microphone is not allowed for this page. Allow it in the browser's " +
        "settings, or choose a file instead.");
    }
    if (name === "NotFoundError" || name === "OverconstrainedError") {
      throw new Error("No microphone found. Connect one, or choose a file instead.");
    }
    throw new Error("The microphone cannot be used; another program may be using it. Choose " +
      "a file instead.");
  }
}

/** @returns {string} such as 10.42.05, which every file system takes */
function clockTime() {
  const now = new Date();
  return [now.getHours(), now.getMinutes(), now.getSeconds()]
    .map((part) => String(part).padStart(2, "0")).join(".");
}

/** Measures how loud it is, some times a second. */
class LevelMeter {
  /**
   * @param {MediaStream} stream
   * @param {(level: number) => void} tell
   */
  constructor(stream, tell) {
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
      tell(Math.min(1, 4 * Math.sqrt(power)));
    }, 120);
  }

  end() {
    clearInterval(this.timer);
    void this.context.close();
  }
}
