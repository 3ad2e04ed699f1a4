// Takes files in, by dropping and by choosing, and uploads them one after the other; large ones can be paused.

import { $, element, sizeOf } from "./dom.js";
import { discard, isResumable, unfinished, upload } from "./parts.js";

let last = Promise.resolve();

/** `onUploaded` is called after each file that has arrived. */
export function takeUploads(onUploaded) {
  const take = (files) => {
    for (const file of files) {
      document.querySelector(`#uploads [data-waits="${CSS.escape(`${file.size}:${file.name}`)}"]`)?.remove();
      new Sending(file, onUploaded).enqueue();
    }
  };
  $("files").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = "";
  });
  for (const type of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault(); // else the browser would leave the page and show the file
      if ($("console").hidden) return;
      $("drop").classList.toggle("over", type === "dragover");
      if (type === "drop") take([...event.dataTransfer.files]);
    });
  }
  addEventListener("beforeunload", (event) => { if (document.querySelector("#uploads .running")) event.preventDefault(); });
  unfinished().forEach(showInterrupted);
}

/** One file on its way, and its row. */
class Sending {
  constructor(file, onUploaded) {
    this.file = file;
    this.onUploaded = onUploaded;
    this.bar = element("progress", { value: 0, max: 1, ariaLabel: `Upload of ${file.name}` });
    this.state = element("span", { className: "state" });
    this.actions = element("span", { className: "actions" });
    this.row = element("li", {}, nameTag(file.name), this.state, this.bar, this.actions);
    $("uploads").append(this.row);
  }

  enqueue() {
    this.pausing = new AbortController();
    this.show("waiting", "running", isResumable(this.file) ? [["Pause", () => this.pausing.abort()]] : []);
    this.row.querySelector(".why")?.remove();
    last = last.then(() => this.run());
  }

  async run() {
    const { signal } = this.pausing;
    this.state.textContent = "uploading";
    try {
      signal.throwIfAborted();
      await upload(this.file, { signal, onProgress: (part) => { this.bar.value = part; } });
      this.row.remove();
      this.onUploaded();
    } catch (error) {
      if (signal.aborted) this.show("paused", "paused", [["Resume", () => this.enqueue()], ["Discard", () => this.discard()]]);
      else this.fail(error);
    }
  }

  fail(error) {
    this.show("failed", "failed", [["Try again", () => this.enqueue()], ["Dismiss", () => this.discard()]]);
    this.row.append(element("p", { className: "why", role: "alert", textContent: error.message }));
  }

  discard() {
    this.row.remove();
    discard(this.file).catch(() => {}); // the server forgets it by itself after some days
  }

  show(state, className, actions) {
    this.state.textContent = state;
    this.state.classList.toggle("failed", state === "failed");
    this.row.className = className;
    this.bar.hidden = state === "failed";
    this.actions.replaceChildren(...actions.map(([textContent, onclick]) => element("button", { type: "button", textContent, onclick })));
  }
}

const nameTag = (name) => element("span", { className: "name", textContent: name, title: name });

/** A row for an upload that was begun before the page was opened: it goes on when its file is chosen again. */
function showInterrupted(one) {
  const row = element("li", { className: "paused" }, nameTag(one.name), element("span", { className: "state", textContent: "interrupted" }));
  const forget = () => { row.remove(); one.forget().catch(() => {}); };
  row.dataset.waits = `${one.size}:${one.name}`;
  row.append(
    element("span", { className: "hint", textContent: `${sizeOf(one.size)}; choose the file again to go on` }),
    element("span", { className: "actions" }, element("button", { type: "button", textContent: "Discard", onclick: forget })),
  );
  $("uploads").append(row);
}
