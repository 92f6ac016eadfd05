// The example client of the crate against the gateway of this folder: honest in every mode, and with each of its misbehaviours.
//   cargo build --release --example client
//   node run-gateway.mjs [--client target/release/examples/client]

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { check, score } from './checks/harness.mjs';
import { MISBEHAVIOURS, start } from './gateway.mjs';

const { values } = parseArgs({
  options: {
    client: { type: 'string', default: fileURLToPath(new URL('../../target/release/examples/client', import.meta.url)) },
  },
});

const GET = ['GET', '/countries/get'];
const LOGIN = ['POST', '/users/login', '{"user":"demo","password":"demo"}'];
const COUNTRIES = '200\n{"countries":["UY","PT"]}\n';
const MODES = ['pinned', 'confirmed', 'plain'];
const OFFERS = ['SCHEME-EC-AES1', 'SCHEME-EC-AES2', 'SCHEME-EC-AES1,SCHEME-EC-AES2', 'SCHEME-EC-AES2,SCHEME-EC-AES1'];

/** Runs the client; {code, out, err, hellos, requests}. */
function run(gateway, { mode = 'pinned', offer = OFFERS[3], pin = gateway.kid, message = GET, repeat = 1 } = {}) {
  const pins = mode === 'pinned' ? ['--pin', pin] : [];
  const options = ['--gateway', gateway.url, '--client-id', 'internal-web-client', '--type', 'internal', '--mode', mode, ...pins];
  const args = [...options, '--scheme', offer, '--repeat', repeat, '--show-wire', ...message];
  return new Promise((resolve) => {
    execFile(values.client, args, { timeout: 60_000, maxBuffer: 2 ** 26 }, (error, out, err) => {
      const sent = (path) => err.split(`POST ${path} HTTP/1.1\n`).length - 1;
      resolve({ code: error ? error.code : 0, out, err, hellos: sent('/api/info/v2'), requests: sent('/api/request/v2') });
    });
  });
}

/** The last line that the client says: why it gave up. */
const reason = ({ err }) => err.trimEnd().split('\n').at(-1);

const answered = (expected) => (end) => assert.deepEqual([end.out, end.code], expected, reason(end));
const refused = (why) => (end) => {
  assert.equal(end.code, 1, `${end.out}${reason(end)}`);
  assert.match(reason(end), why);
  assert.ok(!end.out.includes('countries'), 'no answer was taken');
};

async function honest() {
  const gateway = await start();
  for (const mode of MODES) {
    for (const offer of OFFERS) {
      const one = (name, options, verdict) =>
        check(`${mode}, ${offer}: ${name}`, async () => verdict(await run(gateway, { mode, offer, ...options })));
      await one('GET /countries/get: 200', {}, answered([COUNTRIES, 0]));
      await one('POST /users/login: 200', { message: LOGIN }, answered(['200\n{"user":"demo"}\n', 0]));
    }
    const one = (name, options, verdict) =>
      check(`${mode}: ${name}`, async () => verdict(await run(gateway, { mode, ...options })));
    await one('POST without body: 401, exit code 1', { message: LOGIN.slice(0, 2) }, (end) => {
      assert.deepEqual([end.out.split('\n')[0], end.code], ['401', 1]);
    });
    await one('20 requests in one session', { repeat: 20 }, (end) => {
      answered([COUNTRIES.repeat(20), 0])(end);
      assert.deepEqual([end.hellos, end.requests], [1, 20]);
    });
    await one('a route that no rule admits: 404, exit code 1', { message: ['GET', '/nowhere'] }, (end) => {
      assert.equal(end.code, 1);
      // In plain mode the gateway's own errors are no envelopes, and so no answer to print.
      if (mode === 'plain') assert.match(reason(end), /ROUTE_NOT_ALLOWED$/);
      else assert.match(end.out, /^404\n[^]*"DYNAMIC_KEY_V2_ROUTE_NOT_ALLOWED"/);
    });
  }
  await check('pinned: a gateway that is not pinned is refused', async () => {
    refused(/none of the pinned keys/)(await run(gateway, { pin: 'A'.repeat(43) }));
  });
  gateway.close();

  const strict = await start({ leastMode: 'confirmed' });
  await check('a gateway that wants confirmed mode refuses the plain client', async () => {
    refused(/CONFIRMATION_REQUIRED/)(await run(strict, { mode: 'plain' }));
    answered([COUNTRIES, 0])(await run(strict, { mode: 'confirmed' }));
  });
  strict.close();
}

const AUTHENTICATION = /could not be authenticated$/;
const BELOW = /below what was demanded$/;
const MALFORMED = /malformed$/;
const TOO_LONG = /longer than the buffer$/;
const UNKNOWN = /nobody knows whether the request was carried out/;

/** Why the client gives up, whether at the handshake or after it (`late`), and which modes see it. */
const REFUSALS = {
  'wrong-proof': { why: AUTHENTICATION, modes: ['pinned', 'confirmed'] },
  'strip-key-agreement': { why: BELOW, modes: ['pinned', 'confirmed'] },
  'wrong-signature': { why: AUTHENTICATION, modes: ['pinned'] },
  'strip-identity': { why: BELOW, modes: ['pinned'] },
  'unknown-kid': { why: AUTHENTICATION, modes: ['pinned'] },
  impostor: { why: /none of the pinned keys/, modes: ['pinned'], hellos: 0 },
  'unoffered-scheme': { why: BELOW, modes: ['pinned', 'confirmed'] },
  'unoffered-feature': { why: BELOW, modes: ['pinned', 'confirmed'] },
  expired: { why: /already expired/, modes: MODES },
  '409-loop': { why: BELOW, modes: ['pinned', 'confirmed'] },
  '409-unoffered': { why: /below what was demanded$|malformed$/, modes: ['pinned', 'confirmed'] },
  // Whatever keeps an answer from coming is followed by one more try, with fresh keys.
  'huge-body': { why: TOO_LONG, modes: MODES, hellos: 2 },
  'bad-json': { why: MALFORMED, modes: MODES },
  'duplicate-member': { why: MALFORMED, modes: MODES },
  'huge-body@request': { why: TOO_LONG, modes: MODES, late: true, requests: 2 },
  'bad-json@request': { why: MALFORMED, modes: MODES, late: true },
  'duplicate-member@request': { why: MALFORMED, modes: MODES, late: true },
  'swap-status': { why: AUTHENTICATION, modes: ['pinned', 'confirmed'], late: true },
  'bit-flip': { why: AUTHENTICATION, modes: MODES, late: true },
  'reflect-request': { why: AUTHENTICATION, modes: MODES, late: true },
  'unsealed-error': { why: /answered with status 404$/, modes: ['pinned', 'confirmed'], late: true },
  // One new session and one new try, because a gateway that has forgotten a session says the same.
  'forged-expiry': { why: /SESSION_EXPIRED$/, modes: MODES, late: true, hellos: 2, requests: 2 },
};

async function misbehaviours() {
  const covered = [...Object.keys(REFUSALS), 'replay-response'];
  assert.deepEqual(covered.sort(), MISBEHAVIOURS.toSorted(), 'every misbehaviour has its refusal');
  for (const [misbehave, { why, modes, late, hellos = 1, requests = late ? 1 : 0 }] of Object.entries(REFUSALS)) {
    const gateway = await start({ misbehave });
    for (const mode of modes) {
      for (const offer of mode === 'plain' ? [OFFERS[3]] : [OFFERS[0], OFFERS[3]]) {
        await check(`${misbehave}, ${mode}, ${offer}: GET is refused`, async () => {
          const end = await run(gateway, { mode, offer });
          refused(why)(end);
          // No mode is left for a weaker one, and nothing is tried more often than it may be.
          assert.deepEqual([end.hellos, end.requests], [hellos, requests]);
        });
      }
      if (!late) continue;
      await check(`${misbehave}, ${mode}: POST may have been carried out, and is not sent again`, async () => {
        const end = await run(gateway, { mode, message: LOGIN });
        refused(UNKNOWN)(end);
        assert.deepEqual([end.hellos, end.requests], [1, 1]);
      });
    }
    gateway.close();
  }
  const gateway = await start({ misbehave: 'replay-response' });
  for (const mode of ['pinned', 'confirmed']) {
    await check(`replay-response, ${mode}: the second answer is refused`, async () => {
      const end = await run(gateway, { mode, repeat: 2 });
      assert.deepEqual([end.out, end.code], [COUNTRIES, 1]);
      assert.match(reason(end), AUTHENTICATION);
    });
  }
  gateway.close();
}

for (const [name, part] of Object.entries({ honest, misbehaviours })) {
  await part().catch((error) => check(`${name}: could not go on`, () => Promise.reject(error)));
}
console.log(`${score.passed} passed, ${score.failed} failed`);
process.exit(score.failed ? 1 : 0);
