// The crate's JOSE and `jose` of npm, in both directions: it reads everything of ours, and we read what PROTOCOL §4 admits of its
// and refuse the rest.
//   node run.mjs PATH-TO-JOSE-PEER
import { spawn } from 'node:child_process';
import { createHmac, webcrypto } from 'node:crypto';
import { createInterface } from 'node:readline';
import * as jose from 'jose';

const [path] = process.argv.slice(2);
const peer = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();
const ours = async (op, members) => {
  peer.stdin.write(`${JSON.stringify({ op, ...members })}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error(`jose-peer ended at ${op}`);
  return JSON.parse(value);
};

let passed = 0, failed = 0;
const check = (name, held, found) => {
  if (held) passed += 1; else failed += 1;
  console.log(held ? `ok ${name}` : `FAILED ${name}: ${JSON.stringify(found)}`);
};
const accepts = async (name, op, members, expected) => {
  const answer = await ours(op, members);
  check(name, 'ok' in answer && JSON.stringify(answer.ok) === JSON.stringify(expected), answer);
};
const refuses = async (name, op, members, error) => {
  const answer = await ours(op, members);
  check(name, answer.error === error, answer);
};
const theirs = async (name, attempt, expected) => {
  try {
    const found = await attempt();
    check(name, JSON.stringify(found) === JSON.stringify(expected), found);
  } catch (error) {
    check(name, false, String(error));
  }
};

const encode = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);
const url = (data) => Buffer.from(data).toString('base64url');
const header64 = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));

// One key for signatures, one for encryption, each as they and as we know it.
const makeKey = async (use, alg, crv = 'P-256') => {
  const name = use === 'sig' ? 'ECDSA' : 'ECDH';
  const usages = use === 'sig' ? ['sign', 'verify'] : ['deriveBits', 'deriveKey'];
  const pair = await webcrypto.subtle.generateKey({ name, namedCurve: crv }, true, usages);
  const { d, x, y } = await jose.exportJWK(pair.privateKey);
  const jwk = { kty: 'EC', crv, x, y, use };
  return { ...pair, d, jwk, alg, kid: await jose.calculateJwkThumbprint(jwk) };
};
const signing = await makeKey('sig', 'ES256');
const encryption = await makeKey('enc', 'ECDH-ES+A256KW');
const [address, tgt, iat] = ['igQQD@api.example', '/v1/identity#metaPublic', 1569116334];
const signer = `${address}/${signing.kid}`;
const recipient = `${address}/${encryption.kid}`;
const lengths = [0, 1, 2, 3, 47, 48, 49, 1024, 5000];
const text = (length) => 'payload "é" \u0000 '.repeat(1 + length / 10).slice(0, length);

// ── keys
for (const key of [signing, encryption]) {
  const { use } = key.jwk;
  const { ok } = await ours('jwk', { private: key.d, use });
  check(`our ${use} key has their coordinates`, ok.x === key.jwk.x && ok.y === key.jwk.y && ok.use === use, ok);
  check(`our ${use} key has their thumbprint`, ok.kid === key.kid, ok);
  await theirs(`they import our ${use} key`, async () => (await jose.importJWK(ok, key.alg)).type, 'public');
  await accepts(`we read their ${use} key`, 'thumbprint', { jwk: key.jwk, use }, key.kid);
  await refuses(`not for the other use than ${use}`, 'thumbprint', { jwk: key.jwk, use: use === 'sig' ? 'enc' : 'sig' }, 'Key');
  await refuses(`not with its private half (${use})`, 'thumbprint', { jwk: { ...key.jwk, d: key.d }, use }, 'Key');
}
await refuses('no use', 'thumbprint', { jwk: { ...signing.jwk, use: undefined }, use: 'sig' }, 'Key');
for (const crv of ['P-384', 'P-521']) {
  const other = await makeKey('sig', 'ES384', crv);
  await refuses(`a key of ${crv}`, 'thumbprint', { jwk: other.jwk, use: 'sig' }, 'Key');
  await refuses(`a key of ${crv} that says P-256`, 'thumbprint', { jwk: { ...other.jwk, crv: 'P-256' }, use: 'sig' }, 'Key');
}
const offCurve = { ...signing.jwk, y: url(Buffer.from(signing.jwk.y, 'base64url').map((byte, at) => (at === 31 ? byte ^ 1 : byte))) };
await refuses('a point that is not on the curve', 'thumbprint', { jwk: offCurve, use: 'sig' }, 'Key');
const okp = await jose.exportJWK((await jose.generateKeyPair('Ed25519', { extractable: true })).publicKey);
await refuses('an Ed25519 key', 'thumbprint', { jwk: { ...okp, use: 'sig' }, use: 'sig' }, 'Key');
const rsa = await jose.exportJWK((await jose.generateKeyPair('RS256', { extractable: true })).publicKey);
await refuses('an RSA key', 'thumbprint', { jwk: { ...rsa, use: 'sig' }, use: 'sig' }, 'Key');

// ── signatures
const verifying = { jwk: signing.jwk, kid: signer, tgt };
const sign = (payload, header, key = signing.privateKey, options) =>
  new jose.CompactSign(encode(payload)).setProtectedHeader(header).sign(key, options);
const good = { alg: 'ES256', iat, kid: signer, tgt };
for (const length of lengths) {
  const payload = text(length);
  const { ok: token } = await ours('sign', { private: signing.d, kid: signer, iat, tgt, payload: url(payload) });
  await theirs(`they verify ${length} characters of ours`, async () => {
    const { payload, protectedHeader } = await jose.compactVerify(token, signing.publicKey, { algorithms: ['ES256'] });
    return [decode(payload), protectedHeader];
  }, [payload, good]);
  await accepts(`we verify ${length} characters of theirs`, 'verify', { ...verifying, token: await sign(payload, good) }, { iat, payload: url(payload) });
}
await accepts('in any order, with members that we do not know', 'verify',
  { ...verifying, token: await sign('{}', { tgt, extra: [1], kid: signer, typ: 'JOSE', iat, alg: 'ES256' }) }, { iat, payload: url('{}') });
await refuses('another target', 'verify', { ...verifying, token: await sign('{}', { ...good, tgt: '/v1/identity#metaPrivate' }) }, 'Header');
await refuses('another kid', 'verify', { ...verifying, token: await sign('{}', { ...good, kid: recipient }) }, 'Header');
await refuses('no kid', 'verify', { ...verifying, token: await sign('{}', { alg: 'ES256', iat, tgt }) }, 'Header');
await refuses('no iat', 'verify', { ...verifying, token: await sign('{}', { alg: 'ES256', kid: signer, tgt }) }, 'Header');
const forged = (header, payload, signature) => `${url(JSON.stringify(header))}.${url(payload)}.${signature}`;
for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
  await refuses(`alg ${alg} without a signature`, 'verify', { ...verifying, token: forged({ ...good, alg }, '{}', '') }, 'Malformed');
  const { ok: token } = await ours('sign', { private: signing.d, kid: signer, iat, tgt, payload: url('{}') });
  await refuses(`alg ${alg} with one`, 'verify', { ...verifying, token: forged({ ...good, alg }, '{}', token.split('.')[2]) }, 'Header');
}
// The public key, which everybody has, as secret of an HMAC, in each form in which somebody has tried it.
const point = Buffer.concat([Buffer.from([4]), Buffer.from(signing.jwk.x, 'base64url'), Buffer.from(signing.jwk.y, 'base64url')]);
for (const [form, secret] of Object.entries({
  point, jwk: JSON.stringify(signing.jwk), pem: await jose.exportSPKI(signing.publicKey), x: Buffer.from(signing.jwk.x, 'base64url'),
})) {
  for (const alg of ['HS256', 'ES256']) {
    const input = `${url(JSON.stringify({ ...good, alg }))}.${url('{}')}`;
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    await refuses(`${alg} with the public key as secret (${form})`, 'verify', { ...verifying, token }, 'Malformed');
    const doubled = `${input}.${url(Buffer.concat([createHmac('sha256', secret).update(input).digest(), Buffer.alloc(32, 1)]))}`;
    await refuses(`the same, as long as ES256 (${alg}, ${form})`, 'verify', { ...verifying, token: doubled }, alg === 'HS256' ? 'Header' : 'Authentication');
  }
}
const p384 = await makeKey('sig', 'ES384', 'P-384');
await refuses('ES384', 'verify', { ...verifying, token: await sign('{}', { ...good, alg: 'ES384' }, p384.privateKey) }, 'Malformed');
const stranger = await makeKey('sig', 'ES256');
await refuses("a stranger's signature", 'verify', { ...verifying, token: await sign('{}', good, stranger.privateKey) }, 'Authentication');
await refuses('crit', 'verify', { ...verifying, token: await sign('{}', { ...good, crit: ['urn:x'], 'urn:x': 1 }, signing.privateKey, { crit: { 'urn:x': true } }) }, 'Header');
await refuses('b64', 'verify', { ...verifying, token: await sign('{}', { ...good, b64: true, crit: ['b64'] }) }, 'Header');
for (const [name, member] of Object.entries({
  jwk: { kty: 'EC' }, jku: 'https://example.com', x5u: 'https://example.com', x5c: ['AA'], x5t: 'AA', 'x5t#S256': 'AA',
})) {
  await refuses(name, 'verify', { ...verifying, token: await sign('{}', { ...good, [name]: member }) }, 'Header');
}
const flattened = await new jose.FlattenedSign(encode('{}')).setProtectedHeader(good).sign(signing.privateKey);
await refuses('the JSON form', 'verify', { ...verifying, token: JSON.stringify(flattened) }, 'Malformed');

// ── encryption
const admitted = { keyManagementAlgorithms: ['ECDH-ES+A256KW'], contentEncryptionAlgorithms: ['A256GCM'] };
const envelope = { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', kid: recipient };
const encrypt = (plaintext, header, key = encryption.publicKey, parameters) => {
  const message = new jose.CompactEncrypt(encode(plaintext)).setProtectedHeader(header);
  if (parameters) message.setKeyManagementParameters(parameters);
  return message.encrypt(key);
};
const decrypting = { private: encryption.d };
for (const length of lengths) {
  const plaintext = text(length);
  const { ok: token } = await ours('encrypt', { jwk: encryption.jwk, address, cty: 'JWS', plaintext: url(plaintext) });
  await theirs(`they decrypt ${length} characters of ours`, async () => {
    const { plaintext, protectedHeader: { epk, ...header } } = await jose.compactDecrypt(token, encryption.privateKey, admitted);
    return [decode(plaintext), header, Object.keys(epk)];
  }, [plaintext, { ...envelope, cty: 'JWS' }, ['kty', 'crv', 'x', 'y']]);
  await accepts(`we decrypt ${length} characters of theirs`, 'decrypt', { ...decrypting, token: await encrypt(plaintext, envelope) }, url(plaintext));
}
for (const [apu, apv] of [['Alice', 'Bob'], ['', 'Bob'], ['Alice', ''], ['A'.repeat(128), 'é']]) {
  const parameters = { apu: encode(apu), apv: encode(apv) };
  await accepts(`with parties of ${apu.length} and ${apv.length}`, 'decrypt', { ...decrypting, token: await encrypt('text', envelope, undefined, parameters) }, url('text'));
}
for (const enc of ['A128GCM', 'A192GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512']) {
  await refuses(`enc ${enc}`, 'decrypt', { ...decrypting, token: await encrypt('text', { ...envelope, enc }) }, 'Malformed');
}
for (const alg of ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW']) {
  const answer = await ours('decrypt', { ...decrypting, token: await encrypt('text', { ...envelope, alg }) });
  check(`alg ${alg}`, ['Header', 'Malformed'].includes(answer.error), answer);
}
const secret = webcrypto.getRandomValues(new Uint8Array(32));
for (const alg of ['A256KW', 'A256GCMKW', 'dir']) {
  const answer = await ours('decrypt', { ...decrypting, token: await encrypt('text', { ...envelope, alg }, secret) });
  check(`alg ${alg}`, ['Header', 'Malformed'].includes(answer.error), answer);
}
const far = await makeKey('enc', 'ECDH-ES+A256KW', 'P-384');
await refuses('epk of another curve', 'decrypt', { ...decrypting, token: await encrypt('text', envelope, far.publicKey) }, 'Key');
await refuses('crit', 'decrypt', { ...decrypting, token: await new jose.CompactEncrypt(encode('text')).setProtectedHeader({ ...envelope, crit: ['urn:x'], 'urn:x': 1 }).encrypt(encryption.publicKey, { crit: { 'urn:x': true } }) }, 'Header');
await refuses('another recipient', 'decrypt', { ...decrypting, token: await encrypt('text', { ...envelope, kid: signer }) }, 'Key');
await refuses('no kid', 'decrypt', { ...decrypting, token: await encrypt('text', { alg: envelope.alg, enc: envelope.enc }) }, 'Header');
const withHeader = (token, change) => {
  const [, ...rest] = token.split('.');
  return [url(JSON.stringify(change(header64(token)))), ...rest].join('.');
};
const sealed = await encrypt('text', envelope);
const changed = (y) => withHeader(sealed, (header) => ({ ...header, epk: { ...header.epk, y } }));
await refuses('a point in epk that is not on the curve', 'decrypt', { ...decrypting, token: changed(offCurve.y) }, 'Key');
await refuses('zero in epk', 'decrypt', { ...decrypting, token: changed(url(Buffer.alloc(32))) }, 'Key');
await refuses('a short coordinate in epk', 'decrypt', { ...decrypting, token: changed('AAAA') }, 'Key');
await refuses('a private key in epk', 'decrypt', { ...decrypting, token: withHeader(sealed, (header) => ({ ...header, epk: { ...header.epk, d: 'AA' } })) }, 'Key');
await refuses('another epk', 'decrypt', { ...decrypting, token: withHeader(sealed, (header) => ({ ...header, epk: signing.jwk })) }, 'Authentication');
for (const name of ['zip', 'jwk', 'jku', 'x5u', 'x5c', 'x5t']) {
  await refuses(name, 'decrypt', { ...decrypting, token: withHeader(sealed, (header) => ({ ...header, [name]: 'DEF' })) }, 'Header');
}
await refuses('another header, the same otherwise', 'decrypt', { ...decrypting, token: withHeader(sealed, (header) => ({ ...header, x: 1 })) }, 'Authentication');

// ── passwords
const password = encode('Thus from my lips, by yours, my sin is purged.');
const under = (p2c, { enc = 'A256GCM', alg = 'PBES2-HS256+A128KW', salt = 16 } = {}) =>
  encrypt('text', { alg, enc }, password, { p2c, p2s: webcrypto.getRandomValues(new Uint8Array(salt)) });
const opening = { password: url(password), most: 600_000 };
const { ok: protectedByUs } = await ours('encrypt-password', { password: url(password), count: 10_001, plaintext: url('text'), cty: 'jwk+json' });
await theirs('they open ours under a password', async () => {
  const { plaintext, protectedHeader: { alg, enc, cty, p2c } } = await jose.compactDecrypt(protectedByUs, password, {
    keyManagementAlgorithms: ['PBES2-HS256+A128KW'], contentEncryptionAlgorithms: ['A256GCM'], maxPBES2Count: 20_000,
  });
  return [decode(plaintext), alg, enc, cty, p2c];
}, ['text', 'PBES2-HS256+A128KW', 'A256GCM', 'jwk+json', 10_001]);
await accepts('we open theirs', 'decrypt-password', { ...opening, token: await under(10_000) }, url('text'));
await accepts('with the most iterations', 'decrypt-password', { ...opening, token: await under(600_000) }, url('text'));
await accepts('with a long salt', 'decrypt-password', { ...opening, token: await under(10_000, { salt: 64 }) }, url('text'));
await refuses('one iteration more', 'decrypt-password', { ...opening, token: await under(600_001) }, 'Header');
await refuses('too few iterations', 'decrypt-password', { ...opening, token: await under(9_999) }, 'Header');
await refuses('a count that nobody waits for', 'decrypt-password', { ...opening, token: withHeader(await under(10_000), (header) => ({ ...header, p2c: 2 ** 53 - 1 })) }, 'Header');
await refuses('a count over any maximum', 'decrypt-password', { ...opening, most: 2_000_000, token: withHeader(await under(10_000), (header) => ({ ...header, p2c: 2_000_001 })) }, 'Header');
await refuses('a short salt', 'decrypt-password', { ...opening, token: await under(10_000, { salt: 15 }) }, 'Header');
await refuses('a salt that is too long', 'decrypt-password', { ...opening, token: await under(10_000, { salt: 65 }) }, 'Header');
await refuses('another password', 'decrypt-password', { ...opening, password: url('guess'), token: await under(10_000) }, 'Authentication');
for (const enc of ['A128GCM', 'A128CBC-HS256']) {
  const answer = await ours('decrypt-password', { ...opening, token: await under(10_000, { enc }) });
  check(`enc ${enc} under a password`, ['Header', 'Malformed'].includes(answer.error), answer);
}
for (const alg of ['PBES2-HS384+A192KW', 'PBES2-HS512+A256KW']) {
  await refuses(alg, 'decrypt-password', { ...opening, token: await under(10_000, { alg }) }, 'Header');
}

// ── packages
const body = { key: 'value', list: [1, 2, { deep: null }] };
const { ok: packed } = await ours('pack', {
  private: signing.d, jwk: encryption.jwk, sender: address, recipient: 'bob@api.example', id: '7', iat, tgt, body,
});
await theirs('they open our package', async () => {
  const outer = await jose.compactDecrypt(packed, encryption.privateKey, admitted);
  const inner = await jose.compactVerify(decode(outer.plaintext), signing.publicKey, { algorithms: ['ES256'] });
  return [outer.protectedHeader.cty, inner.protectedHeader, JSON.parse(decode(inner.payload))];
}, ['JWS', good, { aud: 'bob@api.example', jti: '7', body }]);
const pack = async (payload, cty = 'JWS', header = good) =>
  encrypt(await sign(JSON.stringify(payload), header), { ...envelope, kid: `bob@api.example/${encryption.kid}`, cty });
const named = { aud: 'bob@api.example', jti: '7', body };
const unpacking = { private: encryption.d, jwk: signing.jwk, sender: address, recipient: 'bob@api.example', id: '7' };
await accepts('we open their package', 'unpack', { ...unpacking, token: await pack(named) }, body);
await refuses('for another recipient', 'unpack', { ...unpacking, token: await pack({ ...named, aud: address }) }, 'Claim');
await refuses('under another id', 'unpack', { ...unpacking, token: await pack({ ...named, jti: '8' }) }, 'Claim');
await refuses('from another address', 'unpack', { ...unpacking, sender: 'eve', token: await pack(named) }, 'Key');
await refuses('that is no JWS', 'unpack', { ...unpacking, token: await pack(named, 'JWT') }, 'Header');
await refuses('without a body', 'unpack', { ...unpacking, token: await pack({ aud: named.aud, jti: '7' }) }, 'Malformed');

// ── tokens of API keys
const [kid, aud, times] = ['agQIBAQ@api.example', 'api.example', { iat: 1000, nbf: 900, exp: 2000 }];
for (const length of [32, 64, 100]) {
  const secret = webcrypto.getRandomValues(new Uint8Array(length));
  const { ok: token } = await ours('sign-token', { secret: url(secret), kid, aud, ...times });
  await theirs(`they verify our token under ${length} bytes`, async () => {
    const { payload, protectedHeader } = await jose.jwtVerify(token, secret, { algorithms: ['HS256'], audience: aud, currentDate: new Date(1500e3) });
    return [payload, protectedHeader];
  }, [{ aud: [aud], exp: 2000, iat: 1000, nbf: 900 }, { alg: 'HS256', kid }]);
  const signed = (claims, header = { alg: 'HS256', kid }) => new jose.SignJWT(claims).setProtectedHeader(header).sign(secret);
  const verifying = { secret: url(secret), kid, aud, now: 1500 };
  await accepts('we verify theirs', 'verify-token', { ...verifying, token: await signed({ aud, ...times }) }, null);
  await accepts('for several', 'verify-token', { ...verifying, token: await signed({ aud: ['x', aud], ...times }) }, null);
  await refuses('for others', 'verify-token', { ...verifying, token: await signed({ aud: ['x', 'y'], ...times }) }, 'Claim');
  await refuses('expired', 'verify-token', { ...verifying, now: 2000, token: await signed({ aud, ...times }) }, 'Expired');
  await refuses('not yet valid', 'verify-token', { ...verifying, now: 999, token: await signed({ aud, ...times }) }, 'NotYetValid');
  await refuses('without exp', 'verify-token', { ...verifying, token: await signed({ aud, iat: 1000, nbf: 900 }) }, 'Claim');
  await refuses('HS512', 'verify-token', { ...verifying, token: await signed({ aud, ...times }, { alg: 'HS512', kid }) }, 'Malformed');
}
await refuses('a secret of 31 bytes', 'sign-token', { secret: url(Buffer.alloc(31)), kid, aud, ...times }, 'WeakKey');

peer.stdin.end();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
