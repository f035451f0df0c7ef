// Second opinions on BabyJubjub, Poseidon and EdDSA-Poseidon from circomlibjs and @zk-kit/eddsa-poseidon.
// {op: [question, ...], ...} in, {op: [answer, ...], ...} out; numbers are decimal strings, bytes are hexadecimal.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { buildBabyjub, buildEddsa, buildPoseidon, buildPoseidonReference } from 'circomlibjs';

const require = createRequire(import.meta.url);
const createBlakeHash = require('blake-hash');
const zk = require('@zk-kit/eddsa-poseidon/blake-1'); // its ES module does not load in Node.js: blakejs has no named exports
const eddsa = await buildEddsa();
const babyjub = await buildBabyjub();
const poseidon = await buildPoseidon();
const reference = await buildPoseidonReference();
const F = babyjub.F;
const text = v => F.toObject(v).toString();
const point = p => p.map(v => F.e(BigInt(v)));
const pointText = p => p && p.map(text);
const bytes = h => Uint8Array.from(Buffer.from(h, 'hex'));
const hex = b => Buffer.from(b).toString('hex');
const attempt = f => { try { return f(); } catch { return null; } };

const operations = {
  poseidon: q => text(poseidon(q.inputs.map(BigInt), BigInt(q.state ?? 0))),
  poseidonReference: q => text(reference(q.inputs.map(BigInt))),
  poseidonConstants: () => {
    const path = require.resolve('circomlibjs').replace(/build[\\/].*$/, 'src/poseidon_constants.json');
    return JSON.parse(readFileSync(path, 'utf8'));
  },
  blake512: q => hex(createBlakeHash('blake512').update(Buffer.from(bytes(q.message))).digest()),
  add: q => pointText(babyjub.addPoint(point(q.a), point(q.b))),
  multiply: q => pointText(babyjub.mulPointEscalar(point(q.point), BigInt(q.scalar))),
  onCurve: q => babyjub.inCurve(point(q.point)),
  inSubgroup: q => babyjub.inSubgroup(point(q.point)),
  pack: q => hex(babyjub.packPoint(point(q.point))),
  unpack: q => attempt(() => pointText(babyjub.unpackPoint(bytes(q.bytes)))),
  sign: q => {
    const key = bytes(q.key), message = F.e(BigInt(q.message));
    return { publicKey: hex(babyjub.packPoint(eddsa.prv2pub(key))), signature: hex(eddsa.packSignature(eddsa.signPoseidon(key, message))) };
  },
  verify: q => eddsa.verifyPoseidon(F.e(BigInt(q.message)), { R8: point(q.r8), S: BigInt(q.s) }, point(q.a)),
  zkSign: q => {
    const key = Buffer.from(bytes(q.key)), signature = zk.signMessage(key, BigInt(q.message));
    const packed = zk.packPublicKey(zk.derivePublicKey(key)), buffer = Buffer.alloc(32);
    for (let i = 0, v = BigInt(packed); i < 32; i++, v >>= 8n) { buffer[i] = Number(v & 255n); }
    return { publicKey: hex(buffer), signature: hex(zk.packSignature(signature)) };
  },
  zkVerify: q => attempt(() => zk.verifySignature(BigInt(q.message), { R8: q.r8.map(BigInt), S: BigInt(q.s) }, q.a.map(BigInt))) ?? false,
};

let input = '';
for await (const part of process.stdin) { input += part; }
const answers = {};
for (const [name, questions] of Object.entries(JSON.parse(input))) { answers[name] = questions.map(operations[name]); }
process.stdout.write(JSON.stringify(answers), () => process.exit(0)); // ffjavascript's workers would keep the process alive
