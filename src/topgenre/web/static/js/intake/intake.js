/** How files get in: dropped, chosen, pasted, recorded, or the sample. */

import { add, announce, byId, h } from "../ui/dom.js";
import { megabytes } from "../ui/format.js";
import { icon } from "../ui/icons.js";
import { droppedFiles } from "./dropped-files.js";
import { ModeSwitch } from "./mode-switch.js";
import { Recorder } from "./recorder.js";
import { sample } from "./sample.js";

/**
 * @typedef {import("../types.js").Info} Info
 * @typedef {import("../types.js").Mode} Mode
 * @typedef {import("../strings/strings.js").Strings} Strings
 * @typedef {{file: Blob, name: string}} Named
 */

/** Formats that people know by name, in the order in which they know them. */
const FORMATS = ["mp3", "flac", "wav", "m4a", "ogg", "opus", "aiff", "wma"];

export class Intake {
  recorder = new Recorder();
  recording = false;
  note = byId("intake-note");
  hero = byId("intake-controls");

  /**
   * @param {Strings} strings
   * @param {(files: Named[], mode: Mode) => void} take
   * @param {(mode: Mode) => void} changeMode
   */
  constructor(strings, take, changeMode) {
    this.strings = strings;
    this.take = take;
    this.modeSwitch = new ModeSwitch(changeMode);
    this.input = h("input", { type: "file", multiple: true, class: "hidden", tabindex: "-1",
      "aria-hidden": "true", id: "file", onchange: () => this.chosen() });
    this.chooseButton = h("button", { type: "button", class: "button primary", id: "choose",
      onclick: () => this.input.click() }, icon("note"), "Choose files");
    this.recordButton = h("button", { type: "button", class: "button", id: "record",
      onclick: () => void this.record() });
    this.sampleButton = h("button", { type: "button", class: "button", id: "sample",
      onclick: () => void this.trySample() }, icon("play"), "Try a sample");
    this.controls = h("div", { class: "intake-controls" }, this.input, this.chooseButton,
      this.recordButton, this.sampleButton,
      h("span", { class: "intake-or" }, "or drop them anywhere"), this.modeSwitch.element);
    this.restRecordButton();
    add(this.hero, this.controls);
    this.acceptDrops();
    addEventListener("paste", (event) => this.files([...event.clipboardData?.files ?? []]));
  }

  /** @param {Info} info */
  learn({ suffixes, max_upload_bytes: limit }) {
    // A hint to the browser's file dialog; other files that are chosen are taken too.
    this.input.accept = ["audio/*", "video/*", ...suffixes].join(",");
    const known = FORMATS.filter((format) => suffixes.includes(`.${format}`))
      .map((format) => format.toUpperCase());
    byId("formats").textContent = `${known.join(", ")} and other audio or video files` +
      (limit === null ? "." : `, up to ${megabytes(limit)}.`);
  }

  /**
   * Put the controls into the bar at the top, or back into the middle of the page.
   *
   * @param {boolean} inBar
   */
  setCompact(inBar) {
    const home = inBar ? byId("bar") : this.hero;
    if (this.controls.parentElement === home) return;
    const { activeElement } = document;
    home.append(this.controls);
    if (activeElement instanceof HTMLElement && home.contains(activeElement)) {
      activeElement.focus({ preventScroll: true });
    }
  }

  chosen() {
    this.files([...this.input.files ?? []]);
    this.input.value = "";
  }

  /** @param {File[]} files */
  files(files) {
    if (!files.length) return;
    this.complain("");
    this.take(files.map((file) => ({ file, name: file.name })), this.modeSwitch.mode);
  }

  async trySample() {
    this.sampleButton.disabled = true;
    this.complain("");
    try {
      this.take([await sample()], this.modeSwitch.mode);
    } catch {
      this.complain("This browser cannot make the sample. Choose a file instead.");
    } finally {
      this.sampleButton.disabled = false;
    }
  }

  acceptDrops() {
    const root = document.documentElement;
    let depth = 0; // of the elements that the pointer is inside of
    const holdsFiles = (/** @type {DragEvent} */ event) =>
      event.dataTransfer?.types.includes("Files") ?? false;
    const drag = (/** @type {number} */ change) => {
      depth = change ? Math.max(0, depth + change) : 0;
      root.classList.toggle("dragging", depth > 0);
    };
    addEventListener("dragenter", (event) => {
      if (!holdsFiles(event)) return;
      drag(1);
      if (depth === 1) this.strings.shake(0.7);
    });
    addEventListener("dragleave", (event) => holdsFiles(event) && drag(-1));
    addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      drag(0);
      if (!holdsFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      droppedFiles(event.dataTransfer).then(
        (files) => files.length ? this.files(files) : this.complain("No files found in there."),
        () => this.complain("The browser could not read what was dropped. Choose files instead."),
      );
    });
  }

  async record() {
    const { recorder } = this;
    if (this.recording) {
      recorder.stop();
      return;
    }
    this.recording = true;
    this.complain("");
    const root = document.documentElement;
    const onProgress = (/** @type {Event} */ event) => {
      const left = /** @type {CustomEvent<number>} */ (event).detail;
      root.classList.add("recording");
      this.recordButton.replaceChildren(icon("stop"), `Stop, ${Math.ceil(left)} s left`);
    };
    const onLevel = (/** @type {Event} */ event) =>
      this.strings.hear(/** @type {CustomEvent<number>} */ (event).detail);
    recorder.addEventListener("progress", onProgress);
    recorder.addEventListener("level", onLevel);
    try {
      const recording = await recorder.record();
      announce("Recorded.");
      this.take([recording], "middle");
    } catch (error) {
      this.complain(error instanceof Error ? error.message : String(error));
    } finally {
      this.recording = false;
      recorder.removeEventListener("progress", onProgress);
      recorder.removeEventListener("level", onLevel);
      root.classList.remove("recording");
      this.strings.hear(null);
      this.restRecordButton();
    }
  }

  restRecordButton() {
    const dot = icon("record");
    dot.classList.add("record-dot");
    this.recordButton.replaceChildren(dot, h("span", {}, "Record 10 s"));
  }

  /** @param {string} text */
  complain(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}
