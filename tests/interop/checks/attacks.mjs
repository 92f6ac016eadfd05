// What somebody on the wire or a bad client may do to an open session (PROTOCOL §2.4).

import assert from 'node:assert/strict';
import * as pinned from '../pinned-client.mjs';
import { b64, unb64, utf8 } from '../wire.mjs';
import { GET, MODES, check, exchange, isCountries, isError, login, result, send, stillWorks } from './harness.mjs';

const { subtle } = globalThis.crypto;

export async function attacks(mode) {
  const { connect, seal } = MODES[mode];
  const refusedTwice = (name, attack) =>
    check(`${mode}: ${name}: 400 ENCRYPTION_ERROR, and the session lives`, async () => {
      const session = await connect();
      for (const answer of await attack(session)) isError(answer, 'ENCRYPTION_ERROR');
      await stillWorks(mode, session);
    });
  const flipped = (envelope, at) => {
    const bytes = unb64(envelope.data);
    bytes[at < 0 ? bytes.length + at : at] ^= 1;
    return { ...envelope, data: b64(bytes) };
  };

  await refusedTwice('a repeated nonce', async (session) => {
    const { envelope } = await exchange(mode, session, GET);
    const again = flipped(envelope, 0);
    return [await send(session, envelope), await send(session, envelope), await send(session, again)];
  });
  await refusedTwice('a replay after other requests', async (session) => {
    const { envelope } = await exchange(mode, session, login('demo'));
    for (let i = 0; i < 5; i++) await stillWorks(mode, session);
    return [await send(session, envelope)];
  });
  await refusedTwice('a response envelope sent back as a request', async (session) => {
    const { answer, envelope } = await exchange(mode, session, GET);
    const unused = await seal(session, GET);
    const { nonce, data } = answer.json;
    const reflected = [
      { nonce, data },
      { nonce: unused.nonce, data },
      { nonce: envelope.nonce, data },
    ];
    return Promise.all(reflected.map((each) => send(session, each)));
  });
  await check(`${mode}: a flipped bit: 400 ENCRYPTION_ERROR, and the nonce is not spent`, async () => {
    const session = await connect();
    const envelope = await seal(session, GET);
    for (const at of [0, 20, -1]) isError(await send(session, flipped(envelope, at)), 'ENCRYPTION_ERROR');
    isCountries(await result(mode, session, envelope, await send(session, envelope)));
  });
  await check(`${mode}: the same envelope eight times at once is served once`, async () => {
    const session = await connect();
    const envelope = await seal(session, GET);
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(session, envelope)));
    const served = answers.filter(({ json }) => 'data' in json);
    assert.equal(served.length, 1);
    isCountries(await result(mode, session, envelope, served[0]));
    for (const answer of answers) if (answer !== served[0]) isError(answer, 'ENCRYPTION_ERROR');
  });
  await (mode === 'plain' ? plainNonces() : counters(mode));
}

async function plainNonces() {
  await check('plain: random nonces, as many WebCrypto clients send them', async () => {
    const session = await MODES.plain.connect();
    for (let i = 0; i < 20; i++) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      // The top bit of a nonce is the gateway's half of the space where the gateway draws a prefix for its own.
      iv[0] &= 0x7f;
      const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(`v2:${session.id}`) };
      const envelope = { nonce: b64(iv), data: b64(await subtle.encrypt(algorithm, session.key, utf8(JSON.stringify(GET)))) };
      isCountries(await result('plain', session, envelope, await send(session, envelope)));
    }
  });
}

async function counters(mode) {
  const { connect, seal } = MODES[mode];
  await check(`${mode}: counters out of order are served, each once`, async () => {
    const session = await connect();
    const envelopes = [];
    for (let i = 0; i < 6; i++) envelopes.push(await seal(session, GET));
    for (const i of [5, 0, 3, 4, 1, 2]) isCountries(await result(mode, session, envelopes[i], await send(session, envelopes[i])));
    for (const envelope of envelopes) isError(await send(session, envelope), 'ENCRYPTION_ERROR');
  });
  await check(`${mode}: a counter behind the window: 400 ENCRYPTION_ERROR`, async () => {
    const session = await connect();
    const late = await seal(session, GET);
    session.counter = 1_000_000;
    await stillWorks(mode, session);
    isError(await send(session, late), 'ENCRYPTION_ERROR');
    await stillWorks(mode, session);
  });
  for (const [name, instance, counter] of [
    ['counter 2^24', 0, 2 ** 24],
    ['counter 2^32 + 1', 0, 2 ** 32 + 1],
    ['counter 2^64 - 1', 0, 2n ** 64n - 1n],
    ['first four bytes not 0', 1, 0],
  ]) {
    await check(`${mode}: a nonce with ${name}, rightly sealed: 400 ENCRYPTION_ERROR, and the session lives`, async () => {
      const session = await connect();
      const nonce = pinned.wireNonce(instance, counter);
      const data = await subtle.encrypt(
        pinned.aead(nonce, session.keys.clientIv, `v2:${session.id}`),
        session.keys.clientWrite,
        utf8(JSON.stringify(GET)),
      );
      isError(await send(session, { nonce: b64(nonce), data: b64(data) }), 'ENCRYPTION_ERROR');
      await stillWorks(mode, session);
    });
  }
  await check(`${mode}: the status is authenticated, and an answer fits one request`, async () => {
    const session = await connect();
    const [first, second] = [await exchange(mode, session, GET), await exchange(mode, session, GET)];
    const { nonce } = first.envelope;
    await assert.rejects(pinned.open(session, nonce, 201, first.answer.json), /does not open/);
    await assert.rejects(pinned.open(session, nonce, 200, second.answer.json), /another request/);
    assert.equal((await pinned.open(session, nonce, 200, first.answer.json)).status, 200);
  });
}
