// Talks to Kinora's API. Everything else on the page goes through here.

const STORED = "kinora-api-key";
const TAKEN = new Set([409, 412]); // the name was taken before, or while the file was on its way
const MOST_NAMES = 100;

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? "unknown";
  }
}

export const apiKey = {
  get: () => localStorage.getItem(STORED),
  set: (key) => localStorage.setItem(STORED, key),
  forget: () => localStorage.removeItem(STORED),
};

/** Takes a key from the address (`#key=…`) and removes it from there. */
export function takeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  apiKey.set(key);
  history.replaceState(null, "", location.pathname + location.search);
}

async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${apiKey.get() ?? ""}`, ...options.headers };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}

const send = (path, method, body) =>
  call(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const listJobs = () => call("/api/jobs?limit=50");
export const retryJob = (id) => call(`/api/jobs/${id}/retry`, { method: "POST" });
export const listMedia = (cursor) => call(`/api/media?limit=24${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
export const getMedia = (hash) => call(`/api/media/${hash}`);
export const removeMedia = (hash) => call(`/api/media/${hash}`, { method: "DELETE" });

export const listMoments = (hash) => call(`/api/media/${hash}/moments`);
export const addMoment = (hash, moment) => send(`/api/media/${hash}/moments`, "POST", moment);
export const removeMoment = (hash, id) => call(`/api/media/${hash}/moments/${id}`, { method: "DELETE" });
/** What has failed is tried again: a person asks for it. */
export const requestProxy = (hash) => send(`/api/media/${hash}/proxy`, "POST", { retry: true });
export const requestCrop = (hash, box) => send(`/api/media/${hash}/crops`, "POST", { boxes: [box], longest: 2048, retry: true });

/** Addresses of uploads in parts, in the form of S3 and of Uppy's plugin (docs/uploads.md). */
const inParts = (upload, path = "") => `/api/uploads/s3/multipart/${encodeURIComponent(upload.id)}${path}?key=${encodeURIComponent(upload.key)}`;

/** Where a whole file goes; `key` may get a number. */
export const wholeTarget = (name) => withFreeName(name, (key) => send("/api/uploads", "POST", { key }));

export async function beginParts(file, checksums, isPromised) {
  const begun = await withFreeName(file.name, (key) => {
    if (isPromised(key)) throw new ApiError(409, {});
    return send("/api/uploads/s3/multipart", "POST", { key, size: file.size, checksums });
  });
  return { id: begun.uploadId, key: begun.key };
}

export const storedParts = (upload) => call(inParts(upload));
export const partTarget = (upload, number, sha256) => call(inParts(upload, `/${number}`) + (sha256 ? `&sha256=${sha256}` : ""));
export const abortParts = (upload) => call(inParts(upload), { method: "DELETE" });
export const completeParts = (upload, parts) => send(inParts(upload, "/complete"), "POST", { parts });

/** Never replaces another original: a taken name gets a number. */
async function withFreeName(name, attempt) {
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    try {
      return await attempt(number === 1 ? name : numbered(name, number));
    } catch (error) {
      if (!TAKEN.has(error.status)) throw error;
    }
  }
  throw new Error("Too many originals have this name.");
}

function numbered(name, number) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)}-${number}${name.slice(dot)}` : `${name}-${number}`;
}

/**
 * Sends bytes to an address and returns the ETag of what is stored. `onProgress` receives the bytes that are sent. With
 * XMLHttpRequest, because fetch does not report the progress of an upload.
 */
export function put(target, body, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(target.method, target.url);
    if (target.needs_api_key) request.setRequestHeader("Authorization", `Bearer ${apiKey.get()}`);
    for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
    const stop = () => request.abort();
    signal?.addEventListener("abort", stop);
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onabort = () => reject(new DOMException("The upload was paused.", "AbortError"));
    request.onerror = () => reject(new Error("The connection broke."));
    request.onloadend = () => signal?.removeEventListener("abort", stop);
    request.onload = () => {
      if (request.status < 300) return resolve(request.getResponseHeader("ETag"));
      let problem = {};
      try { problem = JSON.parse(request.responseText); } catch { /* S3 answers XML */ }
      return reject(new ApiError(request.status, problem));
    };
    request.send(body);
  });
}
