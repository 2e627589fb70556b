/** How sound gets in: dropped, chosen, pasted or recorded. */

import { add, announce, byId, h } from "../ui/dom.js";
import { droppedFiles } from "./dropped-files.js";
import { icon } from "../ui/icons.js";
import { modeSwitch } from "./mode-switch.js";
import { Recorder } from "./recorder.js";

/**
 * @typedef {import("../types.js").Mode} Mode
 * @typedef {import("../strings/strings.js").Strings} Strings
 * @typedef {{file: Blob, name: string}} Named
 */

export class Intake {
  /** @type {Mode} */
  mode = "middle";
  recorder = new Recorder();
  recording = false;
  note = byId("intake-note");

  /**
   * @param {Strings} strings
   * @param {(files: Named[], mode: Mode) => void} take
   */
  constructor(strings, take) {
    this.strings = strings;
    this.take = take;
    this.input = h("input", { type: "file", multiple: true, class: "hidden", tabindex: "-1",
      "aria-hidden": "true", id: "file", onchange: () => this.chosen() });
    this.chooseButton = h("button", { type: "button", class: "button primary", id: "choose",
      onclick: () => this.input.click() }, icon("note"), "Choose files");
    this.recordButton = h("button", { type: "button", class: "button", id: "record",
      onclick: () => void this.record() });
    this.restRecordButton();
    add(byId("intake-controls"), this.input, this.chooseButton, this.recordButton,
      h("span", { class: "intake-or" }, "or drop them anywhere on this page"),
      modeSwitch("intake-mode", "Listen to the", this.mode, (mode) => { this.mode = mode; }));
    this.acceptDrops();
    addEventListener("paste", (event) => this.files([...event.clipboardData?.files ?? []]));
  }

  /**
   * A hint to the browser's file dialog; what is chosen all the same is taken.
   *
   * @param {string[]} suffixes
   */
  suggest(suffixes) {
    this.input.accept = ["audio/*", "video/*", ...suffixes].join(",");
  }

  chosen() {
    this.files([...this.input.files ?? []]);
    this.input.value = "";
  }

  /** @param {File[]} files */
  files(files) {
    if (!files.length) return;
    this.complain("");
    this.take(files.map((file) => ({ file, name: file.name })), this.mode);
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
        (files) => files.length ? this.files(files) : this.complain("There is no file in there."),
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
    const label = (/** @type {number} */ left) => {
      root.classList.add("recording");
      this.recordButton.replaceChildren(icon("stop"), `Stop, ${Math.ceil(left)} s left`);
    };
    const onProgress = (/** @type {Event} */ event) =>
      label(/** @type {CustomEvent<number>} */ (event).detail);
    const onLevel = (/** @type {Event} */ event) =>
      this.strings.shake(/** @type {CustomEvent<number>} */ (event).detail);
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
      this.restRecordButton();
    }
  }

  restRecordButton() {
    const dot = icon("record");
    dot.classList.add("record-dot");
    this.recordButton.replaceChildren(dot, "Record 10 s");
  }

  /** @param {string} text */
  complain(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}
