// Writes tests/vectors/eddsa-poseidon/signatures.txt: line i is public key and signature in hexadecimal, made by circomlibjs (even i)
// or @zk-kit/eddsa-poseidon (odd i), both far too slow to be asked as often in a test run. Key i is SHA-256 of "key i"; message i is
// one of the edges for i < 8, otherwise SHA-512 of "message i", most significant byte first, modulo r.
// node eddsa-vectors.mjs
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buildEddsa } from 'circomlibjs';

const zk = createRequire(import.meta.url)('@zk-kit/eddsa-poseidon/blake-1');
const eddsa = await buildEddsa();
const F = eddsa.babyJub.F;
const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const edges = [0n, 1n, 2n, r - 1n, r - 2n, (r - 1n) / 2n, (1n << 248n) - 1n, (1n << 64n) - 1n];
const hex = b => Buffer.from(b).toString('hex');
const little = v => { const b = Buffer.alloc(32); for (let i = 0; i < 32; i++, v >>= 8n) { b[i] = Number(v & 255n); } return b; };
const lines = [];
for (let i = 0; i < 2000; i++) {
  const key = createHash('sha256').update(`key ${i}`).digest();
  const message = i < edges.length ? edges[i] : BigInt('0x' + createHash('sha512').update(`message ${i}`).digest('hex')) % r;
  lines.push(i % 2 === 0
    ? hex(eddsa.babyJub.packPoint(eddsa.prv2pub(key))) + ' ' + hex(eddsa.packSignature(eddsa.signPoseidon(key, F.e(message))))
    : hex(little(BigInt(zk.packPublicKey(zk.derivePublicKey(key))))) + ' ' + hex(zk.packSignature(zk.signMessage(key, message))));
}
const folder = new URL('../vectors/eddsa-poseidon/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('signatures.txt', folder), lines.join('\n') + '\n');
process.exit(0);
