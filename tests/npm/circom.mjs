// Compiles a circom circuit with circomlib and runs its witness calculator: {source, main, folder, cases: [input, …]} in,
// {constraints, answers: [{accepted, outputs} …]} out. The folder is for what the compiler makes.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const request = JSON.parse(readFileSync(0, 'utf8'));
const library = join(import.meta.dirname, 'node_modules/circomlib/circuits');
for (const file of readdirSync(library).filter(f => f.endsWith('.circom'))) { copyFileSync(join(library, file), join(request.folder, file)); }
copyFileSync(request.source, join(request.folder, 'source.circom'));
writeFileSync(join(request.folder, 'main.circom'), `pragma circom 2.1.6;\ninclude "source.circom";\n${request.main}\n`);
const log = execFileSync(process.execPath, [require.resolve('circom2/cli.js'), 'main.circom', '--wasm', '--r1cs', '--O1'], { cwd: request.folder, encoding: 'utf8' });

console.error = console.log = () => {}; // the calculator prints every refusal
const build = require(join(request.folder, 'main_js/witness_calculator.js'));
const code = readFileSync(join(request.folder, 'main_js/main.wasm'));
const calculator = await build(code);
const answers = [];
for (const input of request.cases) {
  try {
    const witness = await calculator.calculateWitness(input, false);
    answers.push({ accepted: true, output: witness[1].toString() });
  } catch {
    answers.push({ accepted: false, output: null });
  }
}
const constraints = Number(/non-linear constraints[^:]*: (\d+)/.exec(log.replace(/\u001b\[\d+m/g, ''))[1]);
process.stdout.write(JSON.stringify({ constraints, answers }), () => process.exit(0));
