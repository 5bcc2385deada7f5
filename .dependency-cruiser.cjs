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
  auditor: ['protocol/', 'kit/', 'engines/'],
  // pages in a browser: the law and the verifier, no plumbing of Node
  console: ['protocol/', 'auditor/'],
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
  'node-seal': 'engines/ring/',
  snarkjs: 'engines/proof/',
  circom2: 'engines/proof/',
  '@tensorflow/.*': 'engines/tensor/',
  '(classic-)?level': 'engines/store/',
  solc: 'engines/chain/',
  '@foundry-rs/anvil': 'engines/chain/',
};

const error = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const installed = (names) => `(^|/)node_modules/(${names})/`;
const OURS = '^(?!node_modules/|\\.\\./)[^/]+/';
const TOP = `^(${TOPS.join('|')})/`;

const layers = Object.entries(MAY_IMPORT).map(([folder, allowed]) =>
  error(
    `layer-${folder}`,
    `${folder}/ may import ${allowed.join(', ') || 'nothing of ours'}`,
    { path: `^${folder}/` },
    // 'fs/promises' looks like a folder of ours
    { path: OURS, pathNot: [`^${folder}/`, ...allowed.map((path) => `^${path}`)], dependencyTypesNot: ['core'] },
  ),
);

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
      'only-openers-open',
      'P2: opening a sum is for the coordinator\u2019s opening/, key-holders and the auditor',
      { pathNot: ['^coordinator/opening/', '^key-holder/', '^auditor/', '^engines/ring/', TOP] },
      { path: '^engines/ring/open[^/]*\\.ts$' },
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
