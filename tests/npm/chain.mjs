// What viem makes of ABI values, calls, events, errors, transactions and typed data.
// {abi, calls, results, events, errors, transactions, typedData}: lists of questions in, the same lists of answers out.
import {
  encodeAbiParameters, decodeAbiParameters, encodeFunctionData, encodeFunctionResult, encodeErrorResult, encodeEventTopics, hashTypedData, keccak256,
} from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { readFileSync } from 'node:fs';

const request = JSON.parse(readFileSync(0, 'utf8'));

// Numbers travel as decimal strings.
function value(parameter, json) {
  const array = /^(.*)\[\d*\]$/.exec(parameter.type);
  if (array) return json.map(item => value({ ...parameter, type: array[1] }, item));
  if (parameter.type === 'tuple') return Object.fromEntries(parameter.components.map((c, i) => [c.name, value(c, json[i])]));
  return /^u?int/.test(parameter.type) ? (Number(parameter.type.match(/\d+/)[0]) <= 48 ? Number(json) : BigInt(json)) : json;
}
const values = (parameters, json) => parameters.map((p, i) => value(p, json[i]));
const event = (item, args) => {
  const all = values(item.inputs, args);
  const plain = item.inputs.map((p, i) => [p, all[i]]).filter(([p]) => !p.indexed);
  return {
    topics: encodeEventTopics({ abi: [item], eventName: item.name, args: Object.fromEntries(item.inputs.map((p, i) => [p.name, all[i]]).filter((_, i) => item.inputs[i].indexed)) }),
    data: encodeAbiParameters(plain.map(([p]) => p), plain.map(([, v]) => v)),
  };
};
const unnamed = list => list.map((p, i) => ({ ...p, name: p.name || `v${i}` }));

const answers = {
  abi: (request.abi ?? []).map(({ parameters, args }) => encodeAbiParameters(parameters, values(parameters, args))),
  decoded: (request.decoded ?? []).map(({ parameters, data }) => {
    try {
      decodeAbiParameters(parameters, data);
      return true;
    } catch {
      return false;
    }
  }),
  calls: (request.calls ?? []).map(({ item, args }) => encodeFunctionData({ abi: [item], functionName: item.name, args: values(item.inputs, args) })),
  results: (request.results ?? []).map(({ item, args }) => encodeAbiParameters(unnamed(item.outputs), values(item.outputs, args))),
  events: (request.events ?? []).map(({ item, args }) => event(item, args)),
  errors: (request.errors ?? []).map(({ item, args }) => encodeErrorResult({ abi: [item], errorName: item.name, args: values(item.inputs, args) })),
  transactions: await Promise.all((request.transactions ?? []).map(async ({ key, transaction }) => {
    const account = privateKeyToAccount(key);
    const big = Object.fromEntries(Object.entries(transaction).map(([k, v]) => [k, ['value', 'gas', 'gasPrice', 'maxFeePerGas', 'maxPriorityFeePerGas'].includes(k) ? BigInt(v) : v]));
    const raw = await account.signTransaction(big);
    return { address: account.address, raw, hash: keccak256(raw) };
  })),
  typedData: (request.typedData ?? []).map(data => hashTypedData(data)),
};
process.stdout.write(JSON.stringify(answers));
