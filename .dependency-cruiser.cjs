// Who may import whom (docs: DESIGN of the house, README "Map"). tests/architecture/layers.test.ts runs these rules.

/** A folder may import itself and what is listed. Everything else of ours is refused, folders to come included. */
const MAY_IMPORT = {
  protocol: [],
  // the error table and the hex type are the two words plumbing shares with the law
  kit: ['protocol/(errors|bytes)\\.ts$'],
  engines: ['protocol/', 'kit/'],
  // the coordinator runs a witness of its own
  coordinator: ['protocol/', 'kit/', 'engines/', 'witness/(?!main\\.ts$)'],
  'edge-node': ['protocol/', 'kit/', 'engines/'],
  'key-holder': ['protocol/', 'kit/', 'engines/'],
  witness: ['protocol/', 'kit/', 'engines/'],
  // it judges the rest, and shares with it the law and the plumbing, no more
  auditor: ['protocol/', 'kit/'],
  // pages in a browser: the law and the verifier, no plumbing of Node
  console: ['protocol/', 'auditor/'],
};

/** The files that may import more than their folder, what, and why that judges nothing. */
const EXCEPTIONS = {
  'auditor-chain-at': {
    file: 'auditor/chain-at\\.ts$',
    more: 'engines/chain/embedded\\.ts$',
    why: 'starts the process of an embedded chain from its kept state; what is read there is read by auditor/chain/',
  },
  'auditor-rerun': {
    file: 'auditor/replay-site/rerun\\.ts$',
    more: 'engines/(tensor/train|keys/attempt-random)\\.ts$',
    why: 'on site a round is run again, by the trainer that ran it: only that one gives the same bits',
  },
};

/** Tops import anything and are imported by nothing (bin/ is the door to scripts/). */
const TOPS = ['scripts', 'bench', 'tests', 'examples', 'bin'];

/** The packages that run the same in Node and in a browser; what protocol/ is built from. */
const PURE_PACKAGES = [
  'zod',
  'cborg',
  '@noble/curves',
  '@noble/hashes',
  'poseidon-lite',
  '@openzeppelin/merkle-tree',
  'yaml',
];

/** One folder per heavy dependency: the rest of the house sees its interface, never the package. */
const HEAVY_PACKAGES = {
  'node-seal': 'auditor/ring/',
  snarkjs: 'engines/proof/',
  circom2: 'engines/proof/',
  '@tensorflow/.*': 'engines/tensor/',
  '(classic-)?level': 'engines/store/',
  solc: 'kit/solidity/',
  '@foundry-rs/anvil': 'engines/chain/',
  // not an engine: nobody but the consent gate may reach a customer's record
  pg: 'edge-node/data/postgres\\.ts$',
  '@duckdb/.*': 'edge-node/data/duckdb\\.ts$',
};

const error = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const installed = (names) => `(^|/)node_modules/(${names})/`;
const OURS = '^(?!node_modules/|\\.\\./)[^/]+/';
const TOP = `^(${TOPS.join('|')})/`;

const layer = (name, from, allowed, comment) =>
  error(`layer-${name}`, comment, from, {
    // 'fs/promises' looks like a folder of ours
    path: OURS,
    pathNot: allowed.map((path) => `^${path}`),
    dependencyTypesNot: ['core'],
  });

const exceptional = Object.values(EXCEPTIONS).map(({ file }) => `^${file}`);
const layers = Object.entries(MAY_IMPORT).map(([folder, allowed]) =>
  layer(
    folder,
    { path: `^${folder}/`, pathNot: exceptional },
    [`${folder}/`, ...allowed],
    `${folder}/ may import ${allowed.join(', ') || 'nothing of ours'}`,
  ),
);
const exceptions = Object.entries(EXCEPTIONS).map(([name, { file, more, why }]) => {
  const [folder] = file.split('/');
  return layer(name, { path: `^${file}` }, [`${folder}/`, ...MAY_IMPORT[folder], more], why);
});

const heavy = Object.entries(HEAVY_PACKAGES).map(([name, home]) =>
  error(
    `heavy-${name.replace(/[^a-z0-9]/g, '')}`,
    `${name} lives behind ${home}`,
    { pathNot: [`^${home}`, TOP] },
    { path: installed(name) },
  ),
);

module.exports = {
  forbidden: [
    error('no-cycles', 'A cycle passes one entry order and crashes under another', {}, { circular: true }),
    ...layers,
    ...exceptions,
    error(
      'tops-are-imported-by-nothing',
      'Nothing below depends on how it is run',
      { pathNot: [TOP, '^vitest\\.config\\.ts$'] },
      { path: TOP },
    ),
    error(
      'engines-are-siblings',
      'An engine stands alone behind its interface',
      { path: '^engines/([^/]+)/' },
      { path: '^engines/([^/]+)/', pathNot: '^engines/$1/' },
    ),
    error(
      'pure',
      'The law, the checks and the pages run the same bytes in a browser',
      { path: '^(protocol|auditor/checks|console)/' },
      { dependencyTypes: ['core'] },
    ),
    error(
      'pure-packages',
      'protocol/ is built from packages that do no I/O',
      { path: '^protocol/' },
      { path: 'node_modules/', pathNot: installed(PURE_PACKAGES.join('|')) },
    ),
    ...heavy,
    error(
      'auditor-stands-alone',
      'No check reaches what made the thing it checks: neither the ring kernel, nor snarkjs, nor the tensor engine, through anyone',
      // the command line loads the replay on site, which runs a round again
      { path: '^auditor/', pathNot: ['^auditor/cli\\.ts$', '^auditor/replay-site/'] },
      {
        path: ['^engines/(ring|proof|tensor)/', installed('snarkjs|ffjavascript|circom2|@tensorflow/[^/]+')],
        reachable: true,
      },
    ),
    error(
      'raw-records-only-through-the-gate',
      'P3: no path to a customer record but the consent gate',
      { pathNot: ['^edge-node/data/gate\\.ts$', '^tests/'] },
      { path: '^edge-node/data/records\\.ts$' },
    ),
    error(
      'files-only-through-the-records',
      'The reader of raw files would be a way around the gate',
      { path: '^(coordinator|edge-node|key-holder|witness|auditor|console)/', pathNot: '^edge-node/data/' },
      { path: '^edge-node/data/(?!gate\\.ts$)' },
    ),
    error(
      'databases-only-through-the-records',
      'Only a plain file has readers beside the gate (the example is dealt out from one)',
      { path: TOP, pathNot: '^tests/' },
      { path: '^edge-node/data/(?!(gate|csv)\\.ts$)' },
    ),
    error(
      'only-openers-open',
      'P2: opening a sum is for the coordinator\u2019s opening/, key-holders, the auditor, and a dealer\u2019s check of what was published',
      {
        pathNot: [
          '^coordinator/opening/',
          '^edge-node/train/open-published\\.ts$',
          '^key-holder/',
          '^auditor/',
          '^engines/ring/',
          TOP,
        ],
      },
      { path: '^(engines|auditor)/ring/open[^/]*\\.ts$' },
    ),
    error('resolvable', 'A dependency that cannot be read cannot be judged', {}, { couldNotResolve: true }),
  ],
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|\\.concordat|\\.git)/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.mjs', '.cjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'require'],
    },
  },
};
