/** Live sound from the microphone, or from another tab or the system, as mono samples. */

const MICROPHONE = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

const PATIENCE = 5000; // milliseconds

/** @returns {boolean} whether the browser can hand over the sound of a tab or of the system */
export function canShareSound() {
  const { mediaDevices } = navigator;
  if (!window.isSecureContext || !mediaDevices?.getDisplayMedia) return false;
  // Browsers that share pictures alone do not know this constraint.
  return "suppressLocalAudioPlayback" in mediaDevices.getSupportedConstraints();
}

export class Capture {
  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   */
  constructor(stream, context) {
    this.stream = stream;
    this.context = context;
    this.rate = context.sampleRate;
  }

  /**
   * @param {"microphone" | "tab"} source
   * @returns {Promise<Capture>}
   * @throws {Error} in words for the visitor
   */
  static async open(source) {
    const stream = await (source === "microphone" ? microphone() : shared());
    try {
      const context = new AudioContext();
      await context.audioWorklet.addModule(new URL("tap.js", import.meta.url).href);
      // Without a loudspeaker, Firefox never settles this promise.
      await Promise.race([context.resume(), pause(PATIENCE)]);
      if (context.state === "running") return new Capture(stream, context);
      await context.close();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw new Error("This browser cannot listen live. Choose a file instead.", { cause: error });
    }
    for (const track of stream.getTracks()) track.stop();
    throw new Error("The browser found no loudspeaker, and does not listen without one. Connect " +
      "one, or choose a file instead.");
  }

  /**
   * @param {(samples: Float32Array) => void} take
   * @param {() => void} ended the sound is no longer shared, or the microphone was unplugged
   */
  start(take, ended) {
    const tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => take(data);
    this.context.createMediaStreamSource(this.stream).connect(tap);
    for (const track of this.stream.getTracks()) track.addEventListener("ended", ended);
  }

  async close() {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== "closed") await this.context.close();
  }
}

/**
 * @param {number} milliseconds
 * @returns {Promise<void>}
 */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @returns {Promise<MediaStream>} */
async function microphone() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Error("The browser allows the microphone only on https:// pages or on this " +
      "machine. Choose a file instead.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  } catch (error) {
    throw refused(error, "microphone");
  }
}

/** @returns {Promise<MediaStream>} */
async function shared() {
  /** @type {MediaStream} */
  let stream;
  try {
    // Browsers share sound only along with a picture; the smallest will do.
    stream = await navigator.mediaDevices.getDisplayMedia({ audio: MICROPHONE,
      video: { frameRate: 1 } });
  } catch (error) {
    throw refused(error, "sound of a tab");
  }
  if (stream.getAudioTracks().length) return stream;
  for (const track of stream.getTracks()) track.stop();
  throw new Error("No sound was shared. Choose a tab, and tick “Also share tab audio”.");
}

/**
 * @param {unknown} error
 * @param {string} what
 * @returns {Error}
 */
function refused(error, what) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new Error(`The ${what} was not allowed. Allow it in the browser, or choose a file.`);
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return new Error(`There is no ${what}. Connect one, or choose a file instead.`);
  }
  return new Error(`The ${what} cannot be used now; another program may hold it.`);
}
