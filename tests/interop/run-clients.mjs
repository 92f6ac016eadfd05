// Both clients, and raw requests as an attacker would write them, against a running gateway.
//   node run-clients.mjs --gateway http://127.0.0.1:8080 --pin KID [--expiring URL]
// --expiring names a gateway whose sessions last a few seconds; without it the expired-session checks are left out.
// The gateway must know internal-web-client (internal) and partner-acme-corp (external, /countries/get only), accept every mode,
// and have the routes of the source's allowlist behind it, where user demo with password demo may log in.

import { parseArgs } from 'node:util';
import { clients, expiring } from './checks/clients.mjs';
import { handshakes } from './checks/handshakes.mjs';
import { check, score, target } from './checks/harness.mjs';
import { requests } from './checks/requests.mjs';

const string = { type: 'string' };
const { values: options } = parseArgs({ options: { gateway: string, pin: string, expiring: string } });
if (!options.gateway || !options.pin) {
  console.error('usage: node run-clients.mjs --gateway URL --pin KID [--expiring URL]');
  process.exit(2);
}
const origin = (url) => url.replace(/\/+$/, '');
target.gateway = origin(options.gateway);
target.pin = options.pin;

const sections = { clients, handshakes };
for (const mode of ['plain', 'confirmed', 'pinned']) sections[mode] = () => requests(mode);
if (options.expiring) sections.expiring = () => expiring(origin(options.expiring));
for (const [name, run] of Object.entries(sections)) {
  await run().catch((error) => check(`${name}: could not go on`, () => Promise.reject(error)));
}
console.log(`${score.passed} passed, ${score.failed} failed`);
process.exit(score.failed ? 1 : 0);
