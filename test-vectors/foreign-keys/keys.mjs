// Prints the SPKI of a new key and what it agrees on with a peer: node keys.mjs P PEER-SPKI
import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';

const [prime, peer] = process.argv.slice(2).map((hex) => Buffer.from(hex, 'hex'));
const { publicKey, privateKey } = generateKeyPairSync('dh', { prime, generator: 2 });
console.log(publicKey.export({ type: 'spki', format: 'der' }).toString('hex'));
const other = createPublicKey({ key: peer, type: 'spki', format: 'der' });
console.log(diffieHellman({ privateKey, publicKey: other }).toString('hex'));
