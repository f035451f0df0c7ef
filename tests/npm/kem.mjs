// Answers a list of questions to liboqs: {kem, op, ...hex fields}. Each answer of "keyGen" is {publicKey, secretKey}, of "encapsulate"
// {ciphertext, shared}, of "decapsulate" the shared secret.
import { createMLKEM768, createSntrup761 } from '@openforge-sh/liboqs';

const bytes = hex => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = array => Buffer.from(array).toString('hex');
const kems = { 'ml-kem-768': await createMLKEM768(), sntrup761: await createSntrup761() };

const operations = {
  keyGen: kem => { const k = kem.generateKeyPair(); return { publicKey: hex(k.publicKey), secretKey: hex(k.secretKey) }; },
  encapsulate: (kem, q) => { const e = kem.encapsulate(bytes(q.publicKey)); return { ciphertext: hex(e.ciphertext), shared: hex(e.sharedSecret) }; },
  decapsulate: (kem, q) => hex(kem.decapsulate(bytes(q.ciphertext), bytes(q.secretKey))),
};

let text = '';
for await (const part of process.stdin) text += part;
process.stdout.write(JSON.stringify(JSON.parse(text).map(q => operations[q.op](kems[q.kem], q))));
