// POST /api/request/v2, the same in every mode: routes, bodies, sealed JSON, the allowlist, credentials (PROTOCOL §2.4–2.6).

import assert from 'node:assert/strict';
import { awkward } from '../awkward.mjs';
import { b64, b64url, utf8 } from '../wire.mjs';
import { attacks } from './attacks.mjs';
import {
  EXTERNAL,
  GET,
  INTERNAL,
  MODES,
  STATUS,
  check,
  exchange,
  is,
  isCountries,
  isError,
  login,
  rawly,
  refusedAs,
  result,
  send,
  unusedBits,
} from './harness.mjs';

export async function requests(mode) {
  const { connect, seal } = MODES[mode];
  const sessions = new Map(); // one for each client: everything here leaves a session as good as it was
  const shared = (client = INTERNAL) => sessions.get(client) ?? sessions.set(client, connect(client)).get(client);
  const one = (name, message, verdict, client) =>
    check(`${mode}: ${name}`, async () => verdict(await exchange(mode, await shared(client), message)));
  const refused = (code) => refusedAs(mode, code);

  await one('GET /countries/get: 200 in an envelope', GET, isCountries);
  await one('POST /users/login: 200', login('demo'), is(200));
  await one('POST /users/login, wrong password: 401 in an envelope', login('wrong'), is(401));
  for (const path of ['/lang/get', '/users/getbyid/1', '/qr/get/reverse/example-bfp', '/companies/getbyid/7']) {
    await one(`GET ${path}: 200`, { method: 'GET', path }, is(200));
  }
  await one('a GET as the source writes it, with body {}', { ...GET, path: '/qr/get/reverse/example-bfp', body: {} }, is(200));
  await one('POST without body: 401', { method: 'POST', path: '/users/login' }, is(401));
  await one('POST with body null: 401', { method: 'POST', path: '/users/login', body: null }, is(401));
  await one(
    'query and headers',
    { ...GET, query: { 'a b': 'c&d=é+/?#' }, headers: { 'Accept-Language': 'pt', 'X-Forwarded-For': '10.0.0.1' } },
    isCountries,
  );
  await one('external client, GET /countries/get: 200', GET, isCountries, EXTERNAL);

  // Plaintexts that JSON.stringify would never write.
  await one('sealed JSON with escapes', '{"\\u006dethod":"\\u0047ET","path":"\\/countries\\/get"}', isCountries);
  await one(
    'sealed JSON reordered, with unknown members and white space',
    '\r\n{ "x":[{"path":"/decoy"}],"body" :\tnull,"query":{ },"path":"\\u002Fcountries\\/get" , "y":"\\ud83d\\udd11 é","headers":{},"method":"GET" }\n',
    isCountries,
  );
  await one(
    'login with escapes',
    '{"method":"POST","path":"\\/users\\/login","body":{"p\\u0061ssword":"\\u0064emo","user":"de\\u006Do"}}',
    is(200),
  );
  await one(
    'a nested body',
    login('demo', { profile: { langs: [['es', null], { 'pt "quoted"': [1.5e3, true, '}]'] }] } }),
    is(200),
  );
  await one('a body nested 40 deep', login('demo', { deep: JSON.parse(`${'['.repeat(38)}${']'.repeat(38)}`) }), is(200));
  await one('a body with Unicode', login('demo', { name: 'Ünïçødé € \u{1f511} \u2028 \u0000 \u007f', ключ: '鍵' }), is(200));
  await one('a Unicode password: 401', login('démø\u{1f511}'), is(401));
  await one('a body of 100 KB', login('demo', { filler: 'é'.repeat(25_000) + 'x'.repeat(50_000) }), is(200));

  // The allowlist, §2.5.
  const outside = (name, message, client) => one(`${name}: 404 ROUTE_NOT_ALLOWED`, message, refused('ROUTE_NOT_ALLOWED'), client);
  await outside('external client, GET /users/getbyid/1', { method: 'GET', path: '/users/getbyid/1' }, EXTERNAL);
  for (const [method, path] of [
    ['GET', '/admin'],
    ['DELETE', '/users/getbyid/1'],
    ['POST', '/countries/get'],
    ['get', '/countries/get'],
  ]) {
    await outside(`${method} ${path}`, { method, path });
  }
  const paths = [
    '',
    'countries/get',
    '//countries/get',
    '/countries/get/',
    '/COUNTRIES/get',
    '/countries/get?x=1',
    '/countries/get#x',
    '/countries/get;x',
    '/./countries/get',
    '/lang/../countries/get',
    '/users/getbyid/',
    '/users/getbyid/1/2',
    '/users/getbyid/..',
    '/users/getbyid/%2e%2e',
    '/users/getbyid/a%2Fb',
    '/users/getbyid/a%5Cb',
    '/users/getbyid/%252e',
    '/users/getbyid/%00',
    '/users/getbyid/%0d%0a',
    '/users/getbyid/%ff',
    '/users/getbyid/%zz',
    '/users/getbyid/a b',
    '/users/getbyid/é',
    '/%63ountries/get',
  ];
  for (const path of paths) await outside(`GET ${JSON.stringify(path)}`, { method: 'GET', path });

  // Envelopes that open to something else than a request.
  const malformed = (name, message) => one(`sealed: ${name}: 400 MALFORMED_REQUEST`, message, refused('MALFORMED_REQUEST'));
  await malformed('no JSON', 'GET /countries/get');
  await malformed('nothing', '');
  await malformed('no path', { method: 'GET' });
  await malformed('no method', { path: '/countries/get' });
  await malformed('a repeated path', '{"method":"GET","path":"/countries/get","p\\u0061th":"/lang/get"}');
  await malformed('a header that is no string', { ...GET, headers: { accept: 1 } });
  await malformed('a header with a line break', { ...GET, headers: { accept: 'a\r\nX-Evil: 1' } });
  await malformed('a header twice, in two spellings', { ...GET, headers: { accept: 'a', Accept: 'b' } });
  await malformed('a query that is no object', { ...GET, query: 'a=b' });
  await malformed('a body nested 100 deep', login('demo', { deep: JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`) }));
  await malformed('bytes after the value', `${JSON.stringify(GET)} x`);

  await check(`${mode}: an envelope written awkwardly`, async () => {
    const session = await shared();
    let envelope;
    do envelope = await seal(session, login('demo'));
    while (!/[+/]/.test(envelope.data));
    is(200)(await result(mode, session, envelope, await send(session, awkward(envelope))));
  });
  await check(`${mode}: an envelope sent chunked`, async () => {
    const session = await shared();
    const envelope = await seal(session, login('demo'));
    is(200)(await result(mode, session, envelope, await rawly(session, envelope, {}, 9)));
  });
  await credentials(mode, await shared(), await connect());
  await attacks(mode);
}

async function credentials(mode, session, other) {
  const { seal } = MODES[mode];
  const { token } = session;
  const refused = (name, code, headers, text) =>
    check(`${mode}: ${name}: ${STATUS[code]} ${code}`, async () => {
      const envelope = await seal(session, GET);
      isError(await send(session, text ? text(envelope) : envelope, headers), code);
      isCountries(await result(mode, session, envelope, await send(session, envelope))); // nothing was spent by the refusal
    });
  const part = (value) => b64url(utf8(JSON.stringify(value)));
  const [header, payload, signature] = token.split('.');
  const ending = (exp) => part({ ...JSON.parse(Buffer.from(payload, 'base64url')), exp });

  await refused('no X-Dynamic-Key-Version', 'MISSING_VERSION', { 'X-Dynamic-Key-Version': undefined });
  await refused('text/plain', 'MALFORMED_REQUEST', { 'Content-Type': 'text/plain' });
  await refused('no X-Session-Id', 'INVALID_SESSION', { 'X-Session-Id': undefined });
  await refused('an unknown session', 'INVALID_SESSION', { 'X-Session-Id': 'opaque-session-id' });
  await refused('an unknown session comes before a bad token', 'INVALID_SESSION', {
    'X-Session-Id': 'opaque-session-id',
    Authorization: 'Bearer x',
  });
  await refused('no token', 'INVALID_TOKEN', { Authorization: undefined });
  await refused('a token that is none', 'INVALID_TOKEN', { Authorization: 'Bearer nonsense' });
  await refused('a token without Bearer', 'INVALID_TOKEN', { Authorization: token });
  await refused("another session's token", 'INVALID_TOKEN', { Authorization: `Bearer ${other.token}` });
  await refused('a token with its end moved', 'INVALID_TOKEN', {
    Authorization: `Bearer ${header}.${ending(9_999_999_999)}.${signature}`,
  });
  await refused('a token with its end passed', 'INVALID_TOKEN', { Authorization: `Bearer ${header}.${ending(1)}.${signature}` });
  await refused('a token with its signature cut off', 'INVALID_TOKEN', { Authorization: `Bearer ${header}.${payload}.` });
  await refused('a token with alg none', 'INVALID_TOKEN', {
    Authorization: `Bearer ${part({ alg: 'none', typ: 'dk2+jwt' })}.${payload}.`,
  });
  await refused('a token with another signature', 'INVALID_TOKEN', {
    Authorization: `Bearer ${header}.${payload}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`,
  });
  await refused("another session's id", 'INVALID_TOKEN', { 'X-Session-Id': other.id });
  await refused("another session's id and token", 'ENCRYPTION_ERROR', {
    'X-Session-Id': other.id,
    Authorization: `Bearer ${other.token}`,
  });

  for (const name of ['X-Session-Id', 'Authorization', 'Content-Type']) {
    await check(`${mode}: ${name} twice: 400 MALFORMED_REQUEST`, async () => {
      const headers = { 'X-Session-Id': session.id, Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      isError(await rawly(session, await seal(session, GET), { [name]: [headers[name], headers[name]] }), 'MALFORMED_REQUEST');
    });
  }

  const text = (name, write) => refused(name, 'MALFORMED_REQUEST', undefined, write);
  await text('an envelope that is no JSON', () => '{');
  await text('an envelope without data', ({ nonce }) => JSON.stringify({ nonce }));
  await text('an envelope without nonce', ({ data }) => JSON.stringify({ data }));
  await text('a repeated member in the envelope', (envelope) => JSON.stringify(envelope).replace('{', '{"d\\u0061ta":"AAAA",'));
  await text('a nonce of 11 bytes', ({ data }) => JSON.stringify({ nonce: b64(new Uint8Array(11)), data }));
  await text('a nonce of 13 bytes', ({ data }) => JSON.stringify({ nonce: b64(new Uint8Array(13)), data }));
  await text('data of 15 bytes', ({ nonce }) => JSON.stringify({ nonce, data: b64(new Uint8Array(15)) }));
  await text('data that is not base64', ({ nonce }) => JSON.stringify({ nonce, data: '*'.repeat(64) }));
  await text('data with unused bits set', ({ nonce, data }) => {
    assert.notEqual(unusedBits(data), data, 'there are unused bits');
    return JSON.stringify({ nonce, data: unusedBits(data) });
  });
  await text('data with white space', (envelope) => JSON.stringify({ ...envelope, data: `${envelope.data} ` }));
  await check(`${mode}: a malformed envelope comes before an unknown session`, async () => {
    isError(await send({ id: 'opaque-session-id', token: 'x' }, '{}'), 'MALFORMED_REQUEST');
  });
}
