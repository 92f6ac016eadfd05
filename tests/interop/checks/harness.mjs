// What the checks share: messages, raw transport, verdicts and the count.

import assert from 'node:assert/strict';
import http from 'node:http';
import * as pinned from '../pinned-client.mjs';
import * as plain from '../plain-client.mjs';
import { b64, matches, readBody, unb64, utf8 } from '../wire.mjs';

const { subtle } = globalThis.crypto;

export const INTERNAL = { type: 'internal', clientId: 'internal-web-client' };
export const EXTERNAL = { type: 'external', clientId: 'partner-acme-corp' };
export const DEVICE = { id: 'interop-node', platform: 'server' };
export const GET = { method: 'GET', path: '/countries/get', headers: {}, query: {}, body: null };
export const login = (password, more) => ({ method: 'POST', path: '/users/login', body: { user: 'demo', password, ...more } });
export const AES1 = ['SCHEME-EC-AES1'];
export const AES2 = ['SCHEME-EC-AES2'];

/** The status of each code, §2.6. */
export const STATUS = {
  MISSING_VERSION: 400,
  INVALID_PUBLIC_KEY: 400,
  MALFORMED_REQUEST: 400,
  CLIENT_NOT_ALLOWED: 403,
  NO_COMMON_SCHEME: 400,
  INVALID_SESSION: 400,
  SESSION_EXPIRED: 401,
  INVALID_TOKEN: 401,
  ENCRYPTION_ERROR: 400,
  ROUTE_NOT_ALLOWED: 404,
};

export const target = { gateway: '', pin: '' }; // set before the first check
export const score = { passed: 0, failed: 0 };

export async function check(name, run) {
  try {
    await run();
    score.passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    score.failed++;
    console.log(
      `FAIL  ${name}\n      ${String(error.cause ?? error.message)
        .split('\n')
        .join('\n      ')}`,
    );
  }
}

// ---- raw messages

/** POSTs exactly these bytes; a header that is undefined is left out. */
async function post(path, body, headers = {}) {
  const all = { 'X-Dynamic-Key-Version': '2', 'Content-Type': 'application/json', ...headers };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const raw = typeof body === 'string' ? utf8(body) : body;
  const response = await fetch(target.gateway + path, {
    method: 'POST',
    headers: given,
    body: raw,
    redirect: 'error',
    signal: AbortSignal.timeout(60_000),
  });
  const text = new TextDecoder().decode(await readBody(response.body));
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    assert.fail(`${response.status} with a body that is not JSON: ${text.slice(0, 200)}`);
  }
  assert.ok(matches(/^application\/json/, response.headers.get('content-type')), 'the answer is application/json');
  return { status: response.status, json, headers: response.headers };
}
export const info = (hello, headers) =>
  post('/api/info/v2', typeof hello === 'object' && !ArrayBuffer.isView(hello) ? JSON.stringify(hello) : hello, headers);
export const send = (session, envelope, headers) =>
  post('/api/request/v2', typeof envelope === 'string' ? envelope : JSON.stringify(envelope), {
    'X-Session-Id': session.id,
    Authorization: `Bearer ${session.token}`,
    ...headers,
  });

/** The same in a way that fetch will not: headers repeated, the body chunked in pieces of so many bytes. */
export async function rawly(session, envelope, headers, piece = Infinity) {
  const all = {
    'X-Dynamic-Key-Version': '2',
    'Content-Type': 'application/json',
    'X-Session-Id': session.id,
    Authorization: `Bearer ${session.token}`,
    ...headers,
  };
  const request = http.request(`${target.gateway}/api/request/v2`, { method: 'POST', headers: all, timeout: 60_000 });
  const answered = new Promise((resolve, reject) =>
    request
      .on('response', resolve)
      .on('error', reject)
      .on('timeout', () => request.destroy()),
  );
  const body = JSON.stringify(envelope);
  if (piece < body.length) for (let at = 0; at < body.length; at += piece) request.write(body.slice(at, at + piece));
  request.end(piece < body.length ? '' : body);
  const response = await answered;
  return { status: response.statusCode, json: JSON.parse(Buffer.from(await readBody(response))) };
}

/** An error of the gateway in the clear: exact status, code and shape. */
export function isError({ status, json }, code) {
  assert.deepEqual([status, json.code], [STATUS[code], `DYNAMIC_KEY_V2_${code}`]);
  assert.equal(json.status, status);
  assert.equal(typeof json.message, 'string');
  assert.ok(!('data' in json), 'an error is no envelope');
}

export async function hello(change = {}, offer) {
  const { publicKey } = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
  const whole = { clientPublicKey: b64(await subtle.exportKey('spki', publicKey)), device: DEVICE, client: INTERNAL };
  if (offer) whole.keyAgreement = { supportedSchemes: AES2, nonce: b64(new Uint8Array(16).fill(9)), ...offer };
  return { ...whole, ...change };
}

/** Padded base64 of the same bytes, but not canonical: the last character has a bit set that decodes to nothing. */
export const unusedBits = (text) => text.replace(/[AEIMQUYcgkosw048](?==)/, (char) => ALPHABET[ALPHABET.indexOf(char) + 1]);
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A mode: how to get a session, to seal, and what became of a request: {status, body, code, sealed}. */
export const MODES = {
  plain: {
    connect: (client = INTERNAL) => plain.handshake(target.gateway, { client, device: DEVICE }),
    seal: plain.seal,
    async open(session, _, { status, json }) {
      const algorithm = { name: 'AES-GCM', iv: unb64(json.nonce), additionalData: utf8(`v2:${session.id}`) };
      return { status, body: new TextDecoder().decode(await subtle.decrypt(algorithm, session.key, unb64(json.data))) };
    },
  },
  confirmed: {
    connect: (client = INTERNAL, schemes) =>
      pinned.handshake(target.gateway, { client, device: DEVICE, schemes, mode: 'confirmed' }),
    seal: pinned.seal,
    open: (session, envelope, { status, json }) => pinned.open(session, envelope.nonce, status, json),
  },
};
MODES.pinned = {
  ...MODES.confirmed,
  connect: (client = INTERNAL, schemes) =>
    pinned.handshake(target.gateway, { client, device: DEVICE, schemes, pins: [target.pin] }),
};

export async function exchange(mode, session, message) {
  const envelope = await MODES[mode].seal(session, message);
  const answer = await send(session, envelope);
  return { ...(await result(mode, session, envelope, answer)), envelope, answer };
}
export async function result(mode, session, envelope, answer) {
  if (!('data' in answer.json)) return { status: answer.status, code: answer.json.code, sealed: false, json: answer.json };
  const { status, body } = await MODES[mode].open(session, envelope, answer);
  let json;
  try {
    json = JSON.parse(body);
  } catch {
    /* an upstream may answer anything */
  }
  return { status, body, json, code: json?.code, sealed: true };
}

export const isCountries = ({ status, sealed, json }) => {
  assert.deepEqual([status, sealed], [200, true]);
  assert.deepEqual(json, { countries: ['UY', 'PT'] });
};
export const is = (status) => (outcome) => assert.deepEqual([outcome.status, outcome.sealed], [status, true]);
/** An error after the envelope was opened: sealed in every mode but plain. */
export const refusedAs = (mode, code) => (outcome) => {
  assert.equal(outcome.sealed, mode !== 'plain', 'sealed or not as the mode wants it');
  isError({ status: outcome.status, json: outcome.json }, code);
};
export const stillWorks = async (mode, session) => isCountries(await exchange(mode, session, GET));
