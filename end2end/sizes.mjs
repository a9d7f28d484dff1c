// What the browser loads of the built site, and how large it is with brotli's best, as the server sends it.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const site = path.resolve(import.meta.dirname, '..', 'target', 'site');

/** Bytes of the WASM that makes the page usable, of its loader script, and of the ECharts bundle: `{ raw, brotli }` each. */
export async function sizes() {
  const [echarts] = (await readdir(path.join(site, 'vendor'))).filter((name) => /^echarts-.*\.min\.js$/.test(name));
  return {
    'main WASM': await sizeOf('pkg/tollbridge.wasm'),
    'main script': await sizeOf('pkg/tollbridge.js'),
    'ECharts bundle': await sizeOf(`vendor/${echarts}`),
  };
}

/** The WASM that is loaded when it is needed, by file name. */
export async function chunkSizes() {
  const names = (await readdir(path.join(site, 'pkg'))).filter((name) => name.endsWith('.wasm') && name !== 'tollbridge.wasm');
  const found = {};
  for (const name of names.sort()) found[name] = await sizeOf(`pkg/${name}`);
  return found;
}

async function sizeOf(file) {
  const bytes = await readFile(path.join(site, file));
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  return { raw: bytes.length, brotli: brotli.length };
}
