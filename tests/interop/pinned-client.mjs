// Dynamic Key V2 in confirmed and pinned mode with fetch and WebCrypto alone. Written from docs/protocol.md; § are its sections.
// It never falls back: an answer below the mode that was asked for is refused.

import { b64, unb64, b64url, unb64url, utf8, fromUtf8, concat, isObject, matches, parse, readBody, refuse } from './wire.mjs';

const { subtle } = globalThis.crypto;
const ECDH = { name: 'ECDH', namedCurve: 'P-256' };
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SPKI_P256 = '3059301306072a8648ce3d020106082a8648ce3d03010703420004'; // then x and y: 91 bytes
export const COUNTER_LIMIT = 2 ** 24;
export const KEY_LENGTH = { 'SCHEME-EC-AES1': 16, 'SCHEME-EC-AES2': 32 };
const STRONG_FIRST = ['SCHEME-EC-AES2', 'SCHEME-EC-AES1'];

/** An error that the gateway sent unsealed: a hint from whoever sits on the wire. */
export class GatewayError extends Error {
  constructor(status, code) { super(`${status} ${code}`); Object.assign(this, { status, code }); }
}

// ---- §2.3: transcript, key schedule, proof

/** A list field: its count, then each name with its length. */
export const list = (names) => concat([names.length], ...names.flatMap((name) => [[name.length], utf8(name)]));

/** The 21 fields of the `dynamic-key-v2` binding, from the two messages as sent. */
export function fieldsOf(hello, answer) {
  const offer = hello.keyAgreement;
  const chosen = answer.keyAgreement;
  return [
    utf8('dynamic-key-v2'), unb64(hello.clientPublicKey), unb64(offer.nonce), list(offer.supportedSchemes),
    utf8(hello.device.id), utf8(hello.device.platform), utf8(hello.client.type), utf8(hello.client.clientId),
    utf8(offer.identity?.kid ?? ''), unb64(answer.serverPublicKey), unb64(chosen.nonce), utf8(chosen.scheme),
    utf8(answer.sessionId), utf8(answer.expiresAt), utf8(answer.token), utf8(''), utf8(chosen.identity?.kid ?? ''),
    utf8(String(chosen.expiresIn)), utf8(String(answer.expireToken)), list(offer.features ?? []), list(chosen.features ?? []),
  ];
}

/** What T is the SHA-256 of. */
export const transcript = (fields) => concat(utf8('dynamic-key transcript v2\0'), ...fields.flatMap((field) =>
  field.length > 0xffff ? refuse('field too long') : [[field.length >> 8, field.length & 0xff], field]));

export const sha256 = async (bytes) => new Uint8Array(await subtle.digest('SHA-256', bytes));

/** Z as a key that cannot leave WebCrypto; a peer key that is not on the curve is refused. */
export async function agree(privateKey, peerSpki) {
  const prefix = Array.from(peerSpki.subarray(0, 27), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (peerSpki.length !== 91 || prefix !== SPKI_P256) refuse('not a P-256 key');
  const peer = await subtle.importKey('spki', peerSpki, ECDH, false, []).catch(() => refuse('not a point on P-256'));
  return subtle.deriveKey({ name: 'ECDH', public: peer }, privateKey, 'HKDF', false, ['deriveBits', 'deriveKey']);
}

/** k(label, length): WebCrypto's HKDF is extract with salt T and expand with the label. */
export const schedule = (Z, T) => async (label, length) => new Uint8Array(await subtle.deriveBits(
  { name: 'HKDF', hash: 'SHA-256', salt: T, info: utf8(`dynamic-key v2 ${label}`) }, Z, length * 8));

/** The keys that a session needs, and the key of the proof. */
export async function trafficKeys(Z, T, scheme) {
  const k = schedule(Z, T);
  const key = async (label, length, algorithm, uses) => subtle.importKey('raw', await k(label, length), algorithm, false, uses);
  const write = (label) => key(label, KEY_LENGTH[scheme], 'AES-GCM', ['encrypt', 'decrypt']);
  return {
    clientWrite: await write('client write'), serverWrite: await write('server write'),
    clientIv: await k('client iv', 12), serverIv: await k('server iv', 12),
    proof: await key('server proof', 32, { name: 'HMAC', hash: 'SHA-256' }, ['sign', 'verify']),
  };
}

/** What the gateway's identity signs. */
export const signed = (T) => concat(utf8('dynamic-key v2 server\0'), T);

/** RFC 7638: the name of a P-256 key is the hash of its canonical JWK. */
export const thumbprint = async ({ crv, kty, x, y }) => b64url(await sha256(utf8(JSON.stringify({ crv, kty, x, y }))));

// ---- §2.1: handshake

/**
 * Agrees on a session. `options`: client {type, clientId}, device {id, platform}, schemes in order of preference, features,
 * and `pins`, the kids that the gateway may have. Mode `confirmed` asks for no identity: a man in the middle passes it.
 */
export async function handshake(gateway, options) {
  const { client, device, schemes = STRONG_FIRST, features = [], mode = 'pinned', pins = [] } = options;
  const ours = await subtle.generateKey(ECDH, false, ['deriveKey']);
  const hello = {
    clientPublicKey: b64(await subtle.exportKey('spki', ours.publicKey)), device, client,
    keyAgreement: { supportedSchemes: schemes, nonce: b64(crypto.getRandomValues(new Uint8Array(16))), features },
  };
  const sentAt = performance.now();
  const objects = ['', '/keyAgreement', '/keyAgreement/identity'];
  const { status, message: answer } = await post(`${gateway}/api/info/v2`, {}, hello, objects);
  // This client has one group: a 409 names a scheme that it did not offer or a group that it already sent. §2.2 ends there.
  if (status !== 200) throw new GatewayError(status, answer.code);
  const chosen = isObject(answer.keyAgreement) ? answer.keyAgreement : refuse('no keyAgreement in the answer');
  checkAnswer(answer, chosen, schemes, features);
  const kid = chosen.identity?.kid;
  if (mode !== 'confirmed' && !pins.includes(kid)) refuse('the gateway is none of the pinned identities');

  const T = await sha256(transcript(fieldsOf(hello, answer)));
  const keys = await trafficKeys(await agree(ours.privateKey, unb64(answer.serverPublicKey)), T, chosen.scheme);
  if (!await subtle.verify('HMAC', keys.proof, unb64(chosen.proof), T)) refuse('wrong proof');
  if (mode !== 'confirmed') {
    const identity = await identityKey(gateway, kid);
    if (!await subtle.verify(ECDSA, identity, unb64url(chosen.identity.signature), signed(T))) refuse('wrong signature');
  }
  const session = {
    gateway, id: answer.sessionId, token: answer.token, scheme: chosen.scheme, keys, counter: 0,
    monotonicEnd: sentAt + chosen.expiresIn * 1000,
    wallEnd: Math.min(Date.parse(answer.expiresAt), answer.expireToken * 1000 || Infinity),
  };
  return hasEnded(session) ? refuse('the session has ended before it began') : session;
}

const hasEnded = ({ monotonicEnd, wallEnd }) => performance.now() >= monotonicEnd || Date.now() >= wallEnd;

function checkAnswer(answer, chosen, schemes, features) {
  const length = (bytes, least, most = least) => bytes.length >= least && bytes.length <= most;
  const selected = 'features' in chosen ? chosen.features : [];
  const holds = schemes.includes(chosen.scheme) && chosen.scheme in KEY_LENGTH
    && Array.isArray(selected) && selected.every((name) => features.includes(name)) && new Set(selected).size === selected.length
    && length(unb64(chosen.nonce), 16, 32) && length(unb64(chosen.proof), 32)
    && Number.isSafeInteger(chosen.expiresIn) && Number.isSafeInteger(answer.expireToken)
    && matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, answer.expiresAt) && Date.parse(answer.expiresAt) > 0
    && matches(/^[A-Za-z0-9._~-]{1,64}$/, answer.sessionId) && matches(/^[A-Za-z0-9._~+/=-]{1,4096}$/, answer.token)
    && (!('identity' in chosen) || (isObject(chosen.identity)
      && length(unb64url(chosen.identity.kid), 32) && length(unb64url(chosen.identity.signature), 64)));
  if (!holds) refuse('the answer is malformed or was not offered');
}

/** The key of a pinned kid may come from the gateway itself, for the kid is its thumbprint. */
async function identityKey(gateway, kid) {
  const response = await fetch(`${gateway}/.well-known/jwks.json`, { redirect: 'error' });
  for (const jwk of parse(await readBody(response.body), ['']).keys) {
    if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || (jwk.use ?? 'sig') !== 'sig' || await thumbprint(jwk) !== kid) continue;
    return subtle.importKey('jwk', { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, ECDSA, false, ['verify']);
  }
  return refuse('the pinned identity is not published');
}

// ---- §2.4: envelopes

/** A wire nonce: uint32 (0 from a client, the instance from a gateway) and the uint64 counter. */
export function wireNonce(instance, counter) {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(0, instance);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter));
  return nonce;
}

/** AES-GCM with the wire nonce XOR the direction's iv. */
export const aead = (nonce, iv, aad) =>
  ({ name: 'AES-GCM', iv: nonce.map((byte, i) => byte ^ iv[i]), additionalData: utf8(aad) });
export const responseAad = (id, requestNonce, status) => `v2:${id}:${requestNonce}:${status}`;

/** Seals `message` ({method, path, headers, query, body}, or its JSON text); the counter is spent before anything can fail. */
export async function seal(session, message) {
  const counter = session.counter++;
  if (counter >= COUNTER_LIMIT) throw new Error('session exhausted');
  const nonce = wireNonce(0, counter);
  const plaintext = utf8(typeof message === 'string' ? message : JSON.stringify(message));
  const data = await subtle.encrypt(aead(nonce, session.keys.clientIv, `v2:${session.id}`), session.keys.clientWrite, plaintext);
  return { nonce: b64(nonce), data: b64(data) };
}

/** Opens the answer to the request that had `requestNonce`: {status, body}, a gateway's sealed error included. */
export async function open(session, requestNonce, status, envelope) {
  const nonce = unb64(envelope.nonce);
  const counter = (bytes) => b64(bytes.subarray(4));
  if (nonce.length !== 12 || counter(nonce) !== counter(unb64(requestNonce))) refuse('an answer to another request');
  const algorithm = aead(nonce, session.keys.serverIv, responseAad(session.id, requestNonce, status));
  const opening = subtle.decrypt(algorithm, session.keys.serverWrite, unb64(envelope.data));
  return { status, body: fromUtf8(new Uint8Array(await opening.catch(() => refuse('the answer does not open')))) };
}

// After a request was opened every answer is sealed, so these codes are never honest outside an envelope (§2.6).
const SEALED_ONLY = ['CLIENT_NOT_ALLOWED', 'ROUTE_NOT_ALLOWED', 'UPSTREAM_UNAVAILABLE'].map((code) => `DYNAMIC_KEY_V2_${code}`);

/** One request: resolves to {status, body}, body is text. Any number may be in flight. */
export async function request(session, message) {
  if (hasEnded(session)) throw new Error('session expired');
  const envelope = await seal(session, message);
  const headers = { 'X-Session-Id': session.id, Authorization: `Bearer ${session.token}` };
  const { status, message: answer } = await post(`${session.gateway}/api/request/v2`, headers, envelope, ['']);
  if ('data' in answer) return open(session, envelope.nonce, status, answer);
  if (SEALED_ONLY.includes(answer.code)) refuse('an unsealed error that must be sealed');
  throw new GatewayError(status, answer.code);
}

async function post(url, headers, message, defined) {
  headers = { 'X-Dynamic-Key-Version': '2', 'Content-Type': 'application/json', ...headers };
  const response = await fetch(url, { method: 'POST', redirect: 'error', headers, body: JSON.stringify(message) });
  if (!/^application\/json\s*(;|$)/i.test(response.headers.get('content-type') ?? '')) refuse('the answer is not JSON');
  return { status: response.status, message: parse(await readBody(response.body), defined) };
}
