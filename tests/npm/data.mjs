// Answers a list of questions {op, ...} about data sets with a list of answers; null where the package refused.
import fs from 'node:fs';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { CID } from 'multiformats/cid';
import { base16, base16upper } from 'multiformats/bases/base16';
import { base32, base32upper } from 'multiformats/bases/base32';
import { base36, base36upper } from 'multiformats/bases/base36';
import { base58btc } from 'multiformats/bases/base58';
import { base64url } from 'multiformats/bases/base64';
import { sha256 } from 'multiformats/hashes/sha2';
import { identity } from 'multiformats/hashes/identity';
import { blake2b256 } from '@multiformats/blake2/blake2b';
import { murmur364 } from '@multiformats/murmur3';
import * as UnixFS from '@ipld/unixfs';
import * as dagPb from '@ipld/dag-pb';
import { CarReader, CarWriter, CarIndexer } from '@ipld/car';
import { CarWriter as CarFileWriter } from '@ipld/car/writer';
import { createDirectoryEncoderStream, createFileEncoderStream, CAREncoderStream } from 'ipfs-car';
import { importer } from 'ipfs-unixfs-importer';
import { fixedSize } from 'ipfs-unixfs-importer/chunker';
import { balanced, trickle } from 'ipfs-unixfs-importer/layout';
import { exporter, recursive } from 'ipfs-unixfs-exporter';
import * as Piece from '@web3-storage/data-segment/piece';
import * as PieceHash from '@web3-storage/data-segment/multihash';

const bytes = hex => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = array => Buffer.from(array).toString('hex');
const bases = { f: base16, F: base16upper, b: base32, B: base32upper, k: base36, K: base36upper, z: base58btc, u: base64url };
const hashers = { 'sha2-256': sha256, 'blake2b-256': blake2b256, identity };
const describe = cid => ({ version: cid.version, codec: cid.code, hash: cid.multihash.code, digest: hex(cid.multihash.digest), bytes: hex(cid.bytes), text: cid.toString() });
const compareBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

// All entries below a folder, directories by the bytes of their names; files and links with their paths, with '/'.
function * walk (root, below = '') {
  for (const entry of fs.readdirSync(path.join(root, below), { withFileTypes: true }).sort((a, b) => compareBytes(a.name, b.name))) {
    const relative = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) { yield { path: relative, directory: true }; yield * walk(root, relative); } else yield { path: relative, link: entry.isSymbolicLink() };
  }
}

async function writeCar (blocks, out) {
  const car = new CAREncoderStream([CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')]);
  await blocks.pipeThrough(car).pipeTo(Writable.toWeb(fs.createWriteStream(out)));
  const fd = await fs.promises.open(out, 'r+');
  await CarFileWriter.updateRootsInFile(fd, [car.finalBlock.cid]);
  await fd.close();
  return car.finalBlock.cid.toString();
}

const fileOf = (name, file) => ({ name, stream: () => Readable.toWeb(fs.createReadStream(file)) });

const operations = {
  parseCid: q => describe(CID.parse(q.text, bases[q.text[0]] ?? base58btc)),
  printCid: q => Object.fromEntries(Object.entries(bases).map(([prefix, base]) => [prefix, CID.decode(bytes(q.bytes)).toV1().toString(base)])),
  hashCid: async q => { const cid = CID.createV1(q.codec, await hashers[q.hash].digest(bytes(q.block))); return describe(cid); },
  murmur: async q => hex(await murmur364.encode(bytes(q.block))),
  decodePb: q => { const n = dagPb.decode(bytes(q.block)); return { data: n.Data ? hex(n.Data) : null, links: n.Links.map(l => ({ cid: l.Hash.toString(), name: l.Name ?? null, size: l.Tsize ?? null })) }; },
  encodePb: q => hex(dagPb.encode({ ...(q.data == null ? {} : { Data: bytes(q.data) }), Links: q.links.map(l => ({ Hash: CID.parse(l.cid), ...(l.name == null ? {} : { Name: l.name }), ...(l.size == null ? {} : { Tsize: l.size }) })) })),
  // What ipfs-car packs from a folder (its files in the order of their names) or a file.
  packIpfsCar: async q => {
    const stream = fs.statSync(q.path).isDirectory()
      ? createDirectoryEncoderStream([...walk(q.path)].filter(e => !e.directory).map(e => fileOf(e.path, path.join(q.path, e.path))))
      : createFileEncoderStream(fileOf('', q.path));
    return writeCar(stream, q.out);
  },
  // What the JavaScript importer makes of the same; entries of one directory after another.
  importUnixFs: async q => {
    const blocks = new Map();
    const store = { async put (cid, block) { if (q.out) blocks.set(cid.toString(), { cid, bytes: block }); return cid; } };
    const meta = file => { const s = fs.lstatSync(file, { bigint: true }); return { ...(q.modes ? { mode: Number(s.mode & 0o7777n) } : {}), ...(q.times ? { mtime: { secs: s.mtimeNs / 1000000000n, nsecs: Number(s.mtimeNs % 1000000000n) } } : {}) }; };
    async function * source () {
      if (!fs.statSync(q.path).isDirectory()) { yield { path: '', content: fs.createReadStream(q.path), ...meta(q.path) }; return; }
      for (const e of walk(q.path)) {
        const full = path.join(q.path, e.path);
        if (e.directory) { if (q.modes || q.times || fs.readdirSync(full).length === 0) yield { path: e.path, ...meta(full) }; }
        else if (e.link) yield { path: e.path, link: fs.readlinkSync(full) };
        else yield { path: e.path, content: fs.createReadStream(full), ...meta(full) };
      }
    }
    const options = { wrapWithDirectory: fs.statSync(q.path).isDirectory(), fileImportConcurrency: 1, ...(q.trickle ? { layout: trickle({ maxChildrenPerNode: q.trickle }) } : {}), ...q.options };
    let last;
    for await (const entry of importer(source(), store, options)) last = entry;
    if (q.out) {
      const { writer, out } = CarWriter.create([last.cid]);
      const done = Writable.toWeb(fs.createWriteStream(q.out));
      const pump = Readable.toWeb(Readable.from(out)).pipeTo(done);
      for (const block of blocks.values()) await writer.put(block);
      await writer.close();
      await pump;
    }
    return last.cid.toString();
  },
  // Files cut into three bytes, so that a small one has a tall tree.
  importTiny: async q => {
    let last;
    const store = { async put (cid) { return cid; } };
    for await (const entry of importer([{ content: fs.readFileSync(q.path) }], store, { cidVersion: 1, rawLeaves: q.rawLeaves, chunker: fixedSize({ chunkSize: 3 }), layout: balanced({ maxChildrenPerNode: 174 }) })) last = entry;
    return last.cid.toString();
  },
  // ipfs-car's own directory writer, over files that need not be on disk: entry-N.txt with N in it.
  shardOf: async q => {
    const { readable, writable } = new TransformStream({}, UnixFS.withCapacity());
    const drained = readable.pipeTo(new WritableStream());
    const writer = UnixFS.createWriter({ writable });
    const directory = UnixFS.createShardedDirectoryWriter(writer);
    for (let i = 0; i < q.count; i++) {
      const content = Buffer.from(`${i}`);
      directory.set(`entry-${i}.txt`, { cid: CID.createV1(0x55, await sha256.digest(content)), dagByteLength: content.length, contentByteLength: content.length });
    }
    const { cid } = await directory.close();
    await writer.close();
    await drained;
    return cid.toString();
  },
  readCar: async q => {
    const reader = await CarReader.fromBytes(fs.readFileSync(q.path));
    const blocks = [];
    for await (const block of reader.blocks()) {
      const hasher = Object.values(hashers).find(h => h.code === block.cid.multihash.code);
      const digest = (await hasher.digest(block.bytes)).digest;
      blocks.push({ cid: block.cid.toString(), length: block.bytes.length, valid: compareBytes(digest, block.cid.multihash.digest) === 0 });
    }
    return { version: reader.version, roots: (await reader.getRoots()).map(String), blocks };
  },
  // What ipfs-car unpacks: every entry with its length and the hash of its bytes.
  unpackCar: async q => {
    const reader = await CarReader.fromBytes(fs.readFileSync(q.path));
    const [root] = await reader.getRoots();
    const entries = [];
    const store = { async * get (cid) { yield (await reader.get(cid)).bytes; } };
    for await (const { cid, path: below } of recursive(root, store)) {
      const entry = await exporter(cid, store);
      const parts = [];
      if (entry.type === 'file' || entry.type === 'raw') for await (const part of entry.content()) parts.push(part);
      const content = Buffer.concat(parts);
      entries.push({ path: below.split('/').slice(1).join('/'), type: entry.type, length: content.length, sha256: hex((await sha256.digest(content)).digest), mode: entry.unixfs?.mode ?? null });
    }
    return entries;
  },
  indexCar: async q => {
    const entries = [];
    for await (const entry of await CarIndexer.fromBytes(fs.readFileSync(q.path))) entries.push({ cid: entry.cid.toString(), offset: entry.offset, blockOffset: entry.blockOffset, blockLength: entry.blockLength });
    return entries;
  },
  piece: async q => {
    const hasher = PieceHash.create();
    if (q.path) for await (const chunk of fs.createReadStream(q.path, { highWaterMark: 127 << 10 })) hasher.write(chunk);
    else hasher.write(bytes(q.block));
    const piece = Piece.toView(hasher.digest());
    return { v1: piece.toInfo().link.toString(), v2: piece.toString(), size: Number(piece.size), padding: Number(piece.padding), height: piece.height };
  },
};

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const questions = JSON.parse(Buffer.concat(chunks).toString('utf8'));
const answers = [];
for (const question of questions) {
  try { answers.push(await operations[question.op](question)); } catch (error) { if (question.must) throw error; answers.push(null); }
}
process.stdout.write(JSON.stringify(answers));
