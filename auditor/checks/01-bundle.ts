// 01: the files of the bundle are what their names say, and every entry is in the one canonical encoding [ENC-1].
import type { Hex } from '../../protocol/bytes.ts';
import { blobsOf, entryName, isLeftover } from '../../protocol/transcript/bundle.ts';
import { type Check, createTally } from './check.ts';

export const bundleCheck: Check = {
  id: '01',
  title: 'Every file of the bundle is what its name says',
  promises: ['P6'],
  meaning:
    'No file that this audit rests on was changed, cut or swapped since it was published: whoever gets this bundle holds the same bytes as the auditor did.',
  cannot: 'Where the bundle comes from, and that it is all there ever was: for that see check 02 and the chain.',
  async run({ bundle }) {
    const tally = createTally();
    for (const [seq, { name, fault }] of bundle.entries.entries()) {
      tally.same(`file name of entry ${seq}`, name, entryName(seq));
      tally.holds(`entry ${name} decodes`, fault === undefined, { got: fault });
    }
    const named = new Set(
      bundle.entries.flatMap(({ entry }) => (entry === undefined ? [] : blobsOf(entry.body).map(({ hash }) => hash))),
    );
    let [leftovers, unnamed] = [0, 0];
    for (const name of bundle.blobNames) {
      if (isLeftover(name)) leftovers++;
      else if (!/^[0-9a-f]{64}$/.test(name)) tally.fails(`file name of blob ${name}`, 'not a sha256 in hex');
      else {
        if (!named.has(`0x${name}`)) unnamed++;
        await tally.attempt(`hash of blob ${name}`, () => bundle.blob(`0x${name}` satisfies Hex));
      }
    }
    return tally.result(
      `${bundle.entries.length} entries, ${bundle.blobNames.length - leftovers} blobs` +
        // what models carry on is named by the models; anything else was put there, and nothing rests on it
        (unnamed > 0 ? `, ${unnamed} of them named by no entry` : '') +
        (leftovers > 0 ? `, ${leftovers} half-written files passed over` : ''),
    );
  },
};
