/** A short piece of music to try the page with, composed here and rendered by the browser. */

import { wavFile } from "./wav.js";

const RATE = 22_050;
const SECONDS = 13;
const BEAT = 0.5; // seconds

/** Chords of four beats each, as MIDI notes from the bass up: C, a minor, F, G. */
const CHORDS = [[48, 64, 67, 72], [45, 64, 69, 72], [41, 65, 69, 72], [43, 62, 67, 71]];
/** Which note of the chord sounds on each half of a beat. */
const PATTERN = [0, 1, 2, 3, 2, 1, 2, 3];
/** Loudness of a piano string's partials. */
const PARTIALS = [1, 0.5, 0.28, 0.16, 0.09, 0.05];

/** @returns {Promise<{file: Blob, name: string}>} broken chords on a piano of our own */
export async function sample() {
  const context = new OfflineAudioContext(1, SECONDS * RATE, RATE);
  const out = new GainNode(context, { gain: 0.22 });
  out.connect(context.destination);
  for (let step = 0; step * (BEAT / 2) < SECONDS - 1; step += 1) {
    const chord = CHORDS[Math.floor(step / 8) % CHORDS.length] ?? [];
    const note = chord[PATTERN[step % PATTERN.length] ?? 0] ?? 60;
    strike(context, out, step * (BEAT / 2), note, step % 8 ? 0.6 : 1);
  }
  const sound = await context.startRendering();
  return { file: wavFile(sound.getChannelData(0), RATE), name: "Sample, broken chords.wav" };
}

/**
 * @param {BaseAudioContext} context
 * @param {AudioNode} out
 * @param {number} time seconds
 * @param {number} note MIDI
 * @param {number} force 0 to 1
 */
function strike(context, out, time, note, force) {
  const frequency = 440 * 2 ** ((note - 69) / 12);
  PARTIALS.forEach((loudness, i) => {
    const partial = i + 1;
    // Stiff strings sound a little sharp in their upper partials, which also fade sooner.
    const hertz = frequency * partial * Math.sqrt(1 + 0.0004 * partial * partial);
    if (hertz > RATE / 2) return;
    const fade = 1.9 / (partial ** 0.8) / (frequency / 220) ** 0.4;
    const tone = new OscillatorNode(context, { frequency: hertz });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, time);
    gain.gain.linearRampToValueAtTime(loudness * force, time + 0.004);
    gain.gain.setTargetAtTime(0, time + 0.004, fade / 2.5);
    tone.connect(gain).connect(out);
    tone.start(time);
    tone.stop(Math.min(SECONDS, time + 4 * fade));
  });
}
