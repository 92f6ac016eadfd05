// Everything of this folder against itself: the vectors, both clients against our gateway, and every misbehaviour of the gateway
// or of a man in the middle refused by the pinned client.
//   node self-test.mjs [path of confirmed.json]

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { unusedBits } from './checks/harness.mjs';
import { MISBEHAVIOURS, start } from './gateway.mjs';
import * as pinned from './pinned-client.mjs';
import * as plain from './plain-client.mjs';
import { Refused } from './wire.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const OPTIONS = {
  client: { type: 'internal', clientId: 'internal-web-client' },
  device: { id: 'interop-node', platform: 'server' },
};
const GET = { method: 'GET', path: '/countries/get' };

/** Where the pinned client must stop, why, and whether confirmed mode stops there too. */
const REFUSALS = {
  'wrong-proof': { at: 'handshake', why: /wrong proof/, confirmed: true },
  'strip-key-agreement': { at: 'handshake', why: /no keyAgreement/, confirmed: true },
  'wrong-signature': { at: 'handshake', why: /wrong signature/ },
  'strip-identity': { at: 'handshake', why: /none of the pinned/ },
  'unknown-kid': { at: 'handshake', why: /none of the pinned/ },
  impostor: { at: 'handshake', why: /not published/ },
  'unoffered-scheme': { at: 'handshake', why: /not offered/, confirmed: true },
  'unoffered-feature': { at: 'handshake', why: /not offered/, confirmed: true },
  expired: { at: 'handshake', why: /ended before/, confirmed: true },
  '409-loop': { at: 'handshake', why: /^409 DYNAMIC_KEY_V2_RETRY_WITH_SCHEME$/, confirmed: true },
  '409-unoffered': { at: 'handshake', why: /^409 DYNAMIC_KEY_V2_RETRY_WITH_SCHEME$/, confirmed: true },
  'huge-body': { at: 'handshake', why: /over the limit/, confirmed: true },
  'huge-body@request': { at: 'first', why: /over the limit/, confirmed: true },
  'bad-json': { at: 'handshake', why: /JSON/, confirmed: true },
  'bad-json@request': { at: 'first', why: /JSON/, confirmed: true },
  'duplicate-member': { at: 'handshake', why: /repeated/, confirmed: true },
  'duplicate-member@request': { at: 'first', why: /repeated/, confirmed: true },
  'swap-status': { at: 'first', why: /does not open/, confirmed: true },
  'bit-flip': { at: 'first', why: /does not open/, confirmed: true },
  'reflect-request': { at: 'first', why: /does not open/, confirmed: true },
  'replay-response': { at: 'second', why: /another request/, confirmed: true },
  'forged-expiry': { at: 'first', why: /^401 DYNAMIC_KEY_V2_SESSION_EXPIRED$/, confirmed: true },
  'unsealed-error': { at: 'first', why: /unsealed/, confirmed: true },
};

/** Goes as far as it can: how far, the error that ended it, the hellos that it cost. */
async function attempt(client, gateway, options) {
  const genuine = globalThis.fetch;
  const end = { at: 'never', hellos: 0 };
  globalThis.fetch = (url, init) => {
    end.hellos += String(url).endsWith('/api/info/v2');
    return genuine(url, init);
  };
  try {
    end.at = 'handshake';
    const session = await client.handshake(gateway, options);
    for (end.at of ['first', 'second']) assert.equal((await client.request(session, GET)).body, '{"countries":["UY","PT"]}');
    end.at = 'never';
  } catch (error) {
    end.error = error;
  } finally {
    globalThis.fetch = genuine;
  }
  return end;
}

async function misbehaviours() {
  assert.deepEqual(Object.keys(REFUSALS).sort(), MISBEHAVIOURS.toSorted(), 'every misbehaviour has its refusal');
  for (const [misbehave, expected] of Object.entries(REFUSALS)) {
    const gateway = await start({ misbehave });
    for (const schemes of [['SCHEME-EC-AES1'], ['SCHEME-EC-AES2', 'SCHEME-EC-AES1']]) {
      for (const mode of ['pinned', 'confirmed']) {
        const end = await attempt(pinned, gateway.url, { ...OPTIONS, schemes, mode, pins: [gateway.kid] });
        const name = `${misbehave}, ${mode} client, ${schemes.length} schemes`;
        assert.equal(end.hellos, 1, `${name}: one hello`);
        if (mode === 'confirmed' && !expected.confirmed) {
          assert.equal(end.at, 'never', `${name}: not confirmed mode's to see: ${end.error}`);
          continue;
        }
        assert.equal(end.at, expected.at, `${name}: ${end.error}`);
        assert.match(end.error.message, expected.why, name);
        const kind = [Refused, pinned.GatewayError, SyntaxError].find((type) => end.error instanceof type);
        assert.ok(kind, `${name}: refused on purpose, not by accident: ${end.error.stack}`);
      }
    }
    gateway.close();
    console.log(`ok    misbehaviour ${misbehave} is refused`);
  }
}

/** A man in the middle of the handshake: edits of the hello on its way, and of the answer's text. */
const MIDDLE = {
  hello: {
    'scheme list': (hello) => {
      hello.keyAgreement.supportedSchemes.shift();
    },
    'client nonce': (hello) => {
      hello.keyAgreement.nonce = 'AAAAAAAAAAAAAAAAAAAAAA==';
    },
    features: (hello) => {
      hello.keyAgreement.features = [];
    },
    'client key': (hello, other) => {
      hello.clientPublicKey = other;
    },
    'device.id': (hello) => {
      hello.device.id += '2';
    },
    'device.platform': (hello) => {
      hello.device.platform = 'browser';
    },
  },
  answer: {
    'server key': (answer, other) => {
      answer.serverPublicKey = other;
    },
    'a key off the curve': (answer) => {
      answer.serverPublicKey = answer.serverPublicKey.replace(/.{4}$/, 'AAA=');
    },
    'session id': (answer) => {
      answer.sessionId += 'A';
    },
    'session id with a space': (answer) => {
      answer.sessionId = 'a b';
    },
    'no session id': (answer) => {
      delete answer.sessionId;
    },
    'session id in an array': (answer) => {
      answer.sessionId = [answer.sessionId];
    },
    token: (answer) => {
      answer.token += 'A';
    },
    'token with a line break': (answer) => {
      answer.token += '\r\nX-Evil: 1';
    },
    'later expiresAt': (answer) => {
      answer.expiresAt = '2099-01-01T00:00:00.000Z';
    },
    'expiresAt that is no time': (answer) => {
      answer.expiresAt = 'tomorrow';
    },
    'expireToken 0': (answer) => {
      answer.expireToken = 0;
    },
    'expireToken a string': (answer) => {
      answer.expireToken = String(answer.expireToken);
    },
    'expireToken negative': (answer) => {
      answer.expireToken = -1;
    },
    'later expiresIn': (answer) => {
      answer.keyAgreement.expiresIn += 1;
    },
    'expiresIn as a fraction': (answer) => {
      answer.keyAgreement.expiresIn = 0.5;
    },
    'no expiresIn': (answer) => {
      delete answer.keyAgreement.expiresIn;
    },
    'other scheme': (answer) => {
      answer.keyAgreement.scheme = 'SCHEME-EC-AES1';
    },
    'a scheme of Object.prototype': (answer) => {
      answer.keyAgreement.scheme = 'toString';
    },
    'server nonce': (answer) => {
      answer.keyAgreement.nonce = 'AAAAAAAAAAAAAAAAAAAAAA==';
    },
    'server nonce of 15 bytes': (answer) => {
      answer.keyAgreement.nonce = 'AAAAAAAAAAAAAAAAAAAA';
    },
    'a feature selected': (answer) => {
      answer.keyAgreement.features = ['zz-unknown'];
    },
    'features null': (answer) => {
      answer.keyAgreement.features = null;
    },
    'no proof': (answer) => {
      delete answer.keyAgreement.proof;
    },
    'proof with unused bits set': (answer) => {
      answer.keyAgreement.proof = unusedBits(answer.keyAgreement.proof);
    },
    'proof cut short': (answer) => {
      answer.keyAgreement.proof = 'AAAA';
    },
    'identity null': (answer) => {
      answer.keyAgreement.identity = null;
    },
    'identity removed': (answer) => {
      delete answer.keyAgreement.identity;
    },
    'signature of another length': (answer) => {
      answer.keyAgreement.identity.signature += 'AAAA';
    },
    'keyAgreement null': (answer) => {
      answer.keyAgreement = null;
    },
  },
  text: {
    'expiresIn with an exponent': (text) => text.replace('"expiresIn":3600', '"expiresIn":36e2'),
    'expiresIn with a fraction of zero': (text) => text.replace('"expiresIn":3600', '"expiresIn":3600.0'),
    'proof repeated': (text) => text.replace('"keyAgreement":{', '"keyAgreement":{"p\\u0072oof":"",'),
    'a byte-order mark': (text) => `\ufeff${text}`,
    'cut short': (text) => text.slice(0, -1),
    'an array': (text) => `[${text}]`,
    null: () => 'null',
  },
};

async function middle() {
  const gateway = await start();
  const genuine = globalThis.fetch;
  const pair = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
  const other = Buffer.from(await crypto.subtle.exportKey('spki', pair.publicKey)).toString('base64');
  const edits = Object.entries(MIDDLE).flatMap(([where, all]) => Object.entries(all).map(([name, edit]) => [where, name, edit]));
  for (const [where, name, edit] of [['text', 'nothing', (text) => text], ...edits]) {
    globalThis.fetch = async (url, init) => {
      if (!String(url).endsWith('/api/info/v2')) return genuine(url, init);
      const hello = JSON.parse(init.body);
      if (where === 'hello') edit(hello, other);
      const response = await genuine(url, { ...init, body: JSON.stringify(hello) });
      const answer = await response.json();
      if (where === 'answer') edit(answer, other);
      const text = JSON.stringify(answer);
      return new Response(where === 'text' ? edit(text) : text, { status: response.status, headers: response.headers });
    };
    for (const mode of ['pinned', 'confirmed']) {
      const attempt = pinned.handshake(gateway.url, { ...OPTIONS, features: ['zz-unknown'], mode, pins: [gateway.kid] });
      if (name === 'nothing') {
        await attempt;
        continue;
      }
      await assert.rejects(
        attempt,
        (error) => error instanceof Refused || error instanceof SyntaxError,
        `${where}: ${name}, ${mode}`,
      );
    }
  }
  globalThis.fetch = genuine;
  gateway.close();
  console.log(`ok    ${edits.length} edits of the handshake are refused`);
}

async function plainLimits() {
  for (const [misbehave, why] of [
    ['bit-flip', /operation/],
    ['reflect-request', /our own envelope/],
    ['bad-json', /JSON/],
    ['forged-expiry', /SESSION_EXPIRED/],
  ]) {
    const gateway = await start({ misbehave });
    const end = await attempt(plain, gateway.url, OPTIONS);
    assert.match(end.error?.message ?? '', why, `plain client, ${misbehave}`);
    gateway.close();
    console.log(`ok    misbehaviour ${misbehave} is refused by the plain client`);
  }
  const gateway = await start({ leastMode: 'confirmed' });
  const end = await attempt(plain, gateway.url, OPTIONS);
  assert.deepEqual([end.error.status, end.error.code], [400, 'DYNAMIC_KEY_V2_CONFIRMATION_REQUIRED']);
  assert.equal((await attempt(pinned, gateway.url, { ...OPTIONS, pins: [gateway.kid] })).at, 'never');
  gateway.close();
  console.log('ok    a gateway that wants confirmed mode refuses the plain client');
}

async function run(script, ...args) {
  const child = spawn(process.execPath, [here(script), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let last = '';
  createInterface(child.stdout).on('line', (line) => {
    last = line;
    if (line.startsWith('FAIL')) console.log(line);
  });
  const [code] = await once(child, 'close');
  console.log(`${code === 0 ? 'ok   ' : 'FAIL '} ${script}: ${last}`);
  assert.equal(code, 0, script);
}

/** The gateway as a command: {url, kid, child} from the line it prints. */
async function spawnGateway(...args) {
  const child = spawn(process.execPath, [here('gateway.mjs'), '--port', '0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  const [, url, kid] = /^listening on (http:\/\/127\.0\.0\.1:\d+) identity ([\w-]{43})$/.exec(line);
  return { url, kid, child };
}

await run('vectors.mjs', ...process.argv.slice(2));
await misbehaviours();
await middle();
await plainLimits();
const [gateway, expiring] = [await spawnGateway(), await spawnGateway('--session-seconds', '3')];
try {
  await run('run-clients.mjs', '--gateway', gateway.url, '--pin', gateway.kid, '--expiring', expiring.url);
} finally {
  gateway.child.kill();
  expiring.child.kill();
}
