// Recomputes every value of confirmed.json with the code of the two clients and prints a line for each group.
//   node vectors.mjs [path]            default: ../../test-vectors/confirmed.json beside this file

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { b64, unb64, unb64url, b64url, utf8, fromUtf8 } from './wire.mjs';
import * as client from './pinned-client.mjs';
import * as plain from './plain-client.mjs';

const { subtle } = globalThis.crypto;
const path = process.argv[2] ?? fileURLToPath(new URL('../../test-vectors/confirmed.json', import.meta.url));
const vectors = JSON.parse(await readFile(path, 'utf8'));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));

let passed = 0;
let failed = 0;
function equal(name, computed, expected) {
  if (typeof expected === 'string' && computed === expected) { passed++; return; }
  failed++;
  console.log(`FAIL ${name}\n  expected ${expected}\n  computed ${computed}`);
}

/** WebCrypto takes a private scalar only with its public point, which is the end of the SPKI. */
const privateKey = (scalar, spki) => subtle.importKey('jwk', {
  kty: 'EC', crv: 'P-256', d: b64url(unhex(scalar)), x: b64url(spki.subarray(27, 59)), y: b64url(spki.subarray(59)),
}, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveKey', 'deriveBits']);

/** Agrees from both ends, raw for the vector and as the client does it. */
async function agree(name, { clientPrivate, serverPrivate, Z }, clientSpki, serverSpki) {
  const ours = await privateKey(clientPrivate, clientSpki);
  const theirs = await privateKey(serverPrivate, serverSpki);
  for (const [end, key, spki] of [['client', ours, serverSpki], ['server', theirs, clientSpki]]) {
    const peer = await subtle.importKey('spki', spki, { name: 'ECDH', namedCurve: 'P-256' }, false, []);
    equal(`${name}: Z of the ${end}`, hex(await subtle.deriveBits({ name: 'ECDH', public: peer }, key, 256)), Z);
  }
  return client.agree(ours, serverSpki);
}

async function checkPlain(vector) {
  const Z = await agree('plain', vector, unb64(vector.clientPublicKey), unb64(vector.serverPublicKey));
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: utf8(vector.sessionId), info: utf8('dynamic-key-v2') };
  const raw = await subtle.deriveBits(hkdf, Z, 256);
  equal('plain: key', hex(raw), vector.key);
  const key = await subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
  const { plaintext, aad, nonce, data } = vector.envelope;
  equal('plain: aad', `v2:${vector.sessionId}`, aad);
  const wire = unb64(nonce);
  const session = { id: vector.sessionId, key, prefix: wire.subarray(0, 4), counter: new DataView(wire.buffer).getBigUint64(4) };
  equal('plain: envelope', JSON.stringify(await plain.seal(session, plaintext)), JSON.stringify({ nonce, data }));
}

/** The two messages whose transcript the fields are. */
function messages(fields) {
  const names = (bytes) => {
    const out = [];
    for (let at = 1; at < bytes.length; at += 1 + bytes[at]) out.push(fromUtf8(bytes.subarray(at + 1, at + 1 + bytes[at])));
    return out;
  };
  const text = (n) => fromUtf8(fields[n]);
  const identity = (n) => (fields[n].length ? { kid: text(n) } : undefined);
  return [{
    clientPublicKey: b64(fields[2]), device: { id: text(5), platform: text(6) }, client: { type: text(7), clientId: text(8) },
    keyAgreement: {
      supportedSchemes: names(fields[4]), nonce: b64(fields[3]), features: names(fields[20]), identity: identity(9),
    },
  }, {
    serverPublicKey: b64(fields[10]), sessionId: text(13), token: text(15), expireToken: Number(text(19)), expiresAt: text(14),
    keyAgreement: {
      scheme: text(12), nonce: b64(fields[11]), features: names(fields[21]), expiresIn: Number(text(18)), identity: identity(17),
    },
  }];
}

async function checkCase(vector) {
  const { name } = vector;
  const fields = Object.fromEntries(Object.entries(vector.fields).map(([n, value]) => [n, unhex(value)]));
  const ordered = Array.from({ length: 21 }, (_, i) => fields[i + 1]);
  if (fromUtf8(fields[1]) === 'dynamic-key-v2') {
    const ours = client.fieldsOf(...messages(fields));
    ordered.forEach((field, i) => equal(`${name}: field ${i + 1}`, hex(ours[i]), hex(field)));
  }
  const input = client.transcript(ordered);
  equal(`${name}: transcript`, hex(input), vector.transcriptInput);
  const T = await client.sha256(input);
  equal(`${name}: T`, hex(T), vector.T);

  const Z = await agree(name, vector, fields[2], fields[10]);
  const extract = await subtle.importKey('raw', T, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  equal(`${name}: PRK`, hex(await subtle.sign('HMAC', extract, unhex(vector.Z))), vector.PRK);
  const k = client.schedule(Z, T);
  for (const [label, value] of Object.entries(vector.keys)) {
    equal(`${name}: ${label}`, hex(await k(label, value.length / 2)), value);
  }

  const scheme = fromUtf8(fields[12]);
  equal(`${name}: key length`, String(client.KEY_LENGTH[scheme] * 2), String(vector.keys['client write'].length));
  const keys = await client.trafficKeys(Z, T, scheme);
  equal(`${name}: proof`, b64(await subtle.sign('HMAC', keys.proof, T)), vector.proof);

  if (vector.serverJwk) {
    equal(`${name}: kid`, await client.thumbprint(vector.serverJwk), fromUtf8(fields[17]));
    const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const identity = await subtle.importKey('jwk', vector.serverJwk, ecdsa, false, ['verify']);
    const holds = await subtle.verify(ecdsa, identity, unb64url(vector.serverSignature), client.signed(T));
    equal(`${name}: signature`, String(holds), 'true');
  }
  const session = { id: fromUtf8(fields[13]), keys };
  for (const envelope of vector.envelopes ?? []) await checkEnvelope(`${name}: envelope ${envelope.counter}`, session, envelope);
}

async function checkEnvelope(name, session, { counter, plaintext, aad, nonce, data, response }) {
  equal(`${name}: aad`, `v2:${session.id}`, aad);
  equal(name, JSON.stringify(await client.seal({ ...session, counter }, plaintext)), JSON.stringify({ nonce, data }));
  const wire = client.wireNonce(response.instance, counter);
  equal(`${name}: response nonce`, b64(wire), response.nonce);
  equal(`${name}: response aad`, client.responseAad(session.id, nonce, response.status), response.aad);
  const algorithm = client.aead(wire, session.keys.serverIv, response.aad);
  const sealed = await subtle.encrypt(algorithm, session.keys.serverWrite, utf8(response.plaintext));
  equal(`${name}: response`, b64(sealed), response.data);
  const opened = await client.open(session, nonce, response.status, response);
  equal(`${name}: response opened`, opened.body, response.plaintext);
}

await checkPlain(vectors.plain);
for (const vector of vectors.cases) await checkCase(vector);
console.log(`${path}: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
