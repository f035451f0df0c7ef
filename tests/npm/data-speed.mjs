// The npm tools at work on one file, for ratios: node data-speed.mjs pack|verify|piece INPUT [OUTPUT].
import fs from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { CarBlockIterator } from '@ipld/car/iterator';
import { sha256 } from 'multiformats/hashes/sha2';
import { createFileEncoderStream, CAREncoderStream } from 'ipfs-car';
import { CID } from 'multiformats/cid';
import * as PieceHash from '@web3-storage/data-segment/multihash';

const [work, input, output] = process.argv.slice(2);
switch (work) {
  case 'pack':
    await createFileEncoderStream({ stream: () => Readable.toWeb(fs.createReadStream(input, { highWaterMark: 1 << 20 })) })
      .pipeThrough(new CAREncoderStream([CID.parse('bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi')]))
      .pipeTo(Writable.toWeb(fs.createWriteStream(output)));
    break;
  case 'verify':
    for await (const { cid, bytes } of await CarBlockIterator.fromIterable(fs.createReadStream(input, { highWaterMark: 1 << 20 }))) {
      const { digest } = await sha256.digest(bytes);
      if (Buffer.compare(digest, cid.multihash.digest) !== 0) throw new Error(`${cid} does not match`);
    }
    break;
  case 'piece': {
    const hasher = PieceHash.create();
    for await (const chunk of fs.createReadStream(input, { highWaterMark: 127 << 10 })) hasher.write(chunk);
    hasher.digest();
    break;
  }
  default:
    throw new Error(`unknown work: ${work}`);
}
