/*
 * A page on the disk may start no Worker. There, and only there, the search's worker script runs in
 * a hidden frame instead, which passes messages in the same way.
 */
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.waiting = [];
      const script = new URL(url, document.baseURI).href;
      const start = () => {
        document.body.append(this.frame);
        const inside = this.frame.contentWindow;
        // What the script posts goes out; what is sent to it arrives as an event.
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
        inside.importScripts = (...sources) =>
          sources.reduce((earlier, source) => earlier.then(() => this.load(source)), Promise.resolve());
        this.load(script).then(() => {
          for (const data of this.waiting.splice(0)) this.deliver(data);
          this.waiting = null;
        });
      };
      if (document.body) start();
      else document.addEventListener("DOMContentLoaded", start);
    }

    load(source) {
      return new Promise((resolve, reject) => {
        const element = this.frame.contentDocument.createElement("script");
        element.src = source;
        element.onload = resolve;
        element.onerror = reject;
        this.frame.contentDocument.head.append(element);
      });
    }

    deliver(data) {
      const inside = this.frame.contentWindow;
      inside.dispatchEvent(new inside.MessageEvent("message", { data }));
    }

    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.deliver(data);
    }

    terminate() {
      this.frame.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}
