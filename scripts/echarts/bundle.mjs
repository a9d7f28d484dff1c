// Makes public/vendor/echarts-<version>.min.js and the licences beside it: `npm ci && node bundle.mjs` here.
// Prints the bundle's size and fails above the budget.
import { build } from 'esbuild';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';

const BUDGET_BYTES = 200_000;

const here = dirname(fileURLToPath(import.meta.url));
const vendor = join(here, '../../public/vendor');
const packages = join(here, 'node_modules');
const { version } = JSON.parse(await readFile(join(packages, 'echarts/package.json'), 'utf8'));
const name = `echarts-${version}.min.js`;

const result = await build({
  entryPoints: [join(here, 'entry.js')],
  bundle: true,
  minify: true,
  write: false,
  format: 'iife',
  target: 'es2020',
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  banner: { js: `/*! Apache ECharts ${version}, custom build. Licences: echarts-LICENSE.txt, echarts-NOTICE.txt */` },
});
const code = result.outputFiles[0].contents;
const compressed = brotliCompressSync(code).length;

await mkdir(vendor, { recursive: true });
for (const file of await readdir(vendor)) {
  if (/^echarts-.*\.min\.js$/.test(file)) await rm(join(vendor, file));
}
await writeFile(join(vendor, name), code);
await writeFile(join(vendor, 'echarts-LICENSE.txt'), await licences());
await writeFile(join(vendor, 'echarts-NOTICE.txt'), await readFile(join(packages, 'echarts/NOTICE')));

console.log(`${name}: ${code.length} bytes, ${compressed} with brotli (budget ${BUDGET_BYTES})`);
if (compressed > BUDGET_BYTES) {
  console.error('The bundle is over its budget: leave out a chart type or a component.');
  process.exit(1);
}

/** The licences of everything in the bundle, one after the other. */
async function licences() {
  const texts = [
    ['Apache ECharts', 'echarts/LICENSE'],
    ['Parts of Apache ECharts derived from d3', 'echarts/licenses/LICENSE-d3'],
    ['ZRender', 'zrender/LICENSE'],
    ['tslib', 'tslib/LICENSE.txt'],
  ];
  const parts = [];
  for (const [title, file] of texts) {
    parts.push(`${title}\n${'='.repeat(title.length)}\n\n${(await readFile(join(packages, file), 'utf8')).trim()}\n`);
  }
  return parts.join('\n\n');
}
