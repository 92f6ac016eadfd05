// A Dynamic Key V2 gateway in Node and WebCrypto: plain, confirmed and pinned mode, the two EC schemes, a few built-in routes.
// A peer for testing clients, not for production. It writes JSON as awkwardly as §2.1 allows, answers chunked, and can
// misbehave.
//   node gateway.mjs [--port 0] [--session-seconds 3600] [--least-mode plain|confirmed] [--misbehave NAME[@request]]

import { realpathSync } from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { awkward } from './awkward.mjs';
import {
  COUNTER_LIMIT, KEY_LENGTH, aead, agree, fieldsOf, responseAad, sha256, signed, thumbprint, trafficKeys, transcript, wireNonce,
} from './pinned-client.mjs';
import { CLIENTS, route } from './routes.mjs';
import { BODY_LIMIT, Refused, b64, b64url, concat, isObject, matches, parse, unb64, unb64url, utf8 } from './wire.mjs';

const { subtle } = globalThis.crypto;
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HMAC = { name: 'HMAC', hash: 'SHA-256' };
const WINDOW = 1024;
const PLAIN_LIMIT = 2 ** 16;
const REMEMBERED = 600_000; // ms that an ended session is remembered
const LEEWAY = 60; // seconds
const random = (length) => crypto.getRandomValues(new Uint8Array(length));

const STATUS = {
  MISSING_VERSION: 400, INVALID_PUBLIC_KEY: 400, MALFORMED_REQUEST: 400, CLIENT_NOT_ALLOWED: 403, NO_COMMON_SCHEME: 400,
  RETRY_WITH_SCHEME: 409, CONFIRMATION_REQUIRED: 400, INVALID_SESSION: 400, SESSION_EXPIRED: 401, INVALID_TOKEN: 401,
  ENCRYPTION_ERROR: 400, ROUTE_NOT_ALLOWED: 404,
};
/** One of the errors of §2.6; `name` without its prefix. */
class WireError extends Error {
  constructor(name, more) { super(name); this.status = STATUS[name]; this.more = more; }
  get json() {
    const code = `DYNAMIC_KEY_V2_${this.message}`;
    return { status: this.status, code, message: 'Refused + explained nowhere/else.', ...this.more };
  }
}
const fail = (name, more) => { throw new WireError(name, more); };
const demand = (condition, name = 'MALFORMED_REQUEST') => condition || fail(name);

export const MISBEHAVIOURS = [
  'wrong-proof', 'strip-key-agreement', 'wrong-signature', 'strip-identity', 'unknown-kid', 'impostor', 'unoffered-scheme',
  'unoffered-feature', 'swap-status', 'replay-response', 'reflect-request', 'bit-flip', 'expired', 'forged-expiry',
  'unsealed-error', '409-loop', '409-unoffered', 'huge-body', 'huge-body@request', 'bad-json', 'bad-json@request',
  'duplicate-member', 'duplicate-member@request',
];

/** Starts a gateway on 127.0.0.1; resolves to {url, kid, close}. */
export async function start({ port = 0, sessionSeconds = 3600, leastMode = 'plain', misbehave } = {}) {
  if (misbehave && !MISBEHAVIOURS.includes(misbehave)) throw new Error(`no such misbehaviour; one of ${MISBEHAVIOURS.join(' ')}`);
  const identity = await newIdentity();
  const impostor = await newIdentity();
  const gateway = {
    sessionSeconds, leastMode, misbehave, identity, impostor, sessions: new Map(),
    instance: new DataView(random(4).buffer).getUint32(0),
    tokenKey: await tokenKey(random(32)),
  };
  const server = http.createServer((req, res) => serve(gateway, req, res).catch((error) => {
    console.error(error);
    res.destroy();
  }));
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  gateway.origin = `http://127.0.0.1:${server.address().port}`;
  return { url: gateway.origin, kid: identity.kid, close: () => { server.close(); server.closeAllConnections(); } };
}

async function newIdentity() {
  const pair = await subtle.generateKey(ECDSA, false, ['sign']);
  const { kty, crv, x, y } = await subtle.exportKey('jwk', pair.publicKey);
  const kid = await thumbprint({ kty, crv, x, y });
  return { kid, privateKey: pair.privateKey, jwk: { kty, crv, x, y, use: 'sig', alg: 'ES256', kid } };
}

// ---- HTTP

async function serve(gateway, req, res) {
  const endpoint = { '/api/info/v2': accept, '/api/request/v2': answer }[req.url];
  if (req.method === 'GET' && req.url === '/.well-known/jwks.json') {
    const posing = { ...gateway.impostor.jwk, kid: gateway.identity.kid };
    const keys = gateway.misbehave === 'impostor' ? [posing] : [gateway.impostor.jwk, gateway.identity.jwk];
    return send(res, 200, awkward({ keys }));
  }
  if (!endpoint || req.method !== 'POST') { res.writeHead(404).end(); return; }
  const body = await collect(req);
  let reply;
  try {
    reply = await endpoint(gateway, checkHeaders(req), body);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    reply = { status: error.status, json: error.json };
  }
  send(res, reply.status, spoil(gateway, req.url, reply));
}

/** Reads the body to its end; undefined if it was over the limit. */
async function collect(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) if ((size += chunk.length) <= BODY_LIMIT) chunks.push(chunk);
  return size <= BODY_LIMIT ? concat(...chunks) : undefined;
}

function checkHeaders(req) {
  const single = (name) => {
    const values = req.headersDistinct[name] ?? [];
    return values.length > 1 ? fail('MALFORMED_REQUEST') : values[0];
  };
  demand(single('x-dynamic-key-version') === '2', 'MISSING_VERSION');
  demand(matches(/^application\/json\s*(;|$)/i, single('content-type')));
  return { sessionId: single('x-session-id'), authorization: single('authorization') };
}

function readJson(bytes, defined, deepPath) {
  try { return parse(bytes, defined, deepPath); } catch { return fail('MALFORMED_REQUEST'); }
}

/** Chunked, with cuts where a reader does not expect them. */
function send(res, status, text) {
  const bytes = utf8(text);
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' });
  for (let at = 0, step = 7; at < bytes.length; at += step, step += step >> 1) res.write(bytes.subarray(at, at + step));
  res.end();
}

function spoil({ misbehave }, url, { status, json }) {
  const [name, where = 'info'] = (misbehave ?? '').split('@');
  const text = awkward(json);
  if (!url.includes(where) || status !== 200) return text;
  const open = text.indexOf('{') + 1;
  if (name === 'huge-body') return `${text.slice(0, open)}"filler":"${'x'.repeat(8 * BODY_LIMIT)}",${text.slice(open)}`;
  if (name === 'bad-json') return `${text}{}`;
  if (name !== 'duplicate-member') return text;
  const [member] = Object.entries(json); // once more, the same value, its name unescaped
  return `${text.slice(0, open)}${JSON.stringify(member[0])}:${JSON.stringify(member[1])},${text.slice(open)}`;
}

// ---- §2.1: handshake

async function accept(gateway, _, body) {
  demand(body);
  const hello = checkHello(readJson(body, ['', '/device', '/client', '/keyAgreement', '/keyAgreement/identity']));
  const offer = hello.keyAgreement;
  demand(CLIENTS.get(hello.client.clientId) === hello.client.type, 'CLIENT_NOT_ALLOWED');
  demand(!offer?.identity, 'CLIENT_NOT_ALLOWED'); // no client identity is registered here
  demand(offer || gateway.leastMode === 'plain', 'CONFIRMATION_REQUIRED');
  const scheme = offer ? offer.supportedSchemes.find((name) => name in KEY_LENGTH) ?? fail('NO_COMMON_SCHEME') : 'SCHEME-EC-AES2';
  retryIfAsked(gateway, hello);

  const ours = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveKey']);
  const Z = await agree(ours.privateKey, unb64(hello.clientPublicKey)).catch(() => fail('INVALID_PUBLIC_KEY'));
  const born = gateway.misbehave === 'expired' ? Date.now() - 60_000 - gateway.sessionSeconds * 1000 : Date.now();
  const ends = Math.floor(born / 1000 + gateway.sessionSeconds) * 1000;
  const session = { id: `s.~${b64url(random(24))}`, ends, client: hello.client, device: hello.device };
  const reply = {
    serverPublicKey: b64(await subtle.exportKey('spki', ours.publicKey)), sessionId: session.id,
    token: await issueToken(gateway, session), expireToken: offer ? ends / 1000 : 0, expiresAt: new Date(ends).toISOString(),
  };
  if (offer && gateway.misbehave !== 'strip-key-agreement') await confirm(gateway, hello, reply, scheme, Z, session);
  else await plainKey(Z, session);
  prune(gateway.sessions);
  gateway.sessions.set(session.id, session);
  return { status: 200, json: reply };
}

function checkHello(hello) {
  const { clientPublicKey, device, client, keyAgreement: offer } = hello;
  const printable = (value, most) => demand(matches(/^[\x20-\x7e]+$/, value) && value.length <= most);
  const names = (value, least) => demand(Array.isArray(value) && value.length >= least && value.length <= 8
    && value.every((name) => matches(/^[A-Za-z0-9-]{1,32}$/, name)) && new Set(value).size === value.length);
  const base64 = (value) => { try { return unb64(value); } catch { return fail('MALFORMED_REQUEST'); } };
  base64(clientPublicKey);
  demand(isObject(device) && isObject(client));
  printable(device.id, 64);
  printable(device.platform, 32);
  printable(client.type, 64);
  printable(client.clientId, 64);
  if ('keyAgreement' in hello) {
    demand(isObject(offer));
    names(offer.supportedSchemes, 1);
    if ('features' in offer) names(offer.features, 0);
    const { length } = base64(offer.nonce);
    demand(length >= 16 && length <= 32);
    if ('identity' in offer) demand(isObject(offer.identity) && matches(/^[A-Za-z0-9_-]{43}$/, offer.identity.kid));
  }
  return hello;
}

/** This gateway has one group and so no honest reason to ask for another key. */
function retryIfAsked({ misbehave }, { clientPublicKey, keyAgreement }) {
  const elliptic = (name) => name.includes('-EC-');
  const schemes = keyAgreement?.supportedSchemes ?? [];
  const cameElliptic = unb64(clientPublicKey).length === 91;
  const other = schemes.find((name) => elliptic(name) !== cameElliptic) ?? schemes[0];
  if (misbehave === '409-loop') fail('RETRY_WITH_SCHEME', { scheme: other });
  if (misbehave === '409-unoffered') fail('RETRY_WITH_SCHEME', { scheme: unoffered(schemes) });
}

const SCHEMES = ['SCHEME-EC-AES2', 'SCHEME-EC-AES1', 'SCHEME-AES2', 'SCHEME-AES1', 'SCHEME-NONE'];
const unoffered = (schemes) => SCHEMES.find((name) => !schemes.includes(name));

async function plainKey(Z, session) {
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: utf8(session.id), info: utf8('dynamic-key-v2') };
  session.key = await subtle.deriveKey(hkdf, Z, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  session.seen = new Set(); // nonces of both directions, so that a reflected envelope is a repeated one
}

/** Everything that makes it more than plain mode: traffic keys, proof, signature. */
async function confirm({ misbehave, identity, impostor, sessionSeconds }, hello, reply, scheme, Z, session) {
  const offered = hello.keyAgreement.supportedSchemes;
  const posing = { 'unknown-kid': impostor, impostor: { ...impostor, kid: identity.kid } };
  const signer = posing[misbehave] ?? identity;
  const chosen = {
    scheme: misbehave === 'unoffered-scheme' ? unoffered(offered) : scheme,
    nonce: b64(random(16 + random(1)[0] % 17)), features: misbehave === 'unoffered-feature' ? ['not-offered'] : [],
    expiresIn: misbehave === 'expired' ? 0 : sessionSeconds,
    identity: misbehave === 'strip-identity' ? undefined : { kid: signer.kid },
  };
  reply.keyAgreement = chosen;
  const T = await sha256(transcript(fieldsOf(hello, reply)));
  session.keys = await trafficKeys(Z, T, chosen.scheme in KEY_LENGTH ? chosen.scheme : scheme);
  session.window = { next: 0, seen: new Set() };
  chosen.proof = b64(flipIf(misbehave === 'wrong-proof', new Uint8Array(await subtle.sign('HMAC', session.keys.proof, T))));
  if (!chosen.identity) return;
  const message = flipIf(misbehave === 'wrong-signature', signed(T));
  chosen.identity.signature = b64url(await subtle.sign(ECDSA, signer.privateKey, message));
}

function flipIf(condition, bytes) {
  if (condition) bytes[bytes.length >> 1] ^= 1;
  return bytes;
}

function prune(sessions) {
  for (const [id, { ends }] of sessions) if (Date.now() > ends + REMEMBERED) sessions.delete(id);
}

// ---- §2.8: token

async function tokenKey(secret) {
  const ikm = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: utf8('dynamic-key v2 token') };
  return subtle.deriveKey(hkdf, ikm, { ...HMAC, length: 256 }, false, ['sign', 'verify']);
}

async function issueToken({ tokenKey, origin }, { id, client, device, ends }) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sid: id, cid: client.clientId, did: device.id, iat: now, nbf: now, exp: ends / 1000, aud: origin };
  const part = (value) => b64url(utf8(JSON.stringify(value)));
  const input = `${part({ alg: 'HS256', typ: 'dk2+jwt' })}.${part(claims)}`;
  return `${input}.${b64url(await subtle.sign('HMAC', tokenKey, utf8(input)))}`;
}

async function checkToken({ tokenKey, origin }, authorization, session) {
  const bearer = /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/i.exec(authorization ?? '');
  const [, header, payload, signature] = bearer ?? fail('INVALID_TOKEN');
  try {
    demand(await subtle.verify('HMAC', tokenKey, unb64url(signature), utf8(`${header}.${payload}`)), 'INVALID_TOKEN');
    const { alg, typ } = parse(unb64url(header), ['']);
    const { sid, cid, did, iat, nbf, exp, aud } = parse(unb64url(payload), ['']);
    const now = Date.now() / 1000;
    demand(alg === 'HS256' && typ === 'dk2+jwt' && sid === session.id && cid === session.client.clientId
      && did === session.device.id && aud === origin && iat <= now + LEEWAY && nbf <= now + LEEWAY && now < exp, 'INVALID_TOKEN');
  } catch (error) {
    if (error instanceof Refused) fail('INVALID_TOKEN');
    throw error;
  }
}

// ---- §2.4: envelopes

async function answer(gateway, { sessionId, authorization }, body) {
  demand(body);
  const { misbehave } = gateway;
  const envelope = readJson(body, ['', '/identity']);
  const { nonce, data } = readEnvelope(envelope);
  const session = gateway.sessions.get(sessionId) ?? fail('INVALID_SESSION');
  if (Date.now() >= session.ends) fail('SESSION_EXPIRED');
  await checkToken(gateway, authorization, session);
  const plaintext = await (session.key ? openPlain : openConfirmed)(session, nonce, data);
  const result = await outcome(session, plaintext);
  // In plain mode the gateway's own errors stay unsealed.
  if (misbehave === 'forged-expiry') fail('SESSION_EXPIRED');
  if (misbehave === 'unsealed-error') fail('ROUTE_NOT_ALLOWED');
  if (session.key && result instanceof WireError) throw result;
  const answered = result instanceof WireError ? { status: result.status, body: awkward(result.json) } : result;
  const json = session.key ? await sealPlain(session, answered) : await sealConfirmed(gateway, session, nonce, answered);
  if (misbehave === 'bit-flip') json.data = b64(flipIf(true, unb64(json.data)));
  if (misbehave === 'reflect-request') return { status: 200, json: { nonce: envelope.nonce, data: envelope.data } };
  if (misbehave === 'replay-response') session.first ??= json;
  const status = misbehave !== 'swap-status' ? answered.status : answered.status === 200 ? 201 : 200;
  return { status, json: session.first ?? json };
}

function readEnvelope(envelope) {
  try {
    const nonce = unb64(envelope.nonce);
    const data = unb64(envelope.data);
    demand(nonce.length === 12 && data.length >= 16);
    return { nonce, data };
  } catch {
    return fail('MALFORMED_REQUEST');
  }
}

async function decrypt(algorithm, key, data) {
  return new Uint8Array(await subtle.decrypt(algorithm, key, data).catch(() => fail('ENCRYPTION_ERROR')));
}

async function openPlain(session, nonce, data) {
  const seen = () => session.seen.has(b64(nonce)) && fail('ENCRYPTION_ERROR');
  seen();
  const plaintext = await decrypt({ name: 'AES-GCM', iv: nonce, additionalData: utf8(`v2:${session.id}`) }, session.key, data);
  seen(); // again: while this one was opened, its copy may have been committed
  demand(session.seen.size + 2 <= PLAIN_LIMIT, 'INVALID_SESSION');
  session.seen.add(b64(nonce));
  return plaintext;
}

async function openConfirmed(session, nonce, data) {
  const { window } = session;
  const view = new DataView(nonce.buffer);
  const counter = Number(view.getBigUint64(4));
  const fresh = () => counter + WINDOW >= window.next && !window.seen.has(counter);
  const check = () => demand(view.getUint32(0) === 0 && counter < COUNTER_LIMIT && fresh(), 'ENCRYPTION_ERROR');
  check();
  const plaintext = await decrypt(aead(nonce, session.keys.clientIv, `v2:${session.id}`), session.keys.clientWrite, data);
  check(); // again, as above
  window.seen.add(counter);
  window.next = Math.max(window.next, counter + 1);
  if (window.seen.size > 2 * WINDOW) for (const old of window.seen) if (old + WINDOW < window.next) window.seen.delete(old);
  return plaintext;
}

async function sealPlain(session, { status, body }) {
  const nonce = random(12);
  session.seen.add(b64(nonce));
  const algorithm = { name: 'AES-GCM', iv: nonce, additionalData: utf8(`v2:${session.id}`) };
  return { nonce: b64(nonce), data: b64(await subtle.encrypt(algorithm, session.key, utf8(body))) };
}

async function sealConfirmed({ instance }, session, requestNonce, { status, body }) {
  const nonce = wireNonce(instance, new DataView(requestNonce.buffer).getBigUint64(4));
  const algorithm = aead(nonce, session.keys.serverIv, responseAad(session.id, b64(requestNonce), status));
  return { nonce: b64(nonce), data: b64(await subtle.encrypt(algorithm, session.keys.serverWrite, utf8(body))) };
}

// ---- the sealed request

/** The upstream's answer to a committed request, or the error to give instead. */
async function outcome(session, plaintext) {
  try {
    const request = checkRequest(readJson(plaintext, ['', '/headers', '/query'], '/body'));
    return route(session.client, request) ?? fail('ROUTE_NOT_ALLOWED');
  } catch (error) {
    return error instanceof WireError ? error : Promise.reject(error);
  }
}

function checkRequest(request) {
  const { method, path, headers = {}, query = {} } = request;
  const strings = (value) => demand(isObject(value) && Object.values(value).every((member) => typeof member === 'string'));
  demand(typeof method === 'string' && typeof path === 'string');
  strings(headers);
  strings(query);
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  demand(new Set(names).size === names.length && names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)));
  demand(Object.values(headers).every((value) => !/[\x00-\x1f\x7f]/.test(value)));
  return request;
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: {
    port: { type: 'string', default: '0' }, 'session-seconds': { type: 'string', default: '3600' },
    'least-mode': { type: 'string', default: 'plain' }, misbehave: { type: 'string' },
  } });
  const { url, kid } = await start({
    port: Number(values.port), sessionSeconds: Number(values['session-seconds']), leastMode: values['least-mode'],
    misbehave: values.misbehave,
  }).catch((error) => { console.error(error.message); process.exit(2); });
  console.log(`listening on ${url} identity ${kid}`);
}
