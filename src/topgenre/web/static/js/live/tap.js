/** Runs where the sound passes by: averages the channels and hands on a quarter of a second. */

const SECONDS = 0.25;

class Tap extends AudioWorkletProcessor {
  samples = new Float32Array(Math.round(SECONDS * sampleRate));
  filled = 0;

  /**
   * @param {Float32Array[][]} inputs
   * @returns {boolean}
   */
  process([channels = []]) {
    const length = channels[0]?.length ?? 128;
    for (let i = 0; i < length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i] ?? 0;
      this.samples[this.filled] = channels.length ? sum / channels.length : 0;
      this.filled += 1;
      if (this.filled === this.samples.length) {
        this.port.postMessage(this.samples.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
