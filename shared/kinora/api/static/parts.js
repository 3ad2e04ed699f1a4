// Sends a file: small ones as a whole, others in parts, which can be paused and gone on with, also after the page was left.
// What a browser remembers is only the upload's name; the server tells which parts it has.

import { abortParts, beginParts, completeParts, partTarget, put, storedParts, wholeTarget } from "./client.js";

const PART_BYTES = 8 * 1024 * 1024;
const MOST_PARTS = 10000;
const AT_ONCE = 3;
const ATTEMPTS = 5;
const NOTE = "kinora-upload:";
const TAKEN = new Set([409, 412]);

const nameOfNote = (file) => `${NOTE}${file.size}:${file.lastModified}:${file.name}`;

/** Whether the file is sent in parts. */
export const isResumable = (file) => file.size > PART_BYTES;

/** Uploads that were begun in this browser and are not complete: `{ id, key, name, size, forget }`. */
export function unfinished() {
  return Object.keys(localStorage).filter((name) => name.startsWith(NOTE)).map((name) => {
    const upload = JSON.parse(localStorage.getItem(name));
    return { ...upload, note: name, forget: () => { localStorage.removeItem(name); return abortParts(upload); } };
  });
}

/** Sends a file to its end. Rejects with an AbortError when `signal` pauses it. `onProgress` receives 0 to 1. */
export async function upload(file, { onProgress, signal }) {
  if (isResumable(file)) return sendInParts(file, onProgress, signal);
  for (;;) {
    try {
      return await put(await wholeTarget(file.name), file, (sent) => onProgress(sent / file.size), signal);
    } catch (error) {
      if (!TAKEN.has(error.status)) throw error; // the name was taken while the file was on its way
    }
  }
}

/** Forgets what is stored of a file that shall not be gone on with. */
export async function discard(file) {
  await unfinished().find((one) => one.note === nameOfNote(file))?.forget();
}

async function sendInParts(file, onProgress, signal) {
  const { upload, parts } = (await known(file)) ?? (await begun(file));
  signal.throwIfAborted();
  const sent = new Map([...parts.keys()].map((number) => [number, bytesOf(file, upload, number).size]));
  const tell = () => onProgress([...sent.values()].reduce((sum, bytes) => sum + bytes, 0) / file.size);
  const waiting = [];
  for (let number = 1; number <= Math.ceil(file.size / upload.partBytes); number += 1) if (!parts.has(number)) waiting.push(number);
  tell();
  const work = async () => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
      const told = (bytes) => { sent.set(number, bytes); tell(); };
      parts.set(number, await sendPart(upload, number, bytesOf(file, upload, number), told, signal));
    }
  };
  const workers = Array.from({ length: AT_ONCE }, work);
  try {
    await Promise.all(workers);
  } finally {
    waiting.length = 0; // one failure ends the others after their part
    await Promise.allSettled(workers);
  }
  const listed = [...parts].sort(([one], [other]) => one - other).map(([PartNumber, ETag]) => ({ PartNumber, ETag }));
  await completeParts(upload, listed);
  localStorage.removeItem(nameOfNote(file));
}

/** The upload that was begun for this file, with the ETags of its parts by number; null if there is none any more. */
async function known(file) {
  const upload = JSON.parse(localStorage.getItem(nameOfNote(file)));
  if (!upload) return null;
  try {
    const stored = await storedParts(upload);
    return { upload, parts: new Map(stored.map((part) => [part.PartNumber, part.ETag])) };
  } catch (error) {
    if (error.status !== 404) throw error;
    localStorage.removeItem(nameOfNote(file));
    return null;
  }
}

async function begun(file) {
  const checksums = Boolean(globalThis.crypto?.subtle); // browsers have it on https and on localhost
  const promised = new Set(unfinished().map((one) => one.key));
  const isPromised = (key) => [...promised].some((one) => one === key || one.endsWith(`/${key}`));
  const started = await beginParts(file, checksums, isPromised);
  const partBytes = Math.max(PART_BYTES, Math.ceil(file.size / MOST_PARTS));
  const upload = { ...started, partBytes, checksums, name: file.name, size: file.size };
  localStorage.setItem(nameOfNote(file), JSON.stringify(upload));
  return { upload, parts: new Map() };
}

const bytesOf = (file, upload, number) => file.slice((number - 1) * upload.partBytes, number * upload.partBytes);

async function sendPart(upload, number, bytes, onProgress, signal) {
  const sha256 = upload.checksums ? await digestOf(bytes) : null;
  for (let attempt = 1; ; attempt += 1) {
    try {
      signal.throwIfAborted();
      return await put(await partTarget(upload, number, sha256), bytes, onProgress, signal);
    } catch (error) {
      const isFinal = error.name === "AbortError" || (error.status >= 400 && error.status < 500 && ![403, 410, 429].includes(error.status));
      if (isFinal || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 500 * 2 ** attempt); });
    }
  }
}

async function digestOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await bytes.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
