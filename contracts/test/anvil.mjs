// Deploys the market on a real node (anvil) from abi/*.bin, as README.md says, and settles tests/vectors/settlement-8/00-empty and 01 with their real proofs. Exits 0 if
// everything was mined; prints the gas of the settlements as the node counts it.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const vectors = path.join(root, "..", "tests", "vectors", "settlement-8");
const json = (...parts) => JSON.parse(fs.readFileSync(path.join(...parts), "utf8"));
const code = (name) => "0x" + fs.readFileSync(path.join(root, "abi", `${name}.bin`), "utf8").trim();
const selectors = (name) => json(root, "out", `${name}.sol`, `${name}.json`).methodIdentifiers;
const methods = { ...selectors("ShaleRegistry"), ...selectors("ShaleMarket") };
const selector = (name) => "0x" + Object.entries(methods).find(([signature]) => signature.startsWith(`${name}(`))[1];

const word = (value) => BigInt(value).toString(16).padStart(64, "0");
const words = (...values) => values.flat(Infinity).map(word).join("");
// A dynamic value's tail: its length, and its bytes padded to words.
const bytes = (hex) => word(hex.length / 2) + hex.padEnd(Math.ceil(hex.length / 64) * 64, "0");
const text = (string) => bytes(Buffer.from(string).toString("hex"));
// Arguments in order: a string is a dynamic tail already encoded, everything else is a word.
function encode(...args) {
  let head = "";
  let tail = "";
  for (const arg of args) {
    if (typeof arg !== "string" || arg.startsWith("0x")) head += word(arg);
    else {
      head += word(args.length * 32 + tail.length / 2);
      tail += arg;
    }
  }
  return head + tail;
}

const port = await new Promise((resolve) => {
  const probe = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});
const empty = json(vectors, "00-empty", "statement.json");
const processor = process.arch === "x64" ? "amd64" : process.arch;
const binary = path.join(root, "node_modules", "@foundry-rs", `anvil-${process.platform}-${processor}`, "bin", "anvil");
const anvil = spawn(binary, ["--port", String(port), "--chain-id", String(empty.chainId), "--silent"], { stdio: "ignore" });
process.on("exit", () => anvil.kill("SIGKILL"));

let id = 0;
async function rpc(method, ...params) {
  const answer = await fetch(`http://127.0.0.1:${port}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }),
  });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${method}: ${error.message} ${error.data ?? ""}`);
  return result;
}
for (let tries = 0; ; ++tries) {
  try { await rpc("eth_chainId"); break; } catch (error) {
    if (tries === 300) throw error;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const [provider, client] = await rpc("eth_accounts");
async function send(from, to, data, value = 0n) {
  const hash = await rpc("eth_sendTransaction", { from, to, data, value: "0x" + value.toString(16), gas: "0x1c9c380" });
  for (;;) {
    const receipt = await rpc("eth_getTransactionReceipt", hash);
    if (!receipt) { await new Promise((resolve) => setTimeout(resolve, 20)); continue; }
    if (receipt.status !== "0x1") throw new Error(`reverted: ${data.slice(0, 10)}`);
    return receipt;
  }
}
const deploy = async (name, args = "") => (await send(provider, undefined, code(name) + args)).contractAddress;

const pair = await deploy("PoseidonT3");
const five = await deploy("PoseidonT6");
const miners = await deploy("DeclaredMiners");
const registry = await deploy("ShaleRegistry", words(miners));
const key = json(vectors, "verification_key.json");
const g1 = ([x, y]) => [x, y];
const g2 = ([[x0, x1], [y0, y1]]) => [x1, x0, y1, y0];
const verifier = await deploy(
  "Groth16Verifier",
  words(g1(key.vk_alpha_1), g2(key.vk_beta_2), g2(key.vk_gamma_2), g2(key.vk_delta_2), key.IC.map(g1), 8, 1),
);
const bond = 10n ** 16n;
const built = await deploy("ShaleMarket", words(registry, verifier, 0, 0, pair, five, bond, 240, 1800, 5760));
// The vectors' signatures and proofs name the market's address.
const market = empty.contract;
await rpc("anvil_setCode", market, await rpc("eth_getCode", built, "latest"));

const keys = word(1) + "11".repeat(32);
await send(provider, registry, selector("register") + encode(0, text("sp.example:22"), keys));
const none = word(0);
const resources = encode(1, 1, 0, text(""), 1);
// Structs with dynamic parts are tuples: encoded like arguments, behind an offset.
await send(provider, registry, selector("putOffer") + encode(1, 0, encode(resources, 100, 1, none, none, text("DE"))));
await send(provider, market, selector("openPage") + words(1, 8));

async function settle(name) {
  const call = json(vectors, name, "calldata.json");
  const head = [call.provider, call.page, call.newRoot, BigInt(call.paid), bytes(call.entries.slice(2)), bytes(call.leaseIds.slice(2)), call.c, ...call.proof];
  const receipt = await send(provider, market, selector("settle") + encode(...head));
  console.log(`${name}: ${Number(receipt.gasUsed)} gas`);
}
await settle("00-empty");
for (const record of json(vectors, "01-first-sync-and-pay", "statement.json").records) {
  const order = encode(1, 1, 100, 0, record.ax, record.ay, resources, 0, none, none);
  await send(client, market, selector("createLease") + encode(order), bond);
  const { logs } = await send(provider, market, selector("accept") + encode(record.leaseId, 0, encode(100, text("sp.example:22"), keys)));
  const termsHash = "0x" + logs[0].data.slice(2 + 2 * 64, 2 + 3 * 64);
  await send(client, market, selector("confirm") + words(record.leaseId, termsHash), BigInt(record.deposit));
}
await settle("01-first-sync-and-pay");
const before = BigInt(await rpc("eth_getBalance", client, "latest"));
await send(client, market, selector("withdraw"));
const after = BigInt(await rpc("eth_getBalance", client, "latest"));
if (after <= before) throw new Error("the client was not paid");
anvil.removeAllListeners();
await new Promise((resolve) => anvil.once("exit", resolve) && anvil.kill());
