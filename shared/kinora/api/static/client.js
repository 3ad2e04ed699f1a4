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

/** Uploads a file and never replaces another: a taken name gets a number. `onProgress` receives 0 to 1. */
export async function upload(file, onProgress) {
  for (let attempt = 1; attempt <= MOST_NAMES; attempt += 1) {
    try {
      const target = await targetOf(attempt === 1 ? file.name : numbered(file.name, attempt));
      await put(target, file, onProgress);
      return target.key;
    } catch (error) {
      if (!TAKEN.has(error.status)) throw error;
    }
  }
  throw new Error("Too many originals have this name.");
}

const targetOf = (key) => send("/api/uploads", "POST", { key });

function numbered(name, number) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)}-${number}${name.slice(dot)}` : `${name}-${number}`;
}

// XMLHttpRequest, because fetch does not report the progress of an upload.
function put(target, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(target.method, target.url);
    if (target.needs_api_key) request.setRequestHeader("Authorization", `Bearer ${apiKey.get()}`);
    for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Error("The connection broke."));
    request.onload = () => {
      if (request.status < 300) return resolve();
      let problem = {};
      try { problem = JSON.parse(request.responseText); } catch { /* S3 answers XML */ }
      return reject(new ApiError(request.status, problem));
    };
    request.send(file);
  });
}
