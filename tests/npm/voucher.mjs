// Vouchers as an independent reader of docs/PROTOCOL.payment.md would check them, on circomlibjs and @noble/hashes.
// A list of questions {op, ...} in, a list of answers out; bytes are hexadecimal.
import { keccak_256 } from '@noble/hashes/sha3.js';
import { buildEddsa } from 'circomlibjs';

const eddsa = await buildEddsa();
const F = eddsa.babyJub.F;
const bytes = h => Uint8Array.from(Buffer.from(h, 'hex'));
const hex = b => Buffer.from(b).toString('hex');
const number = b => BigInt('0x' + (hex(b) || '0'));

function domain(chainId, contract) {
  const input = Buffer.concat([Buffer.from('shale/voucher/v1'), Buffer.from(BigInt(chainId).toString(16).padStart(64, '0'), 'hex'), bytes(contract)]);
  return number(keccak_256(input).subarray(0, 31));
}

// 115 bytes: lease ID 8, cumulative 12, statement digest 31, R8 32, S 32 (little-endian).
function message(q, voucher) {
  return eddsa.poseidon([domain(q.chainId, q.contract), number(voucher.subarray(0, 8)), number(voucher.subarray(8, 20)), number(voucher.subarray(20, 51))]);
}

const operations = {
  domain: q => domain(q.chainId, q.contract).toString(),
  verify: q => {
    const voucher = bytes(q.voucher);
    const R8 = eddsa.babyJub.unpackPoint(voucher.slice(51, 83)), A = eddsa.babyJub.unpackPoint(bytes(q.payer));
    return R8 !== null && A !== null && eddsa.verifyPoseidon(message(q, voucher), { R8, S: number(voucher.slice(83).reverse()) }, A);
  },
  sign: q => {
    const voucher = Buffer.concat([bytes(q.voucher)]);
    return hex(voucher) + hex(eddsa.packSignature(eddsa.signPoseidon(bytes(q.key), message(q, voucher))));
  },
  // Milliseconds per verification, for the benchmark's ratio: the whole check from bytes, as ours.
  timeVerify: q => {
    for (let i = 0; i < q.warmup; i++) { operations.verify(q); }
    const start = performance.now();
    for (let i = 0; i < q.rounds; i++) { if (!operations.verify(q)) { throw new Error('the voucher is good'); } }
    return (performance.now() - start) / q.rounds;
  },
};

let input = '';
for await (const part of process.stdin) { input += part; }
const answers = JSON.parse(input).map(q => operations[q.op](q));
process.stdout.write(JSON.stringify(answers), () => process.exit(0)); // ffjavascript's workers would keep the process alive
