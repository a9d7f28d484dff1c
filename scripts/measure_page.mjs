// How heavy and how fast the Overview is, on the release build with many events. Not a test: it prints figures.
//
//   make build && node scripts/measure_page.mjs            1 million events
//   node scripts/measure_page.mjs --events 10000
//   node scripts/measure_page.mjs --sizes                  only the sizes
//   node scripts/measure_page.mjs --database /a/ledger.db  a SQLite file that exists, of which a copy is measured
//
// `make measure` is the first of these. It needs what `make setup-test` installs. TOLLBRIDGE_BINARY names another binary.
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { hydrated, openPage, startBrowser, startServer } from '../end2end/harness.mjs';
import { chunkSizes, sizes } from '../end2end/sizes.mjs';

const { values: options } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, sizes: { type: 'boolean' }, database: { type: 'string' } },
});
const ROUNDS = 15;

for (const [name, { raw, brotli }] of Object.entries(await sizes())) print(name, kilobytes(raw), `${kilobytes(brotli)} brotli`);
for (const [name, { raw, brotli }] of Object.entries(await chunkSizes())) print(`  ${name}`, kilobytes(raw), `${kilobytes(brotli)} brotli`);
if (!options.sizes) await measure();

async function measure() {
  const folder = await mkdtemp(path.join(tmpdir(), 'tollbridge-measure-'));
  const database = path.join(folder, 'ledger.db');
  if (options.database) await copyFile(options.database, database);
  else await fill(database);
  const server = await startServer({ DATABASE_URL: `sqlite:${database}` });
  const browser = await startBrowser();
  try {
    await measureLoads(server, browser);
    await measureSwitches(server, browser);
  } finally {
    await browser.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A new browser profile each time, so that nothing is cached. */
async function measureLoads(server, browser) {
  const found = { firstByte: [], hydrated: [], charts: [], shift: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const page = await openPage(browser);
    await page.addInitScript(() => {
      window.measured = { shift: 0 };
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.measured.shift += entry.value;
      }).observe({ type: 'layout-shift', buffered: true });
      const drawn = () => document.querySelectorAll('.chart-drawing svg').length;
      new MutationObserver(() => {
        if (document.documentElement.hasAttribute('data-hydrated')) window.measured.hydrated ??= performance.now();
        if (drawn() >= document.querySelectorAll('.chart-drawing').length && drawn() > 0) window.measured.charts ??= performance.now();
      }).observe(document, { attributes: true, childList: true, subtree: true });
    });
    await page.goto(`${server.url}/`);
    await hydrated(page);
    await page.waitForFunction(() => window.measured.charts);
    await page.waitForTimeout(300);
    const measured = await page.evaluate(() => window.measured);
    const [navigation] = await page.evaluate(() => performance.getEntriesByType('navigation').map((one) => one.toJSON()));
    found.firstByte.push(navigation.responseStart - navigation.requestStart);
    found.hydrated.push(measured.hydrated);
    found.charts.push(measured.charts);
    found.shift.push(measured.shift);
    page.assertSilent();
    await page.context().close();
  }
  printTimes('first byte', found.firstByte);
  printTimes('usable (hydrated)', found.hydrated);
  printTimes('all charts drawn', found.charts);
  print('layout shift', Math.max(...found.shift).toFixed(4));
}

/** From the click to the frame that shows the new figures. */
async function measureSwitches(server, browser) {
  const page = await openPage(browser);
  await page.goto(`${server.url}/`);
  await hydrated(page);
  await page.waitForTimeout(1000);
  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const label of ['Week', 'Year', 'Day', 'Month']) times.push(await page.evaluate(switchTo, label));
  }
  printTimes('range switch paints', times);
  page.assertSilent();
  await page.context().close();
}

function switchTo(label) {
  const figure = () => document.querySelectorAll('#figures .metric-figure')[1].textContent;
  const link = [...document.querySelectorAll('[aria-label="Period"] a')].find((one) => one.textContent.trim() === label);
  const before = figure();
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const look = () => {
      if (figure() === before) return requestAnimationFrame(look);
      // The frame with the new figures is painted before the task after the next frame.
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - startedAt)));
    };
    link.click();
    requestAnimationFrame(look);
  });
}

/** The benchmark's events of 50 users; the owner, whose figures the page shows, is one of them. */
function fill(database) {
  const environment = {
    ...process.env,
    TOLLBRIDGE_BENCH_FILL: '1',
    TOLLBRIDGE_BENCH_EVENTS: options.events,
    TOLLBRIDGE_BENCH_URL: `sqlite:${database}`,
  };
  const bench = spawn('cargo', ['bench', '--quiet', '--features', 'server', '--bench', 'ledger'], {
    cwd: path.resolve(import.meta.dirname, '..'),
    env: environment,
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    bench.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the benchmark ended with ${code}`))));
  });
}

function printTimes(name, times) {
  const sorted = times.toSorted((one, two) => one - two);
  const at = (percent) => `${sorted[Math.floor(((sorted.length - 1) * percent) / 100)].toFixed(0)} ms`;
  print(name, `p50 ${at(50)}`, `p95 ${at(95)}`, `max ${at(100)}`);
}

function print(name, ...figures) {
  console.log(`${name.padEnd(34)}${figures.map((figure) => String(figure).padStart(18)).join('')}`);
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
