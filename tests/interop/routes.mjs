// The allowlist (PROTOCOL §2.5) of gateway.mjs and the small upstream behind it.

import { isObject } from './wire.mjs';

/** Registered clients and their type. */
export const CLIENTS = new Map([['internal-web-client', 'internal'], ['partner-acme-corp', 'external']]);
const ok = (value) => ({ status: 200, body: JSON.stringify(value) });
const ROUTES = [
  { method: 'GET', path: /^\/countries\/get$/, clients: ['partner-acme-corp'], answer: () => ok({ countries: ['UY', 'PT'] }) },
  { method: 'GET', path: /^\/lang\/get$/, answer: () => ok({ languages: ['es', 'pt', 'en'] }) },
  { method: 'POST', path: /^\/users\/login$/, answer: login },
  { method: 'GET', path: /^\/users\/getbyid\/([^/]+)$/, answer: (id) => ok({ id }) },
  { method: 'GET', path: /^\/qr\/get\/reverse\/([^/]+)$/, answer: (bfp) => ok({ bfp, state: 'pending' }) },
  { method: 'GET', path: /^\/companies\/getbyid\/([^/]+)$/, answer: (id) => ok({ id }) },
];
function login(_, body) {
  const granted = isObject(body) && body.user === 'demo' && body.password === 'demo';
  return granted ? ok({ user: 'demo' }) : { status: 401, body: '{"error":"wrong user or password"}' };
}

/** The answer of the built-in upstream, {status, body}; undefined if no rule lets this client there. */
export function route(client, { method, path, body }) {
  for (const rule of isPath(path) ? ROUTES : []) {
    const match = rule.method === method && rule.path.exec(path);
    if (match && (client.type === 'internal' || rule.clients?.includes(client.clientId))) return rule.answer(match[1], body);
  }
  return undefined;
}

function isPath(path) {
  if (!/^(?:\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)+$/.test(path)) return false;
  return path.split('/').every((segment) => {
    if (segment === '.' || segment === '..') return false;
    try {
      return !/[/\\.%\p{Cc}]/u.test(segment.match(/(?:%..)+/g)?.map(decodeURIComponent).join('') ?? '');
    } catch {
      return false;
    }
  });
}
