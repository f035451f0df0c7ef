// Opens a Web3 keystore with ethers and writes one: {ours, passphrase, key} -> {key, address, theirs}
import { readFileSync } from "node:fs";
import { Wallet } from "ethers";

const { ours, passphrase, key } = JSON.parse(readFileSync(0, "utf8"));
const opened = await Wallet.fromEncryptedJson(ours, passphrase);
const theirs = await new Wallet(key).encrypt(passphrase, { scrypt: { N: 262144, r: 8, p: 1 } });
console.log(JSON.stringify({ key: opened.privateKey, address: opened.address, theirs }));
