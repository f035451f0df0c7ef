// Answers a list of questions {op, ...hex fields} with a list of hex strings, booleans or objects.
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { chacha20orig } from '@noble/ciphers/chacha.js';
import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { ctr } from '@noble/ciphers/aes.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

const bytes = hex => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = array => Buffer.from(array).toString('hex');
const attempt = f => { try { return f(); } catch { return null; } };

const operations = {
  x25519PublicKey: q => hex(x25519.getPublicKey(bytes(q.key))),
  x25519: q => attempt(() => hex(x25519.getSharedSecret(bytes(q.key), bytes(q.peer)))),
  ed25519Sign: q => ({ publicKey: hex(ed25519.getPublicKey(bytes(q.seed))), signature: hex(ed25519.sign(bytes(q.message), bytes(q.seed))) }),
  // zip215: false is RFC 8032's strict decoding, and small orders refused.
  ed25519Verify: q => attempt(() => ed25519.verify(bytes(q.signature), bytes(q.message), bytes(q.publicKey), { zip215: false })) ?? false,
  ed25519Torsion: () => ed25519.Point ? torsion() : null,
  chacha20: q => hex(chacha20orig(bytes(q.key), bytes(q.nonce), bytes(q.input), undefined, q.counter)),
  poly1305: q => hex(poly1305(bytes(q.message), bytes(q.key))),
  aesCtr: q => hex(ctr(bytes(q.key), bytes(q.iv)).encrypt(bytes(q.input))),
  keccak256: q => hex(keccak_256(bytes(q.message))),
  modPow: q => {
    const m = BigInt('0x' + q.modulus);
    let b = BigInt('0x' + q.value) % m, e = BigInt('0x' + q.exponent), r = 1n;
    for (; e > 0n; e >>= 1n) { if (e & 1n) r = r * b % m; b = b * b % m; }
    return r.toString(16).padStart(q.modulus.length, '0');
  },
  mlKem768KeyGen: q => { const k = ml_kem768.keygen(bytes(q.seed)); return { publicKey: hex(k.publicKey), secretKey: hex(k.secretKey) }; },
  mlKem768Encapsulate: q => attempt(() => { const e = ml_kem768.encapsulate(bytes(q.publicKey), bytes(q.message)); return { ciphertext: hex(e.cipherText), shared: hex(e.sharedSecret) }; }),
  mlKem768Decapsulate: q => attempt(() => hex(ml_kem768.decapsulate(bytes(q.ciphertext), bytes(q.secretKey)))),
  secp256k1PublicKey: q => attempt(() => hex(secp256k1.getPublicKey(bytes(q.key), false))),
  secp256k1Sign: q => {
    const s = secp256k1.sign(bytes(q.hash), bytes(q.key), { prehash: false, format: 'recovered', lowS: true });
    return hex(s); // recovery id, r, s
  },
  secp256k1Verify: q => attempt(() => secp256k1.verify(bytes(q.signature), bytes(q.hash), bytes(q.publicKey), { prehash: false, lowS: true })) ?? false,
};

function torsion() {
  // The points of order dividing 8: multiples of a point with its prime-order part removed.
  const P = ed25519.Point, found = new Set();
  for (let y = 2n; found.size < 8; y++) {
    const encoded = new Uint8Array(32); encoded[0] = Number(y);
    const point = attempt(() => P.fromBytes(encoded));
    if (!point) continue;
    const order = P.Fn.ORDER;
    // order * point, by plain double and add: multiply() reduces its argument by the order.
    let t = P.ZERO, b = point;
    for (let n = order; n > 0n; n >>= 1n) { if (n & 1n) t = t.add(b); b = b.double(); }
    for (let i = 0, s = t; i < 8; i++, s = s.add(t)) found.add(hex(s.toBytes()));
  }
  return [...found];
}

let text = '';
for await (const part of process.stdin) text += part;
process.stdout.write(JSON.stringify(JSON.parse(text).map(q => operations[q.op](q))));
