// Takes files in, by dropping and by choosing, and uploads them one after the other.

import { upload } from "./client.js";
import { $, element } from "./dom.js";

let last = Promise.resolve();

/** `onUploaded` is called after each file that has arrived. */
export function takeUploads(onUploaded) {
  const take = (files) => {
    for (const file of files) {
      const row = uploadRow(file);
      last = last.then(() => send(file, row, onUploaded));
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
  addEventListener("beforeunload", (event) => { if (document.querySelector("#uploads progress")) event.preventDefault(); });
}

function uploadRow(file) {
  const bar = element("progress", { value: 0, max: 1, ariaLabel: `Upload of ${file.name}` });
  const state = element("span", { className: "state", textContent: "waiting" });
  const row = element("li", {}, element("span", { className: "name", textContent: file.name, title: file.name }), state, bar);
  $("uploads").append(row);
  return { row, bar, state };
}

async function send(file, { row, bar, state }, onUploaded) {
  state.textContent = "uploading";
  try {
    await upload(file, (part) => { bar.value = part; });
    row.remove();
    onUploaded();
  } catch (error) {
    state.textContent = "failed";
    state.classList.add("failed");
    bar.remove();
    row.append(
      element("button", { type: "button", textContent: "Dismiss", onclick: () => row.remove() }),
      element("p", { className: "why", role: "alert", textContent: error.message }),
    );
  }
}
