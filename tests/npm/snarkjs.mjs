// snarkjs as a second opinion: {steps: [{op, …}]} in, [answer, …] out. File names are absolute paths.
import { readFileSync, writeFileSync } from 'node:fs';
import * as snarkjs from 'snarkjs';

const json = path => JSON.parse(readFileSync(path, 'utf8'));
const quiet = { info() {}, debug() {}, warn() {}, error() {} };

const operations = {
  // Phase 1 for circuits of up to 2^power rows, as a ceremony does it, with one contribution and a beacon.
  powersOfTau: async s => {
    const curve = await snarkjs.curves.getCurveFromName('bn128');
    await snarkjs.powersOfTau.newAccumulator(curve, s.power, s.ptau + '.0');
    await snarkjs.powersOfTau.contribute(s.ptau + '.0', s.ptau + '.1', 'first', 'some entropy');
    await snarkjs.powersOfTau.beacon(s.ptau + '.1', s.ptau + '.2', 'beacon', '0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 10);
    await snarkjs.powersOfTau.preparePhase2(s.ptau + '.2', s.ptau);
    return true;
  },
  setup: async s => { await snarkjs.zKey.newZKey(s.r1cs, s.ptau, s.zkey, quiet); return true; },
  contribute: async s => { await snarkjs.zKey.contribute(s.from, s.to, s.name, s.entropy); return true; },
  beacon: async s => { await snarkjs.zKey.beacon(s.from, s.to, s.name, s.hash, s.power); return true; },
  verifyKey: async s => snarkjs.zKey.verifyFromR1cs(s.r1cs, s.ptau, s.zkey, quiet),
  exportVerificationKey: async s => { writeFileSync(s.to, JSON.stringify(await snarkjs.zKey.exportVerificationKey(s.zkey, quiet))); return true; },
  prove: async s => {
    const { proof, publicSignals } = await snarkjs.groth16.prove(s.zkey, s.wtns);
    writeFileSync(s.proof, JSON.stringify(proof));
    writeFileSync(s.public, JSON.stringify(publicSignals));
    return true;
  },
  verify: async s => snarkjs.groth16.verify(json(s.key), json(s.public), json(s.proof)),
  checkWitness: async s => snarkjs.wtns.check(s.r1cs, s.wtns, quiet),
  r1cs: async s => {
    const r = await snarkjs.r1cs.info(s.r1cs);
    return { wires: r.nVars, outputs: r.nOutputs, publicInputs: r.nPubInputs, privateInputs: r.nPrvInputs, constraints: r.nConstraints };
  },
};

const answers = [];
for (const step of JSON.parse(readFileSync(0, 'utf8')).steps) {
  answers.push(await operations[step.op](step));
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0)); // its worker threads would keep the process alive
