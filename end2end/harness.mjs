// Starts the release binary on a free port with an empty data folder, and a browser that must stay silent: any console
// message, failed request or request to another host fails the test that caused it.
import { execFileSync, spawn } from 'node:child_process';
import { createServer as createProvider } from 'node:http';
import { createServer } from 'node:net';
import { mkdtemp, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const root = path.resolve(import.meta.dirname, '..');
export const output = path.join(import.meta.dirname, 'output');
export const fixtures = path.join(root, 'tests', 'fixtures');

/** A provider that answers every call with a message of this usage, streamed in pieces where that is asked for:
 * `{ url, seen, hold, stop() }`. While `hold` is set, a stream stops after its first words. */
export async function startProvider(usage) {
  const provider = { seen: [], hold: false, text: ['Good ', 'morning.'] };
  const server = createProvider(async (request, response) => {
    const body = await readBody(request);
    const id = provider.seen.length + 1;
    provider.seen.push({ path: request.url, key: request.headers['x-api-key'] });
    const { stream, model } = body ? JSON.parse(body) : {};
    const message = { id: `msg_${id}`, type: 'message', role: 'assistant', model: model ?? 'claude-opus-5', content: [], usage };
    response.writeHead(200, {
      'content-type': stream ? 'text/event-stream' : 'application/json', 'request-id': `req_${id}`,
    });
    if (!stream) return response.end(JSON.stringify({ ...message, stop_reason: 'end_turn' }));
    const send = (event) => response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    send({ type: 'message_start', message: { ...message, usage: { ...usage, output_tokens: 1 } } });
    send({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } });
    for (const text of provider.text) {
      send({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
      if (provider.hold) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    send({ type: 'content_block_stop', index: 0 });
    send({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: usage.output_tokens } });
    send({ type: 'message_stop' });
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(provider, {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  });
}

/** The server under test: `{ url, folder, run(args), fillDisk(), freeDisk(), stop() }`. `env` is added to its environment. */
export async function startServer(env = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'tollbridge-end2end-'));
  const port = await freePort();
  const environment = {
    PATH: process.env.PATH,
    HOME: folder,
    LEPTOS_SITE_ADDR: `127.0.0.1:${port}`,
    LEPTOS_SITE_ROOT: path.join(root, 'target', 'site'),
    TOLLBRIDGE_SERVER__DATA_DIR: path.join(folder, 'data'),
    TOLLBRIDGE_SERVER__TIME_ZONE: 'Europe/Berlin',
    ...env,
  };
  const binary = process.env.TOLLBRIDGE_BINARY ?? path.join(root, 'target', 'release', 'tollbridge');
  // The signal that comes with a write beyond `fillDisk` would end the process.
  const serve = ['-c', 'trap "" XFSZ; exec "$0" serve', binary];
  const child = spawn('bash', serve, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (chunk) => (log += chunk));
  child.stderr.on('data', (chunk) => (log += chunk));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  const url = `http://127.0.0.1:${port}`;
  await waitUntil(async () => {
    if (child.exitCode !== null) throw new Error(`the server ended at once:\n${log}`);
    return (await fetch(`${url}/healthz`).catch(() => null))?.ok;
  });
  return {
    url,
    folder,
    log: () => log,
    /** Runs a command of the same binary on the same data, with `input` as what is typed. */
    run: (args, input = '') =>
      new Promise((resolve, reject) => {
        const command = spawn(binary, args, { cwd: root, env: environment });
        command.stdin.end(input);
        let text = '';
        command.stdout.on('data', (chunk) => (text += chunk));
        command.stderr.on('data', (chunk) => (text += chunk));
        // Not at its exit: what it printed may not be read by then.
        command.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${args}: ${code}\n${text}`))));
      }),
    /** From now on no file of the server takes another byte. */
    fillDisk: () => execFileSync('prlimit', [`--pid=${child.pid}`, '--fsize=0:']),
    freeDisk: () => execFileSync('prlimit', [`--pid=${child.pid}`, '--fsize=unlimited:']),
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      await rm(folder, { recursive: true, force: true });
      assert.equal(code, 0, `the server stopped with ${code}:\n${log}`);
    },
  };
}

/** One Chromium for all tests of a file. */
export async function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
}

/** A page that remembers everything it should not have said. Call `assertSilent` before closing it. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    ...options,
  });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(`console.${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && hostname !== '127.0.0.1') complaints.push(`request to ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) complaints.push(`${response.status()} from ${response.url()}`);
  });
  page.assertSilent = () => assert.deepEqual(complaints, []);
  return page;
}

/** Waits until WASM has taken over, so that clicks are handled in the browser. */
export async function hydrated(page) {
  await page.waitForSelector('html[data-hydrated]');
}

/** Every look that a page has to be right in: its name for a test's title, for a file, and as options of `openPage`. */
export const looks = ['light', 'dark'].flatMap((colorScheme) =>
  [1280, 375].map((width) => ({
    title: `${width} px, ${colorScheme}`,
    file: `${width}-${colorScheme}`,
    options: { viewport: { width, height: 900 }, colorScheme, bypassCSP: true },
  })),
);

const axe = await readFile(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/** Keeps a screenshot, and fails if the page moves sideways or axe finds something. The page has the options of a look. */
export async function assertLooksRight(page, name) {
  await page.waitForTimeout(500);
  await keepScreenshot(page, name);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, `${name} can be moved sideways`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(', ')}`), [], name);
}

/** Keeps a screenshot as build output. */
export async function keepScreenshot(page, name) {
  await mkdir(output, { recursive: true });
  await page.screenshot({ path: path.join(output, `${name}.png`), fullPage: true });
}

export async function postUsage(url, body) {
  const response = await fetch(`${url}/api/analytics/usage`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

export async function getReport(url, query) {
  const response = await fetch(`${url}/api/analytics/tokens?${query}`);
  assert.equal(response.status, 200);
  return response.json();
}

async function readBody(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

async function waitUntil(condition, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('timed out');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
