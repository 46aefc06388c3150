// The API and the token. Errors of the service are shown in its own words.

const KEY = "fitnas-token";

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The token of the address (#token=...), which is then taken out of it, or of this browser tab. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

export const hasToken = () => sessionStorage.getItem(KEY) !== null;

export function setToken(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function asked(path, options) {
  const response = await fetch(`/api/v1${path}`, options);
  if (response.ok) return response;
  let detail = `${response.status} ${response.statusText}`;
  try { detail = (await response.json()).detail ?? detail; } catch { /* no document came along */ }
  throw new Problem(response.status, detail);
}

export async function get(path, signal) {
  return (await asked(path, { headers: headers(), signal })).json();
}

export async function send(method, path, body, more = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await asked(path, {
    method, headers: headers({ ...json, ...more }), body: body === undefined ? undefined : JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json();
}

/** A key for one change, so that sending it twice does it once; randomUUID is missing where the page came without TLS. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export async function upload(file, name) {
  const form = new FormData();
  form.append("file", file);
  form.append("name", name);
  return (await asked("/datasets", { method: "POST", headers: headers(), body: form })).json();
}

/** Hands a file of the service to the browser, which a plain link could not: it carries no token. */
export async function download(path, name) {
  const blob = await (await asked(path, { headers: headers() })).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** An address for a picture or page of the service, which carries the token's content as a blob. */
export async function blobAddress(path) {
  return URL.createObjectURL(await (await asked(path, { headers: headers() })).blob());
}

/** Follows server-sent events and goes on behind the last one where the connection breaks, until `signal`. */
export async function follow(path, listeners, signal) {
  let last = null;
  while (!signal.aborted) {
    try {
      const more = last === null ? {} : { "Last-Event-ID": last };
      const response = await asked(path, { headers: headers(more), signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) last = dispatch(part, listeners) ?? last;
      }
      if (listeners.end?.()) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status < 500) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function dispatch(text, listeners) {
  const event = { event: "message", data: "" };
  for (const line of text.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) event[line.slice(0, at)] = line.slice(at + 2);
  }
  if (event.data) listeners[event.event]?.(JSON.parse(event.data));
  return event.id ?? null;
}
