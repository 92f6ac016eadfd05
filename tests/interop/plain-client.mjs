// Dynamic Key V2 in plain mode: all that a browser needs, nothing but fetch and WebCrypto.
// Plain mode does not authenticate the gateway. Use it inside TLS, or use pinned-client.mjs.
// One request at a time: nothing in this mode tells two answers apart.

const { subtle } = globalThis.crypto;
const P256 = { name: 'ECDH', namedCurve: 'P-256' };
const utf8 = (text) => new TextEncoder().encode(text);
const toB64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(''));
const fromB64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

async function post(url, headers, message) {
  headers = { 'X-Dynamic-Key-Version': '2', 'Content-Type': 'application/json', ...headers };
  const response = await fetch(url, { method: 'POST', redirect: 'error', headers, body: JSON.stringify(message) });
  const answer = await response.json();
  // A gateway's own error has a code; what came from the upstream is an envelope, whatever its status.
  if (answer.code) throw Object.assign(new Error(answer.code), { status: response.status, code: answer.code });
  return { status: response.status, answer };
}

/** Agrees on a key. `client` is {type, clientId}, `device` is {id, platform}; resolves to a session for `request`. */
export async function handshake(gateway, { client, device }) {
  const ours = await subtle.generateKey(P256, false, ['deriveKey']);
  const clientPublicKey = toB64(await subtle.exportKey('spki', ours.publicKey));
  const { answer } = await post(`${gateway}/api/info/v2`, {}, { clientPublicKey, device, client });
  const theirs = await subtle.importKey('spki', fromB64(answer.serverPublicKey), P256, false, []);
  const secret = await subtle.deriveKey({ name: 'ECDH', public: theirs }, ours.privateKey, 'HKDF', false, ['deriveKey']);
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: utf8(answer.sessionId), info: utf8('dynamic-key-v2') };
  const key = await subtle.deriveKey(hkdf, secret, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  // Our nonces: 4 random bytes with the top bit 0, then a counter. A nonce never repeats under one key.
  const prefix = crypto.getRandomValues(new Uint8Array(4)).map((byte, i) => (i === 0 ? byte & 0x7f : byte));
  return { gateway, id: answer.sessionId, token: answer.token, expiresAt: answer.expiresAt, key, prefix, counter: 0n };
}

/** Seals `message` ({method, path, headers, query, body}, or its JSON text) into an envelope. */
export async function seal(session, message) {
  const nonce = new Uint8Array(12);
  nonce.set(session.prefix);
  new DataView(nonce.buffer).setBigUint64(4, session.counter++);
  const aead = { name: 'AES-GCM', iv: nonce, additionalData: utf8(`v2:${session.id}`) };
  const plaintext = utf8(typeof message === 'string' ? message : JSON.stringify(message));
  return { nonce: toB64(nonce), data: toB64(await subtle.encrypt(aead, session.key, plaintext)) };
}

/** Sends one request and resolves to the upstream's {status, body}; body is text. A gateway's error is thrown. */
export async function request(session, message) {
  const headers = { 'X-Session-Id': session.id, Authorization: `Bearer ${session.token}` };
  const { status, answer } = await post(`${session.gateway}/api/request/v2`, headers, await seal(session, message));
  const iv = fromB64(answer.nonce);
  if (session.prefix.every((byte, i) => byte === iv[i])) throw new Error('our own envelope came back');
  const aead = { name: 'AES-GCM', iv, additionalData: utf8(`v2:${session.id}`) };
  return { status, body: new TextDecoder().decode(await subtle.decrypt(aead, session.key, fromB64(answer.data))) };
}
