// What every strict peer needs below the cryptography: bytes, base64, JSON as PROTOCOL §2.1 wants it, bounded bodies.

/** Bodies over this many bytes are refused. */
export const BODY_LIMIT = 1 << 20;

/** Thrown when the other side broke the protocol. */
export class Refused extends Error {}
export const refuse = (why) => { throw new Refused(why); };

export const utf8 = (text) => new TextEncoder().encode(text);
export const fromUtf8 = (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

export const b64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(''));

/** Canonical base64 only: padded, unused bits zero, no white space; atob alone takes more. */
export function unb64(text) {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) refuse('not base64');
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return b64(bytes) === text ? bytes : refuse('base64 is not canonical');
}

export const b64url = (bytes) => b64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
export function unb64url(text) {
  if (typeof text !== 'string' || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) refuse('not base64url');
  return unb64(text.replaceAll('-', '+').replaceAll('_', '/').padEnd(Math.ceil(text.length / 4) * 4, '='));
}

export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
/** RegExp.test alone would turn other types into strings first. */
export const matches = (pattern, value) => typeof value === 'string' && pattern.test(value);

/**
 * A JSON object as §2.1 wants it, from bytes. JSON.parse checks the grammar; this adds what it lets pass: broken UTF-8,
 * lone surrogates, nesting over 16, a name repeated in one of the `defined` objects ('' is the root, '/a/b' a nested one),
 * and `expireToken` or `expiresIn` there in other than plain digits. The member at `deepPath` may nest to 64.
 */
export function parse(bytes, defined, deepPath) {
  const text = fromUtf8(bytes);
  const value = JSON.parse(text);
  if (!isObject(value)) refuse('not a JSON object');
  const open = [];
  for (const [token, string, colon, number] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    if (token === '{' || token === '[') {
      const path = inside ? `${inside.path}/${inside.name}` : '';
      open.push({ path, name: '', names: new Set(), strict: token === '{' && defined.includes(path) });
      if (open.length > (open[1]?.path === deepPath ? 64 : 16)) refuse('JSON is nested too deep');
    } else if (token === '}' || token === ']') {
      open.pop();
    } else {
      const unescaped = JSON.parse(string);
      if (!unescaped.isWellFormed()) refuse('lone surrogate in JSON');
      if (!colon) continue;
      if (inside.strict && inside.names.has(unescaped)) refuse(`"${unescaped}" is repeated`);
      const plainDigits = ['expireToken', 'expiresIn'].includes(unescaped) ? /^\d+$/.test(number) : true;
      if (inside.strict && !plainDigits) refuse(`${unescaped} is not plain digits`);
      inside.names.add(unescaped);
      inside.name = unescaped.replaceAll('/', '~'); // a name must not pose as a path
    }
  }
  return value;
}
// A string, with its colon where it is a name and the number that follows; or a bracket.
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(?:\s*(:)\s*(-?\d[^\s,}\]]*)?)?|[{}[\]]/gs;

/** Reads a whole body, chunk by chunk, and stops at the limit. */
export async function readBody(stream, limit = BODY_LIMIT) {
  const chunks = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    size += chunk.length;
    if (size > limit) refuse('body over the limit');
    chunks.push(chunk);
  }
  return concat(...chunks);
}
