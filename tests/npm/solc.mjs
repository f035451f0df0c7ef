// Compiles one Solidity file: {source, contract} in, {runtime, selectors, errors} out.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)('solc');
const { source, contract } = JSON.parse(readFileSync(0, 'utf8'));
const output = JSON.parse(solc.compile(JSON.stringify({
  language: 'Solidity',
  sources: { 'file.sol': { content: source } },
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { '*': { '*': ['evm.deployedBytecode.object', 'evm.methodIdentifiers'] } },
  },
})));
const compiled = output.contracts?.['file.sol']?.[contract];
process.stdout.write(JSON.stringify({
  runtime: compiled ? '0x' + compiled.evm.deployedBytecode.object : null,
  selectors: compiled?.evm.methodIdentifiers ?? {},
  errors: (output.errors ?? []).map(e => e.formattedMessage),
}));
