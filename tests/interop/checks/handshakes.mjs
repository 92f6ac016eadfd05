// POST /api/info/v2: what is accepted, and every refusal with its status and code (PROTOCOL §1, §2.1, §2.6).

import assert from 'node:assert/strict';
import { awkward } from '../awkward.mjs';
import * as pinned from '../pinned-client.mjs';
import { BODY_LIMIT, b64, concat, matches, unb64, utf8 } from '../wire.mjs';
import { AES1, AES2, DEVICE, EXTERNAL, INTERNAL, STATUS, check, hello, info, isError, target, unusedBits } from './harness.mjs';

const { subtle } = globalThis.crypto;

export async function handshakes() {
  for (const [mode, offer] of [
    ['plain', undefined],
    ['confirmed', {}],
  ]) {
    await check(`${mode} hello: 200, the members, no-store`, async () => {
      const { status, json, headers } = await info(await hello({}, offer));
      assert.equal(status, 200);
      assert.ok(matches(/^[A-Za-z0-9._~-]{22,64}$/, json.sessionId), 'sessionId');
      assert.ok(matches(/^[\w-]+\.[\w-]+\.[\w-]+$/, json.token), 'token');
      assert.equal(unb64(json.serverPublicKey).length, 91);
      assert.ok(Number.isSafeInteger(json.expireToken) && json.expireToken >= 0, 'expireToken');
      assert.ok(Date.parse(json.expiresAt) > Date.now(), 'expiresAt');
      assert.equal('keyAgreement' in json, mode !== 'plain', 'keyAgreement only where it was sent');
      assert.match(headers.get('cache-control') ?? '', /no-store/);
    });
    await check(`${mode} hello: written awkwardly (reordered, unknown nested members, \\u002B, \\/)`, async () => {
      const message = await hello({}, offer);
      assert.equal((await info(awkward({ ...message, clientPublicKey: await keyWith(/[+].*[/]|[/].*[+]/) }))).status, 200);
    });
  }
  const refused = (name, code, message, headers) =>
    check(`hello refused: ${name}: ${STATUS[code]} ${code}`, async () =>
      isError(await info(typeof message === 'function' ? await message() : message, headers), code),
    );
  const withKey = (clientPublicKey, offer) => () => hello({ clientPublicKey }, offer);
  const edited = (edit, offer) => async () => edit(JSON.stringify(await hello({}, offer)));

  // The source's QA table, then what §2.1 adds.
  await refused('no X-Dynamic-Key-Version', 'MISSING_VERSION', hello, { 'X-Dynamic-Key-Version': undefined });
  await refused('X-Dynamic-Key-Version: 1', 'MISSING_VERSION', hello, { 'X-Dynamic-Key-Version': '1' });
  await refused('no version comes before bad JSON', 'MISSING_VERSION', '{', { 'X-Dynamic-Key-Version': undefined });
  const point = unb64((await hello()).clientPublicKey);
  const off = point.slice();
  off[90] ^= 1;
  const short = concat(unb64('MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgAC'), point.subarray(27, 59)); // a compressed point
  const p384 = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-384' }, false, ['deriveBits']);
  for (const offer of [undefined, {}]) {
    const mode = offer ? 'confirmed' : 'plain';
    await refused(`${mode}, clientPublicKey is no key`, 'INVALID_PUBLIC_KEY', withKey(b64(utf8('this is no key')), offer));
    await refused(`${mode}, clientPublicKey is empty`, 'INVALID_PUBLIC_KEY', withKey('', offer));
    await refused(`${mode}, a point off the curve`, 'INVALID_PUBLIC_KEY', withKey(b64(off), offer));
    await refused(`${mode}, a compressed point`, 'INVALID_PUBLIC_KEY', withKey(b64(short), offer));
    await refused(
      `${mode}, a P-384 key`,
      'INVALID_PUBLIC_KEY',
      withKey(b64(await subtle.exportKey('spki', p384.publicKey)), offer),
    );
    await refused(`${mode}, bytes after the key`, 'INVALID_PUBLIC_KEY', withKey(b64(concat(point, [0])), offer));
    await refused(`${mode}, clientPublicKey is not base64`, 'MALFORMED_REQUEST', withKey('***', offer));
    await refused(`${mode}, clientPublicKey is base64url`, 'MALFORMED_REQUEST', async () =>
      hello({ clientPublicKey: (await keyWith(/[+]/)).replaceAll('+', '-') }, offer),
    );
    await refused(
      `${mode}, clientPublicKey without its padding`,
      'MALFORMED_REQUEST',
      withKey(b64(point).replaceAll('=', ''), offer),
    );
    await refused(`${mode}, clientPublicKey with unused bits set`, 'MALFORMED_REQUEST', withKey(unusedBits(b64(point)), offer));
    await refused(`${mode}, no clientPublicKey`, 'MALFORMED_REQUEST', withKey(undefined, offer));
    await refused(`${mode}, clientPublicKey is a number`, 'MALFORMED_REQUEST', withKey(7, offer));
    await refused(`${mode}, an unknown client`, 'CLIENT_NOT_ALLOWED', () =>
      hello({ client: { type: 'internal', clientId: 'nobody' } }, offer),
    );
    await refused(`${mode}, an external client that claims to be internal`, 'CLIENT_NOT_ALLOWED', () =>
      hello({ client: { ...EXTERNAL, type: 'internal' } }, offer),
    );
    await refused(`${mode}, an unknown client type`, 'CLIENT_NOT_ALLOWED', () =>
      hello({ client: { ...INTERNAL, type: 'root' } }, offer),
    );
    await refused(`${mode}, an unknown client comes before a bad key`, 'CLIENT_NOT_ALLOWED', () =>
      hello({ client: { ...INTERNAL, clientId: 'nobody' }, clientPublicKey: 'AAAA' }, offer),
    );
    await refused(
      `${mode}, a repeated member`,
      'MALFORMED_REQUEST',
      edited((text) => text.replace('{', '{"\\u0064evice":{"id":"a","platform":"b"},'), offer),
    );
    await refused(
      `${mode}, a repeated member of device`,
      'MALFORMED_REQUEST',
      edited((text) => text.replace('"device":{', '"device":{"\\u0069d":"other",'), offer),
    );
    await refused(
      `${mode}, bytes after the value`,
      'MALFORMED_REQUEST',
      edited((text) => `${text}{}`, offer),
    );
    await refused(
      `${mode}, a byte-order mark`,
      'MALFORMED_REQUEST',
      edited((text) => `\ufeff${text}`, offer),
    );
    await refused(
      `${mode}, cut short`,
      'MALFORMED_REQUEST',
      edited((text) => text.slice(0, -1), offer),
    );
    await refused(
      `${mode}, nested too deep`,
      'MALFORMED_REQUEST',
      edited((text) => text.replace('{', `{"x":${'['.repeat(16)}${']'.repeat(16)},`), offer),
    );
    await refused(
      `${mode}, a lone surrogate`,
      'MALFORMED_REQUEST',
      edited((text) => text.replace('{', '{"x":"\\ud800",'), offer),
    );
    await refused(`${mode}, broken UTF-8`, 'MALFORMED_REQUEST', async () =>
      concat(utf8('{"x":"'), [0xff], utf8(`",${JSON.stringify(await hello({}, offer)).slice(1)}`)),
    );
    await refused(
      `${mode}, a raw control character`,
      'MALFORMED_REQUEST',
      edited((text) => text.replace('{', '{"x":"\n",'), offer),
    );
    await refused(`${mode}, an escaped control character in device.id`, 'MALFORMED_REQUEST', () =>
      hello({ device: { ...DEVICE, id: 'a\u0000b' } }, offer),
    );
    await refused(`${mode}, device.id of 65 bytes`, 'MALFORMED_REQUEST', () =>
      hello({ device: { ...DEVICE, id: 'd'.repeat(65) } }, offer),
    );
    await refused(`${mode}, device.id empty`, 'MALFORMED_REQUEST', () => hello({ device: { ...DEVICE, id: '' } }, offer));
    await refused(`${mode}, device.id not ASCII`, 'MALFORMED_REQUEST', () =>
      hello({ device: { ...DEVICE, id: 'dispositivo-ñ' } }, offer),
    );
    await refused(`${mode}, device.platform of 33 bytes`, 'MALFORMED_REQUEST', () =>
      hello({ device: { ...DEVICE, platform: 'p'.repeat(33) } }, offer),
    );
    await refused(`${mode}, no device`, 'MALFORMED_REQUEST', () => hello({ device: undefined }, offer));
    await refused(`${mode}, text/plain`, 'MALFORMED_REQUEST', () => hello({}, offer), { 'Content-Type': 'text/plain' });
    await check(`${mode} hello: Content-Type with a parameter, names of 64 and 32 bytes, nesting of 16`, async () => {
      const message = JSON.stringify(await hello({ device: { id: 'd'.repeat(64), platform: 'p'.repeat(32) } }, offer));
      const { status } = await info(message.replace('{', `{"x":${'['.repeat(15)}${']'.repeat(15)},`), {
        'Content-Type': 'application/json; charset=utf-8',
      });
      assert.equal(status, 200);
    });
  }
  await refused('the JSON root is an array', 'MALFORMED_REQUEST', '[]');
  await refused('the body is empty', 'MALFORMED_REQUEST', '');
  await refused('the body is one byte over 1 MiB', 'MALFORMED_REQUEST', async () =>
    JSON.stringify(await hello()).padEnd(BODY_LIMIT + 1),
  );
  await refused('no common scheme', 'NO_COMMON_SCHEME', () => hello({}, { supportedSchemes: ['SCHEME-FUTURE-9'] }));
  await refused('no common scheme comes before a bad key', 'NO_COMMON_SCHEME', () =>
    hello({ clientPublicKey: 'AAAA' }, { supportedSchemes: ['SCHEME-FUTURE-9'] }),
  );
  const offers = {
    'keyAgreement null': null,
    'a nonce of 15 bytes': { nonce: b64(new Uint8Array(15)) },
    'a nonce of 33 bytes': { nonce: b64(new Uint8Array(33)) },
    'a nonce with unused bits set': { nonce: unusedBits(b64(new Uint8Array(16))) },
    'no nonce': { nonce: undefined },
    'no schemes': { supportedSchemes: [] },
    'nine schemes': { supportedSchemes: [...'abcdefghi'] },
    'a repeated scheme': { supportedSchemes: [...AES2, ...AES2] },
    'a scheme name of 33 bytes': { supportedSchemes: [...AES2, 'S'.repeat(33)] },
    'a scheme name with a space': { supportedSchemes: [...AES2, 'A B'] },
    'nine features': { features: [...'abcdefghi'] },
    'a repeated feature': { features: ['rt', 'rt'] },
    'features null': { features: null },
    'a kid of 42 characters': { identity: { kid: 'k'.repeat(42) } },
  };
  for (const [name, offer] of Object.entries(offers)) {
    await refused(name, 'MALFORMED_REQUEST', async () => (offer ? hello({}, offer) : hello({ keyAgreement: null })));
  }
  await refused('a kid that nobody registered', 'CLIENT_NOT_ALLOWED', () => hello({}, { identity: { kid: 'k'.repeat(43) } }));
  await check('confirmed hello: a nonce of 32 bytes, eight schemes, eight features', async () => {
    const { status } = await info(
      await hello({}, { nonce: b64(new Uint8Array(32)), supportedSchemes: [...'abcdefg', ...AES1], features: [...'abcdefgh'] }),
    );
    assert.equal(status, 200);
  });
  await check('jwks.json publishes the pinned key and no private member', async () => {
    const { keys } = await (await fetch(`${target.gateway}/.well-known/jwks.json`)).json();
    const kids = await Promise.all(keys.map(pinned.thumbprint));
    assert.ok(kids.includes(target.pin), 'the pinned kid is there');
    for (const key of keys) assert.ok(!('d' in key) && !('k' in key), 'public members only');
  });
}

/** A fresh public key whose base64 has what is asked for. */
async function keyWith(pattern) {
  for (;;) {
    const { clientPublicKey } = await hello();
    if (pattern.test(clientPublicKey)) return clientPublicKey;
  }
}
