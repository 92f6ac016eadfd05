// The two clients as they are meant to be used, and what they do at the end of a session.

import assert from 'node:assert/strict';
import * as pinned from '../pinned-client.mjs';
import * as plain from '../plain-client.mjs';
import { b64url } from '../wire.mjs';
import { AES1, AES2, DEVICE, GET, INTERNAL, MODES, check, isError, login, target } from './harness.mjs';

export async function clients() {
  await check('plain client: GET /countries/get', async () => {
    const session = await plain.handshake(target.gateway, { client: INTERNAL, device: DEVICE });
    const { status, body } = await plain.request(session, GET);
    assert.deepEqual([status, JSON.parse(body)], [200, { countries: ['UY', 'PT'] }]);
    assert.equal((await plain.request(session, login('demo'))).status, 200);
    assert.equal((await plain.request(session, login('wrong'))).status, 401);
    await assert.rejects(plain.request(session, { method: 'GET', path: '/nowhere' }), {
      status: 404,
      code: 'DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED',
    });
  });
  const pins = [target.pin];
  for (const mode of ['confirmed', 'pinned']) {
    for (const schemes of [AES1, AES2, [...AES1, ...AES2], [...AES2, ...AES1], ['SCHEME-FUTURE-9', ...AES1, ...AES2]]) {
      await check(`${mode} client: offers ${schemes.join(', ')}`, async () => {
        const session = await pinned.handshake(target.gateway, { client: INTERNAL, device: DEVICE, schemes, mode, pins });
        assert.equal(
          session.scheme,
          schemes.find((name) => name.includes('-EC-')),
          'the first acceptable one',
        );
        const { status, body } = await pinned.request(session, GET);
        assert.deepEqual([status, JSON.parse(body)], [200, { countries: ['UY', 'PT'] }]);
        assert.equal((await pinned.request(session, login('demo'))).status, 200);
        assert.equal((await pinned.request(session, login('wrong'))).status, 401);
        const refused = await pinned.request(session, { method: 'GET', path: '/nowhere' });
        assert.deepEqual([refused.status, JSON.parse(refused.body).code], [404, 'DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED']);
      });
    }
    await check(`${mode} client: offers a feature that nobody knows`, async () => {
      const session = await pinned.handshake(target.gateway, {
        client: INTERNAL,
        device: DEVICE,
        features: ['zz-unknown'],
        mode,
        pins,
      });
      assert.equal((await pinned.request(session, GET)).status, 200);
    });
  }
  await check('pinned client: another pin beside the right one', async () => {
    await pinned.handshake(target.gateway, { client: INTERNAL, device: DEVICE, pins: [b64url(new Uint8Array(32)), target.pin] });
  });
  await check('pinned client: a gateway that is not pinned is refused', async () => {
    const attempt = pinned.handshake(target.gateway, { client: INTERNAL, device: DEVICE, pins: [b64url(new Uint8Array(32))] });
    await assert.rejects(attempt, /none of the pinned/);
    await assert.rejects(pinned.handshake(target.gateway, { client: INTERNAL, device: DEVICE }), /none of the pinned/);
  });
  await check('pinned client: 50 requests in parallel in one session', async () => {
    const session = await MODES.pinned.connect();
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => pinned.request(session, i % 2 ? GET : login(i % 4 ? 'demo' : 'wrong'))),
    );
    assert.deepEqual(
      all.map(({ status }) => status),
      Array.from({ length: 50 }, (_, i) => (i % 2 || i % 4 ? 200 : 401)),
    );
  });
}

/** `url` is a gateway whose sessions last a few seconds. */
export async function expiring(url) {
  const device = DEVICE;
  const sessions = {
    plain: await plain.handshake(url, { client: INTERNAL, device }),
    confirmed: await pinned.handshake(url, { client: INTERNAL, device, mode: 'confirmed' }),
  };
  for (const [mode, session] of Object.entries(sessions)) {
    const envelope = await MODES[mode].seal(session, GET);
    const ends = mode === 'plain' ? Date.parse(session.expiresAt) : session.wallEnd;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, ends - Date.now() + 1000)));
    await check(`${mode}: an expired session: 401 SESSION_EXPIRED`, async () => {
      const headers = {
        'X-Dynamic-Key-Version': '2',
        'Content-Type': 'application/json',
        'X-Session-Id': session.id,
        Authorization: `Bearer ${session.token}`,
      };
      const response = await fetch(`${url}/api/request/v2`, { method: 'POST', headers, body: JSON.stringify(envelope) });
      isError({ status: response.status, json: await response.json() }, 'SESSION_EXPIRED');
    });
    if (mode !== 'plain')
      await check(`${mode} client: does not use an expired session`, () =>
        assert.rejects(pinned.request(session, GET), /expired/),
      );
  }
}
